"""What an operator asks of a graph server: persistent edges, the whole graph, pause and resume, the end."""

import asyncio
import logging
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from ezmsg.control.connection.client import DEFAULT_TIMEOUT, ControlConnection
from ezmsg.control.connection.discovery import find_address
from ezmsg.control.connection.sharing import acquire, release
from ezmsg.control.errors import InvalidTimeout
from ezmsg.control.graph.edges import change_edge, connect_request, disconnect_request
from ezmsg.control.graph.operations import shut_down, take_dag
from ezmsg.protocol.addresses import Address, AddressType, parse_address
from ezmsg.protocol.errors import DeadlineExceeded
from ezmsg.protocol.graph.dag import DAG
from ezmsg.protocol.messages.service import (
    AllAnswered,
    PauseAll,
    ResumeAll,
    SyncAll,
)

logger = logging.getLogger(__name__)

_GRACE = 1.0
"""Seconds by which the server's own deadline comes before ours, so that its answer can still arrive."""


class GraphOperations:
    """Operates the graph server at an address, over the running loop's shared connection.

    Each call opens that connection if nobody on this loop has it open, so any call may raise what
    :meth:`ControlConnection.open` raises.
    """

    def __init__(self, address: AddressType | None = None) -> None:
        self._address = None if address is None else parse_address(address)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.place}>"

    @property
    def place(self) -> str:
        """Where the server is, for people; without looking for it where no address was given."""
        return "without an address of its own" if self._address is None else f"at {self._address}"

    @classmethod
    def default_address(cls) -> Address:
        """Return where the graph is if nobody names an address, see :func:`~connection.discovery.find_address`."""
        return find_address()

    @property
    def address(self) -> Address:
        """The address given, else the default one."""
        return self.default_address() if self._address is None else self._address

    async def connect(self, from_topic: str, to_topic: str) -> None:
        """Set an edge that outlives every session.

        :raises CyclicException: if it would close a cycle.
        """
        change = connect_request(from_topic, to_topic)
        async with self._connection() as connection:
            await change_edge(connection, change)

    async def disconnect(self, from_topic: str, to_topic: str) -> None:
        """Remove a persistent edge; it stays while a session owns it too."""
        change = disconnect_request(from_topic, to_topic)
        async with self._connection() as connection:
            await change_edge(connection, change)

    async def dag(self, timeout: float | None = None) -> DAG:
        """Return the graph as it is now, with the owners of each edge: session ids, ``None`` for persistent.

        :param timeout: seconds, 5 unless given.
        """
        limit_s = DEFAULT_TIMEOUT if timeout is None else timeout
        try:
            async with asyncio.timeout(limit_s), self._connection() as connection:
                return await take_dag(connection, limit_s)
        except DeadlineExceeded:
            raise
        except TimeoutError:  # while the connection was being opened
            operation = f"Reading the graph of {self.address}"
            raise DeadlineExceeded(operation=operation, seconds=limit_s) from None

    async def pause(self) -> None:
        """Let every publisher hold back its messages until :meth:`resume`."""
        _report("pause", await self._ask_all(PauseAll()))

    async def resume(self) -> None:
        """Let every publisher go on."""
        _report("resume", await self._ask_all(ResumeAll()))

    async def sync(self, timeout: float | None = None) -> None:
        """Pause every publisher, and wait until every message published so far was released by its subscribers.

        A quiet graph is one that can be changed; :meth:`resume` lets it go on, which is due after a failure, too.

        :raises DeadlineExceeded: if that takes longer than ``timeout`` seconds, 5 unless given. A slow subscriber
            is no fault, and may be given more; one that is frozen never lets go.
        :raises InvalidTimeout: if ``timeout`` is negative or not finite.
        """
        limit_s = DEFAULT_TIMEOUT if timeout is None else timeout
        if not 0 <= limit_s < math.inf:
            raise InvalidTimeout(operation="sync", seconds=limit_s)
        answered = await self._ask_all(SyncAll(limit_s), limit_s + _GRACE)
        if answered.unconfirmed:
            raise DeadlineExceeded(operation=f"sync with {', '.join(answered.unconfirmed)}", seconds=limit_s)

    async def shutdown(self) -> None:
        """End the server, and return when it no longer listens.

        Publishers and subscribers already joined go on without it.
        """
        async with self._connection() as connection:
            await shut_down(connection)

    async def _ask_all(self, body: object, timeout: float | None = DEFAULT_TIMEOUT) -> AllAnswered:
        async with self._connection() as connection:
            answered: AllAnswered = await connection.request(body, timeout=timeout)
        return answered

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[ControlConnection]:
        connection = await acquire(self.address)
        try:
            yield connection
        finally:
            await release(connection)


def _report(operation: str, answered: AllAnswered) -> None:
    if answered.unconfirmed:
        names = ", ".join(answered.unconfirmed)
        logger.warning(
            "These did not confirm %s in time: %s. See what keeps their event loops busy.", operation, names
        )
