"""One connection per event loop and server, shared by everybody on that loop.

Who acquires must release; the last one to release closes. A connection that was lost comes back for all of them.
"""

import asyncio
import contextlib
import os

from attrs import field

from ezmsg.control.connection.client import DEFAULT_TIMEOUT, ControlConnection
from ezmsg.protocol.addresses import Address
from ezmsg.protocol.declared import declared


@declared(frozen=False, eq=False)
class _Shared:
    """One connection, or the opening of one, and how many use it."""

    loop: asyncio.AbstractEventLoop
    address: Address
    token: bytes | None = field(repr=False)
    opening: asyncio.Task[ControlConnection]
    users: int = 0

    @property
    def connection(self) -> ControlConnection | None:
        """The connection, once it is open."""
        if not self.opening.done() or self.opening.cancelled() or self.opening.exception():
            return None
        return self.opening.result()

    @property
    def usable(self) -> bool:
        """Whether somebody more may join."""
        return not self.opening.done() or (self.connection is not None and not self.connection.closed)


_all: list[_Shared] = []
"""A handful at most. Several threads may be here at once, each with entries of its own loop only."""

if hasattr(os, "register_at_fork"):  # a forked child has the sockets, but not the threads and loops that read them
    os.register_at_fork(after_in_child=_all.clear)


async def acquire(
    address: Address, token: bytes | None = None, *, timeout: float = DEFAULT_TIMEOUT
) -> ControlConnection:
    """Return the running loop's connection to a server, and open it if there is none.

    :param timeout: how long to wait, in seconds, for a server that was lost.
    :raises ServerUnreachable: if it does not come back in that time.
    :raises EzmsgError: whatever :meth:`ControlConnection.open` raises, for all who waited for it.
    """
    shared = _find(asyncio.get_running_loop(), address, token)
    shared.users += 1
    try:
        # The shield keeps one waiter's cancellation from the others; the last one cancels the opening itself.
        connection = shared.connection
        if connection is None:
            connection = await asyncio.shield(shared.opening)
        await connection.wait_connected(timeout)
        return connection
    except BaseException:
        await _leave(shared)
        raise


async def release(connection: ControlConnection) -> None:
    """Give a connection back; the last of its users closes it."""
    for shared in tuple(_all):
        if shared.connection is connection:
            await _leave(shared)
            return


def _find(loop: asyncio.AbstractEventLoop, address: Address, token: bytes | None) -> _Shared:
    for shared in tuple(_all):
        if shared.loop is loop and (shared.address, shared.token) == (address, token) and shared.usable:
            return shared
        if shared.loop.is_closed():  # its users forgot to release
            _forget(shared)
    opening = loop.create_task(ControlConnection.open(address, token=token))
    shared = _Shared(loop, address, token, opening)
    _all.append(shared)
    return shared


async def _leave(shared: _Shared) -> None:
    shared.users -= 1
    if shared.users:
        return
    _forget(shared)
    if not shared.opening.done():
        shared.opening.cancel()
        await asyncio.wait([shared.opening])
    if shared.connection is not None:
        await shared.connection.close()


def _forget(shared: _Shared) -> None:
    with contextlib.suppress(ValueError):  # another thread found the same dead loop, or we are a forked child
        _all.remove(shared)
