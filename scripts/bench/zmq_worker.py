"""One process of one measurement of pyzmq: a push and a pull socket each way, with pickle 5 and its buffers apart.

By blocking calls, or in an event loop with pyzmq's own sockets for asyncio. `server` only finds addresses.
"""

from __future__ import annotations

import pickle
import socket
import tempfile
from typing import Any

import others
import zmq
import zmq.asyncio
from role import report, wait_for_end_of_input

HIGH_WATER = 32
"""Messages that may wait at an end, as many as the others have buffers."""
BIG = 64 * 1024
"""From here on pyzmq is told not to copy; below, its own book-keeping costs more than a copy."""


def packed(message: Any) -> list[Any]:
    buffers: list[Any] = []
    return [pickle.dumps(message, 5, buffer_callback=buffers.append), *buffers]


def unpacked(frames: list[Any]) -> Any:
    parts = [getattr(frame, "buffer", frame) for frame in frames]
    return pickle.loads(parts[0], buffers=parts[1:])  # noqa: S301  it is what the other end has just packed


class BlockingEnds:
    """Both sockets of one end."""

    def __init__(self, context: zmq.Context[Any], sends: str, receives: str, size: int) -> None:
        self._copy = size < BIG
        self._out, self._in = context.socket(zmq.PUSH), context.socket(zmq.PULL)
        for each in (self._out, self._in):
            each.set(zmq.SNDHWM, HIGH_WATER)
            each.set(zmq.RCVHWM, HIGH_WATER)
            each.set(zmq.LINGER, 0)
        self._in.bind(receives)
        self._out.connect(sends)

    async def send(self, message: Any) -> None:
        self._out.send_multipart(packed(message), copy=self._copy)

    async def receive(self) -> Any:
        return unpacked(self._in.recv_multipart(copy=self._copy))


class EndsInALoop(BlockingEnds):
    """The same with sockets that are awaited."""

    async def send(self, message: Any) -> None:
        await self._out.send_multipart(packed(message), copy=self._copy)

    async def receive(self) -> Any:
        return unpacked(await self._in.recv_multipart(copy=self._copy))


def open_ends(options: Any) -> BlockingEnds:
    folder, *ports = options.address.rsplit(" ", 2)
    if options.parameters["transport"] == "shm":
        there, back = f"ipc://{folder}/there", f"ipc://{folder}/back"
    else:
        there, back = (f"tcp://127.0.0.1:{port}" for port in ports)
    ways = (there, back) if options.role == "lead" else (back, there)
    if options.loop == "blocking":
        return BlockingEnds(zmq.Context(), *ways, options.parameters["size"])
    return EndsInALoop(zmq.asyncio.Context(), *ways, options.parameters["size"])


def serve() -> None:
    """Find addresses: a folder for files, and two ports."""
    with tempfile.TemporaryDirectory() as folder:
        with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as other:
            ports = [each.getsockname()[1] for each in (one, other)]
        report("ready", address=f"{folder} {ports[0]} {ports[1]}")
        wait_for_end_of_input()


if __name__ == "__main__":
    others.act(__doc__, "pyzmq", serve, open_ends)
