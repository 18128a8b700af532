"""One process of one measurement of eclipse-zenoh: two peers that know each other's address, by blocking calls.

A payload is sent as the bytes of an array, and received as an array that lies in them. Nothing may be dropped: who
sends too fast is blocked. `server` only finds an address.
"""

from __future__ import annotations

import json
import socket
import threading
from typing import Any

import numpy as np
import others
import zenoh
from role import report, wait_for_end_of_input

CHANNEL = 32
"""Messages that may wait at the receiving end."""
WORD = b"\xff"
"""What words and answers begin with, and payloads do not."""


class ZenohEnds:
    """What one end sends and receives."""

    def __init__(self, options: Any) -> None:
        leads = options.role == "lead"
        self._session = zenoh.open(configuration(options, leads))
        there, back = "bench/there", "bench/back"
        waiting = zenoh.handlers.FifoChannel(CHANNEL)
        self._subscriber = self._session.declare_subscriber(back if leads else there, waiting)
        self._publisher = self._session.declare_publisher(
            there if leads else back,
            congestion_control=zenoh.CongestionControl.BLOCK,
            reliability=zenoh.Reliability.RELIABLE,
        )
        if leads:
            self._greet()

    def _greet(self) -> None:
        """Return once messages pass both ways; until then what is put may reach nobody."""
        heard = threading.Event()

        def knock() -> None:
            while not heard.wait(others.KNOCK_S):
                self._publisher.put(WORD + b'["hello"]')

        knocking = threading.Thread(target=knock)
        knocking.start()
        self._subscriber.recv()
        heard.set()
        knocking.join()

    async def send(self, message: Any) -> None:
        if type(message) is tuple:
            self._publisher.put(WORD + json.dumps(message).encode())
        else:
            self._publisher.put(message.tobytes())

    async def receive(self) -> Any:
        data = self._subscriber.recv().payload.to_bytes()
        return tuple(json.loads(data[1:])) if data.startswith(WORD) else np.frombuffer(data, np.uint8)


def configuration(options: Any, leads: bool) -> zenoh.Config:
    here = json.dumps([f"tcp/{options.address}"])
    config = zenoh.Config()
    config.insert_json5("mode", '"peer"')
    config.insert_json5("scouting/multicast/enabled", "false")
    config.insert_json5("transport/shared_memory/enabled", json.dumps(options.parameters["transport"] == "shm"))
    config.insert_json5("connect/endpoints", here if leads else "[]")
    config.insert_json5("listen/endpoints", "[]" if leads else here)
    return config


def serve() -> None:
    with socket.create_server(("127.0.0.1", 0)) as found:
        port = found.getsockname()[1]
    report("ready", address=f"127.0.0.1:{port}")
    wait_for_end_of_input()


if __name__ == "__main__":
    others.act(__doc__, "eclipse-zenoh", serve, ZenohEnds)
