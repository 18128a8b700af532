"""Accepts peers on a listening socket, a few in each turn of the loop, so that a flood of them delays no message.

Event loops have servers of their own. They take in as many as there are before anything else has its turn, and
uvloop's, when descriptors run out, turns peers away without a word or stops listening for good. The graph server
has the same in its own distribution, which a process that starts no server does not import.
"""

import asyncio
import errno
import logging
import socket
from collections.abc import Callable

logger = logging.getLogger("ezmsg")

PER_TURN = 8
"""How many are accepted in one turn of the loop."""

RETRY_S = 1.0
"""How long nobody is accepted after that failed for want of descriptors or memory; peers wait in the backlog."""

_WANTING = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}
Factory = Callable[[], asyncio.BaseProtocol]


class Acceptor:
    """Takes peers in on a socket that listens, each with a protocol of its own, from its making on."""

    def __init__(self, listener: socket.socket, factory: Factory) -> None:
        self._listener = listener
        self._factory = factory
        self._loop = asyncio.get_running_loop()
        self._connecting: set[asyncio.Task[None]] = set()
        self._retry: asyncio.TimerHandle | None = None
        self._told = False
        listener.setblocking(False)
        self._loop.add_reader(listener, self._accept)

    def close(self) -> None:
        """Close the socket; whoever was accepted stays."""
        if self._retry is not None:
            self._retry.cancel()
        if self._listener.fileno() >= 0:
            self._loop.remove_reader(self._listener)
        self._listener.close()

    async def wait_closed(self) -> None:
        """Wait until whoever was accepted has its protocol."""
        if self._connecting:
            await asyncio.wait(self._connecting)

    def _accept(self) -> None:
        for _ in range(PER_TURN):
            try:
                peer, _ = self._listener.accept()
            except (BlockingIOError, InterruptedError):
                return
            except OSError as error:  # the peer has gone, or there is nothing left to accept it with
                if error.errno in _WANTING:
                    self._rest(error)
                    return
            else:
                peer.setblocking(False)
                task = self._loop.create_task(self._connect(peer))
                self._connecting.add(task)
                task.add_done_callback(self._connecting.discard)

    def _rest(self, error: OSError) -> None:
        if not self._told:
            self._told = True
            logger.warning(
                "Nobody new can be let in, and this is tried again: %s. What is joined goes on.", error.strerror
            )
        self._loop.remove_reader(self._listener)
        self._retry = self._loop.call_later(RETRY_S, self._loop.add_reader, self._listener, self._accept)

    async def _connect(self, peer: socket.socket) -> None:
        try:
            await self._loop.connect_accepted_socket(self._factory, peer)
        except OSError:
            peer.close()


Accepting = Acceptor | asyncio.Server


async def accept_on(listener: socket.socket, factory: Factory) -> Accepting:
    """Let peers in on a socket that listens."""
    try:
        return Acceptor(listener, factory)
    except NotImplementedError:  # Windows, where a loop cannot watch a socket for others
        return await asyncio.get_running_loop().create_server(factory, sock=listener, backlog=512)
