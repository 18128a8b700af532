"""``router.py PORT [HOST]``: a router of Zenoh: what `zenohd` is."""

import signal
import sys

import zenoh

config = zenoh.Config()
config.insert_json5("mode", '"router"')
host = sys.argv[2] if len(sys.argv) > 2 else "127.0.0.1"
config.insert_json5("listen/endpoints", f'["tcp/{host}:{sys.argv[1]}"]')
config.insert_json5("scouting/multicast/enabled", "false")
with zenoh.open(config):
    print("ready", flush=True)
    signal.pause()
