"""How a verb reaches the server: a connection of its own, for one operation, with a deadline."""

import asyncio
import signal
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing, contextmanager
from typing import TypeVar

from ezmsg.control.connection.client import ControlConnection
from ezmsg.protocol.addresses import Address
from ezmsg.protocol.errors import DeadlineExceeded, ServerUnreachable

T = TypeVar("T")

_HTTP = b"HTTP/"
_HTTP_WAIT_S = 0.5


def ask(operation: Callable[[ControlConnection, float], Awaitable[T]], server: Address, timeout: float) -> T:
    """Connect to a server, perform one operation, such as those of :mod:`ezmsg.control.graph.operations`, and
    go."""

    async def connect_and_ask() -> T:
        try:
            connection = await ControlConnection.open(server, timeout=timeout, name="cli")
        except DeadlineExceeded:
            if await _speaks_http(server):
                reason = "what listens there is no graph server (it answers in HTTP)"
                raise ServerUnreachable(address=str(server), reason=reason) from None
            raise
        try:
            return await operation(connection, timeout)
        finally:
            await connection.close()

    with closing(asyncio.Runner()) as runner:
        with _interrupts_wait():
            runner.get_loop()
        return runner.run(connect_and_ask())


@contextmanager
def _interrupts_wait() -> Iterator[None]:
    """Let an interrupt wait for the end of this: an event loop that is made by half complains when it goes."""
    in_main = threading.current_thread() is threading.main_thread()  # elsewhere no interrupt comes
    if not in_main or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield
        return
    interrupted: list[int] = []
    signal.signal(signal.SIGINT, lambda number, _: interrupted.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if interrupted:
        raise KeyboardInterrupt


async def _speaks_http(server: Address) -> bool:
    """Ask who did not answer us in a language that many wait to be asked in."""
    writer = None
    try:
        async with asyncio.timeout(_HTTP_WAIT_S):
            reader, writer = await asyncio.open_connection(*server)
            writer.write(b"HEAD / HTTP/1.0\r\n\r\n")
            return await reader.readexactly(len(_HTTP)) == _HTTP
    except (OSError, TimeoutError, asyncio.IncompleteReadError):
        return False
    finally:
        if writer is not None:
            writer.close()
