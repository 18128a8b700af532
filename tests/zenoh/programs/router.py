"""A router of Zenoh, at a port: what `zenohd` is."""

import signal
import sys

import zenoh

config = zenoh.Config()
config.insert_json5("mode", '"router"')
config.insert_json5("listen/endpoints", f'["tcp/127.0.0.1:{sys.argv[1]}"]')
config.insert_json5("scouting/multicast/enabled", "false")
with zenoh.open(config):
    print("ready", flush=True)
    signal.pause()
