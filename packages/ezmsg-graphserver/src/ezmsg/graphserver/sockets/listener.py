"""Accepts clients on the listening socket, and says so when it cannot.

Loops have servers of their own, which fail us at the edges: asyncio's trips over a connection that comes while it
is closed, and uvloop's, when descriptors run out, turns clients away without a word or stops listening for good.
"""

import asyncio
import errno
import socket
from collections.abc import Callable

RETRY_S = 1.0
"""How long nobody is accepted after that failed, for want of descriptors or memory: clients wait in the backlog."""

_OF_THE_CLIENT = {
    errno.ECONNABORTED,
    errno.EPROTO,
    errno.ENOPROTOOPT,
    errno.EOPNOTSUPP,
    errno.EPERM,
    errno.ETIMEDOUT,
    errno.EHOSTDOWN,
    errno.EHOSTUNREACH,
    errno.ENETDOWN,
    errno.ENETUNREACH,
}
"""What Linux's ``accept`` says of the one connection that it was to give out; the next one may be well."""

_PER_TURN = 8
"""How many are accepted in one turn of the loop: those that are in have their turn, too."""


class Listener:
    """Takes clients in on a socket that listens, each with a protocol of its own, from :meth:`start` on.

    :param failed: is told why nobody could be accepted.
    """

    def __init__(
        self,
        sock: socket.socket,
        make_protocol: Callable[[], asyncio.BaseProtocol],
        failed: Callable[[OSError], None],
    ) -> None:
        self._sock = sock
        self._make_protocol = make_protocol
        self._failed = failed
        self._sock.setblocking(False)
        self._loop = asyncio.get_running_loop()
        self._connecting: set[asyncio.Task[None]] = set()
        self._retry: asyncio.TimerHandle | None = None
        self._waiting: asyncio.Task[None] | None = None  # where the loop cannot watch a socket

    def start(self) -> None:
        """Begin to accept."""
        self._retry = None
        try:
            self._loop.add_reader(self._sock, self._accept)
        except NotImplementedError:  # Windows
            self._waiting = self._loop.create_task(self._wait_and_accept())

    async def close(self) -> None:
        """Close the socket; return when whoever was accepted has its protocol."""
        if self._retry is not None:
            self._retry.cancel()
        if self._waiting is not None:
            self._waiting.cancel()
            await asyncio.wait([self._waiting])
        else:
            self._loop.remove_reader(self._sock)
        self._sock.close()
        if self._connecting:
            await asyncio.wait(self._connecting)

    def _accept(self) -> None:
        for _ in range(_PER_TURN):
            try:
                client, _ = self._sock.accept()
            except (BlockingIOError, InterruptedError):
                return
            except OSError as error:
                self._failed(error)
                if error.errno not in _OF_THE_CLIENT:
                    self._loop.remove_reader(self._sock)
                    self._retry = self._loop.call_later(RETRY_S, self.start)
                    return
            else:
                self._let_in(client)

    async def _wait_and_accept(self) -> None:
        while True:
            try:
                client, _ = await self._loop.sock_accept(self._sock)
            except OSError as error:
                self._failed(error)
                if error.errno not in _OF_THE_CLIENT:
                    await asyncio.sleep(RETRY_S)
            else:
                self._let_in(client)

    def _let_in(self, client: socket.socket) -> None:
        client.setblocking(False)
        task = self._loop.create_task(self._connect(client))
        self._connecting.add(task)
        task.add_done_callback(self._connecting.discard)

    async def _connect(self, client: socket.socket) -> None:
        try:
            await self._loop.connect_accepted_socket(self._make_protocol, client)
        except OSError as error:
            client.close()
            self._failed(error)
