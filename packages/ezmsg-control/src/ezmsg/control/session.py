"""A session: the lifetime to which a program's edges and metadata belong.

When it ends, by :meth:`Session.close` or because its connection is gone, the server takes them away.
"""

import logging
from types import TracebackType
from typing import Self
from uuid import UUID, uuid4

from ezmsg.control.client import ControlConnection
from ezmsg.control.edges import change_edge, connect_request, disconnect_request
from ezmsg.control.operations import take_snapshot
from ezmsg.protocol.errors import ConnectionLost, EzmsgError, SessionRequired
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
        await self._connection.request(OpenSession(self.id, self.incarnation))
        self._open = True

    async def close(self) -> None:
        """End the session, and its edges and metadata with it. It is fine to call this again.

        Never fails: a server that cannot be told any more finds out by itself when the connection ends.
        """
        if not self._open:
            return
        self._open = False
        try:
            await self._connection.request(CloseSession(self.id), timeout=FAREWELL_TIMEOUT_S)
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
        return await change_edge(self._connection, connect_request(from_topic, to_topic, self.id))

    async def disconnect(self, from_topic: str, to_topic: str) -> bool:
        """Give up an edge; return whether it is gone, because nobody else owns it."""
        self._require_open("Disconnecting topics")
        return await change_edge(self._connection, disconnect_request(from_topic, to_topic, self.id))

    async def clear(self) -> None:
        """Give up every edge and the metadata; the session stays open."""
        self._require_open("Clearing a session")
        await self._connection.request(ClearSession(self.id))

    async def register_metadata(self, metadata: GraphMetadata) -> None:
        """Describe this program's components, in place of what was said before.

        :raises ComponentCollision: if other sessions describe components of the same addresses; it names all.
        :raises InvalidMetadata: if the description contradicts itself.
        """
        self._require_open("Registering metadata")
        if not isinstance(metadata, GraphMetadata):
            raise TypeError(f"Metadata is a GraphMetadata, and this is a {type(metadata).__name__}.")
        await self._connection.request(RegisterMetadata(self.id, metadata))

    async def snapshot(self) -> GraphSnapshot:
        """Return the whole graph at one moment, of all sessions."""
        self._require_open("Taking a snapshot")
        return await take_snapshot(self._connection)

    def _require_open(self, operation: str) -> None:
        if not self._open:
            raise SessionRequired(operation=operation)
