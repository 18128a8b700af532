"""One process of one measurement of eclipse-zenoh: two peers that know each other's address, raw bytes, no loss.

The same roles and the same conversation as in `streams.py`, by blocking calls. A payload is sent as the bytes of an
array, and received as an array that lies in them; a word is one byte. `server` only finds an address.
"""

from __future__ import annotations

import json
import os
import socket
import sys
import threading
from typing import Any

import numpy as np
import zenoh
from payloads import payload_of
from role import (
    MAX_SAMPLES,
    WARM_UP_LIMIT_S,
    BenchError,
    Result,
    clock_ns,
    identity,
    on_end_of_input,
    parse,
    processor_ns,
    report,
    summary,
    wait_for_end_of_input,
)

WARM_UP_MESSAGES = 64
CHANNEL = 32
"""Messages that may wait at the receiving end."""
WORDS = {name: bytes([number]) for number, name in enumerate(("hello", "count", "total"))}
ANSWERED = np.dtype([("word", "u1"), ("seen", "<i8"), ("cpu_ns", "<i8")])
"""Seventeen bytes and a payload of sixteen are told apart by their length, and by nothing else."""


class Ends:
    """What one end sends and receives."""

    def __init__(self, options: Any) -> None:
        leads = options.role == "lead"
        config = zenoh.Config()
        config.insert_json5("scouting/multicast/enabled", "false")
        config.insert_json5("mode", '"peer"')
        config.insert_json5("transport/shared_memory/enabled", json.dumps(options.parameters["transport"] == "shm"))
        endpoints = json.dumps([f"tcp/{options.address}"])
        config.insert_json5("connect/endpoints" if leads else "listen/endpoints", endpoints)
        config.insert_json5("listen/endpoints" if leads else "connect/endpoints", "[]")
        self.session = zenoh.open(config)
        there, back = "bench/there", "bench/back"
        waiting = zenoh.handlers.FifoChannel(CHANNEL)
        self._subscriber = self.session.declare_subscriber(back if leads else there, waiting)
        self._publisher = self.session.declare_publisher(
            there if leads else back,
            congestion_control=zenoh.CongestionControl.BLOCK,
            reliability=zenoh.Reliability.RELIABLE,
        )

    def send(self, data: Any) -> None:
        self._publisher.put(data)

    def receive(self) -> Any:
        return np.frombuffer(self._subscriber.recv().payload.to_bytes(), np.uint8)

    def receive_answer(self, word: str) -> Any:
        """Skip what comes until a word is answered."""
        while True:
            data = self.receive()
            if data.nbytes == ANSWERED.itemsize and data[0] == WORDS[word][0]:
                return data.view(ANSWERED)[0]


def follow(ends: Ends) -> None:
    echo, seen = True, 0
    while True:
        data = ends.receive()
        if data.nbytes > 1:
            if echo:
                ends.send(data.tobytes())
            else:
                seen += 1
            continue
        if data[0] == WORDS["count"][0]:
            echo, seen = False, 0
        ends.send(np.array([(data[0], seen, processor_ns())], ANSWERED).tobytes())


def greet(ends: Ends) -> None:
    """Return once messages pass both ways; until then what is put may reach nobody."""
    heard = threading.Event()

    def knock() -> None:
        while not heard.wait(0.05):
            ends.send(WORDS["hello"])

    knocking = threading.Thread(target=knock)
    knocking.start()
    ends.receive_answer("hello")
    heard.set()
    knocking.join()
    ends.send(WORDS["total"])
    ends.receive_answer("total")


def lead(ends: Ends, parameters: dict[str, Any], seconds: float) -> Result:
    payload = payload_of(parameters)
    greet(ends)
    ends.send(payload.tobytes())
    if not np.array_equal(ends.receive(), payload):
        raise BenchError("the echo differs from what was sent")
    warm_up_end = clock_ns() + int(WARM_UP_LIMIT_S * 1e9)
    for _ in range(WARM_UP_MESSAGES):
        ends.send(payload.tobytes())
        ends.receive()
        if clock_ns() > warm_up_end:
            break
    if parameters["measure"] == "round trip":
        samples: list[int] = []
        end = clock_ns() + int(seconds * 1e9)
        while clock_ns() < end and len(samples) < MAX_SAMPLES:
            start = clock_ns()
            ends.send(payload.tobytes())
            ends.receive()
            samples.append(clock_ns() - start)
        return summary(samples)
    ends.send(WORDS["count"])
    before = ends.receive_answer("count")
    used_ns, sent, start = processor_ns(), 0, clock_ns()
    end = start + int(seconds * 1e9)
    while clock_ns() < end:
        ends.send(payload.tobytes())
        sent += 1
    ends.send(WORDS["total"])
    after = ends.receive_answer("total")
    elapsed_ns, used_ns = clock_ns() - start, processor_ns() - used_ns
    if after["seen"] != sent:
        raise BenchError(f"{sent} messages sent, {after['seen']} received")
    cpu_ns = float(used_ns + after["cpu_ns"] - before["cpu_ns"]) / sent
    return {"messages": sent, "messages_per_s": sent * 1e9 / elapsed_ns, "cpu_ns": cpu_ns}


def serve() -> None:
    with socket.create_server(("127.0.0.1", 0)) as found:
        port = found.getsockname()[1]
    report("ready", address=f"127.0.0.1:{port}")
    wait_for_end_of_input()


def main() -> None:
    options = parse(__doc__)
    if options.role == "server":
        serve()
        return
    on_end_of_input(lambda: os._exit(0))  # a blocking call takes no other word
    ends = Ends(options)
    if options.role == "follow":
        report("ready")
        follow(ends)
    report("result", **identity("none", "eclipse-zenoh"), **lead(ends, options.parameters, options.seconds))
    ends.session.close()


if __name__ == "__main__":
    sys.exit(main())
