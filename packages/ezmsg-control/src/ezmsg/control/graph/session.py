"""A session: the lifetime to which a program's edges and metadata belong.

When it ends, by :meth:`Session.close` or because its connection is gone, the server takes them away. When the
connection comes back, the session says again what it holds.
"""

import logging
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Self
from uuid import UUID, uuid4

from ezmsg.control.connection.client import ControlConnection
from ezmsg.control.graph.edges import change_edge, connect_request, disconnect_request
from ezmsg.control.graph.holdings import Holdings
from ezmsg.control.graph.operations import take_snapshot
from ezmsg.protocol.errors import ConnectionLost, DeadlineExceeded, EzmsgError, SessionRequired
from ezmsg.protocol.messages.sessions import (
    ClearSession,
    CloseSession,
    OpenSession,
    RegisterMetadata,
)
from ezmsg.protocol.model.metadata import GraphMetadata
from ezmsg.protocol.model.snapshot import GraphSnapshot

logger = logging.getLogger(__name__)

FAREWELL_TIMEOUT_S = 1.0
"""How long a session that ends waits to hear that the server knows, in seconds."""


class Session:
    """One session on a connection; ``id`` names it at the server and in snapshots."""

    def __init__(self, connection: ControlConnection, session_id: UUID | None = None) -> None:
        self.id = session_id or uuid4()
        self.incarnation = 0
        self._connection = connection
        self._open = False
        self._undeclare: Callable[[], None] = lambda: None
        self._holdings = Holdings()

    @property
    def is_open(self) -> bool:
        """Whether it was opened and not closed."""
        return self._open

    async def open(self) -> None:
        """Begin the session.

        :raises DuplicateIdentity: if a session of this id is open elsewhere.
        """
        if self._open:
            return
        try:
            await self._connection.request(OpenSession(self.id, self.incarnation))
        except BaseException as error:
            if not _is_refusal(error):
                await self._say_goodbye()  # it may have been opened, and only the answer is missing
            raise
        self._open = True
        self._undeclare = self._connection.declare(self._say_again)

    async def close(self) -> None:
        """End the session, and its edges and metadata with it. It is fine to call this again.

        Never fails: a server that cannot be told any more finds out by itself when the connection ends.
        """
        if not self._open:
            return
        self._open = False
        self._undeclare()
        await self._say_goodbye()

    async def _say_goodbye(self) -> None:
        try:
            await self._connection.request(CloseSession(self.id), timeout=FAREWELL_TIMEOUT_S, wait=False)
        except ConnectionLost:
            pass
        except EzmsgError as error:
            logger.warning("Session %s ends with its connection only. %s", self.id, error.sentence())

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    async def connect(self, from_topic: str, to_topic: str) -> bool:
        """Own an edge; return whether it is new to the graph.

        :raises CyclicException: if it would close a cycle.
        """
        self._require_open("Connecting topics")
        request = connect_request(from_topic, to_topic, self.id)
        edge = request.from_topic, request.to_topic
        try:
            changed = await change_edge(self._connection, request)
        except BaseException as error:
            if not _is_refusal(error):
                self._holdings.perhaps_connected(edge)
            raise
        self._holdings.connected(edge)
        return changed

    async def disconnect(self, from_topic: str, to_topic: str) -> bool:
        """Give up an edge; return whether it is gone, because nobody else owns it."""
        self._require_open("Disconnecting topics")
        request = disconnect_request(from_topic, to_topic, self.id)
        edge = request.from_topic, request.to_topic
        try:
            changed = await change_edge(self._connection, request)
        except BaseException as error:
            if not _is_refusal(error):
                self._holdings.perhaps_disconnected(edge)
            raise
        self._holdings.disconnected(edge)
        return changed

    async def clear(self) -> None:
        """Give up every edge and the metadata; the session stays open."""
        self._require_open("Clearing a session")
        try:
            await self._connection.request(ClearSession(self.id))
        except BaseException as error:
            if not _is_refusal(error):
                self._holdings.cleared(doubtful=True)
            raise
        self._holdings.cleared()

    async def register_metadata(self, metadata: GraphMetadata) -> None:
        """Describe this program's components, in place of what was said before.

        :raises ComponentCollision: if other sessions describe components of the same addresses; it names all.
        :raises InvalidMetadata: if the description contradicts itself.
        """
        self._require_open("Registering metadata")
        if not isinstance(metadata, GraphMetadata):
            raise TypeError(f"Metadata is a GraphMetadata, and this is a {type(metadata).__name__}.")
        try:
            await self._connection.request(RegisterMetadata(self.id, metadata))
        except BaseException as error:
            if not _is_refusal(error):
                self._holdings.perhaps_described()
            raise
        self._holdings.described(metadata)

    async def snapshot(self) -> GraphSnapshot:
        """Return the whole graph at one moment, of all sessions."""
        self._require_open("Taking a snapshot")
        return await take_snapshot(self._connection)

    def _say_again(self) -> Iterator[object]:
        """Yield the requests that make a server know this session as it is, whatever it knew before."""
        self.incarnation += 1  # so that it takes the place of a connection that the server may think alive
        yield OpenSession(self.id, self.incarnation)
        yield from self._holdings.say_again(self.id)

    def _require_open(self, operation: str) -> None:
        if not self._open:
            raise SessionRequired(operation=operation)


def _is_refusal(error: BaseException) -> bool:
    """Whether the server has said no, and all is as it was. After any other error nobody knows."""
    return isinstance(error, EzmsgError) and not isinstance(error, ConnectionLost | DeadlineExceeded)
