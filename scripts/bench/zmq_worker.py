"""One process of one measurement of pyzmq: a push and a pull socket each way, with pickle 5 and its buffers apart.

The same roles and the same conversation as in `streams.py`, by blocking calls or in an event loop. `server` only
finds an address.
"""

from __future__ import annotations

import asyncio
import os
import pickle
import socket
import sys
import tempfile
from typing import Any

import zmq
import zmq.asyncio
from payloads import payload_of, same
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
    until_end_of_input,
    wait_for_end_of_input,
)

HIGH_WATER = 32
"""Messages that may wait at an end, as many as the others have buffers."""
WARM_UP_MESSAGES = 64
BIG = 64 * 1024
"""From here on pyzmq is told not to copy; below, its own book-keeping costs more than a copy."""


def packed(message: Any) -> list[Any]:
    buffers: list[Any] = []
    return [pickle.dumps(message, 5, buffer_callback=buffers.append), *buffers]


def unpacked(frames: list[Any]) -> Any:
    parts = [getattr(frame, "buffer", frame) for frame in frames]
    return pickle.loads(parts[0], buffers=parts[1:])  # noqa: S301  it is what the other end has just packed


class Ends:
    """Both sockets of one end, by blocking calls; `copy` is said for both directions."""

    def __init__(self, context: zmq.Context[Any], sends: str, receives: str, size: int) -> None:
        self._copy = size < BIG
        self._out, self._in = context.socket(zmq.PUSH), context.socket(zmq.PULL)
        for each in (self._out, self._in):
            each.set(zmq.SNDHWM, HIGH_WATER)
            each.set(zmq.RCVHWM, HIGH_WATER)
            each.set(zmq.LINGER, 0)
        self._in.bind(receives)
        self._out.connect(sends)

    def send(self, message: Any) -> Any:
        return self._out.send_multipart(packed(message), copy=self._copy)

    def receive(self) -> Any:
        return unpacked(self._in.recv_multipart(copy=self._copy))

    async def receive_in_loop(self) -> Any:
        return unpacked(await self._in.recv_multipart(copy=self._copy))


def follow(ends: Ends) -> None:
    echo, seen = True, 0
    while True:
        message = ends.receive()
        if type(message) is not tuple:
            if echo:
                ends.send(message)
            else:
                seen += 1
            continue
        if message[0] == "count":
            echo, seen = False, 0
        ends.send((message[0], seen, processor_ns()))


async def follow_in_loop(ends: Ends) -> None:
    echo, seen = True, 0
    while True:
        message = await ends.receive_in_loop()
        if type(message) is not tuple:
            if echo:
                await ends.send(message)
            else:
                seen += 1
            continue
        if message[0] == "count":
            echo, seen = False, 0
        await ends.send((message[0], seen, processor_ns()))


def lead(ends: Ends, parameters: dict[str, Any], seconds: float) -> Result:
    payload = payload_of(parameters)
    ends.send(payload)
    if not same(payload, ends.receive()):
        raise BenchError("the echo differs from what was sent")
    warm_up_end = clock_ns() + int(WARM_UP_LIMIT_S * 1e9)
    for _ in range(WARM_UP_MESSAGES):
        ends.send(payload)
        ends.receive()
        if clock_ns() > warm_up_end:
            break
    if parameters["measure"] == "round trip":
        samples: list[int] = []
        end = clock_ns() + int(seconds * 1e9)
        while clock_ns() < end and len(samples) < MAX_SAMPLES:
            start = clock_ns()
            ends.send(payload)
            ends.receive()
            samples.append(clock_ns() - start)
        return summary(samples)
    ends.send(("count",))
    before = ends.receive()
    used_ns, sent, start = processor_ns(), 0, clock_ns()
    end = start + int(seconds * 1e9)
    while clock_ns() < end:
        ends.send(payload)
        sent += 1
    ends.send(("total",))
    return streamed(sent, start, used_ns, before, ends.receive())


async def lead_in_loop(ends: Ends, parameters: dict[str, Any], seconds: float) -> Result:
    payload = payload_of(parameters)
    await ends.send(payload)
    if not same(payload, await ends.receive_in_loop()):
        raise BenchError("the echo differs from what was sent")
    warm_up_end = clock_ns() + int(WARM_UP_LIMIT_S * 1e9)
    for _ in range(WARM_UP_MESSAGES):
        await ends.send(payload)
        await ends.receive_in_loop()
        if clock_ns() > warm_up_end:
            break
    if parameters["measure"] == "round trip":
        samples: list[int] = []
        end = clock_ns() + int(seconds * 1e9)
        while clock_ns() < end and len(samples) < MAX_SAMPLES:
            start = clock_ns()
            await ends.send(payload)
            await ends.receive_in_loop()
            samples.append(clock_ns() - start)
        return summary(samples)
    await ends.send(("count",))
    before = await ends.receive_in_loop()
    used_ns, sent, start = processor_ns(), 0, clock_ns()
    end = start + int(seconds * 1e9)
    while clock_ns() < end:
        await ends.send(payload)
        sent += 1
    await ends.send(("total",))
    return streamed(sent, start, used_ns, before, await ends.receive_in_loop())


def streamed(sent: int, start: int, used_ns: int, before: Any, after: Any) -> Result:
    elapsed_ns, used_ns = clock_ns() - start, processor_ns() - used_ns
    if after[1] != sent:
        raise BenchError(f"{sent} messages sent, {after[1]} received")
    cpu_ns = (used_ns + after[2] - before[2]) / sent
    return {"messages": sent, "messages_per_s": sent * 1e9 / elapsed_ns, "cpu_ns": cpu_ns}


def serve() -> None:
    """Find two addresses: files in a folder, and ports."""
    with tempfile.TemporaryDirectory() as folder, socket.create_server(("127.0.0.1", 0)) as one:
        with socket.create_server(("127.0.0.1", 0)) as other:
            ports = [each.getsockname()[1] for each in (one, other)]
        one.close()
        report("ready", address=f"{folder} {ports[0]} {ports[1]}")
        wait_for_end_of_input()


def addresses(text: str, transport: str) -> tuple[str, str]:
    folder, *ports = text.rsplit(" ", 2)
    if transport == "shm":
        return f"ipc://{folder}/there", f"ipc://{folder}/back"
    return f"tcp://127.0.0.1:{ports[0]}", f"tcp://127.0.0.1:{ports[1]}"


async def act_in_loop(ends: Ends, options: Any) -> None:
    if options.role == "follow":
        report("ready")
        await follow_in_loop(ends)
    result = await lead_in_loop(ends, options.parameters, options.seconds)
    report("result", **identity("asyncio", "pyzmq"), **result)


def main() -> None:
    options = parse(__doc__)
    if options.role == "server":
        serve()
        return
    there, back = addresses(options.address, options.parameters["transport"])
    sends, receives = (there, back) if options.role == "lead" else (back, there)
    size = options.parameters["size"]
    if options.loop == "blocking":
        on_end_of_input(lambda: os._exit(0))  # a blocking call takes no other word
        ends = Ends(zmq.Context(), sends, receives, size)
        if options.role == "follow":
            report("ready")
            follow(ends)
        report("result", **identity("none", "pyzmq"), **lead(ends, options.parameters, options.seconds))
    else:

        async def act() -> None:
            await act_in_loop(Ends(zmq.asyncio.Context(), sends, receives, size), options)

        asyncio.run(until_end_of_input(act(), options.deadline))


if __name__ == "__main__":
    sys.exit(main())
