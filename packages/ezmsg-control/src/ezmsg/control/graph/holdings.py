"""What a session holds, and what has to be said of it to a server that may know less, or more. Pure.

After an answer that did not come, nobody knows whether the server has done what it was asked. Then the caller is
right, who thinks that it was not done, or that it was given up; a server that comes back is told so.
"""

from collections.abc import Iterator
from uuid import UUID

from ezmsg.protocol.messages.sessions import ClearSession, Connect, Disconnect, RegisterMetadata
from ezmsg.protocol.model.metadata import GraphMetadata

Edge = tuple[str, str]


class Holdings:
    """The edges and the metadata of one session, in the order of its wish, and what is doubtful of them."""

    def __init__(self) -> None:
        self._edges: dict[Edge, None] = {}
        self._doubtful: dict[Edge, None] = {}
        self._metadata: GraphMetadata | None = None
        self._all_doubtful = False  # the server may hold metadata, or edges, that were given up

    def connected(self, edge: Edge) -> None:
        """The server has the edge."""
        self._doubtful.pop(edge, None)
        self._edges[edge] = None

    def perhaps_connected(self, edge: Edge) -> None:
        """The server may have an edge that the caller thinks it has not."""
        if edge not in self._edges:
            self._doubtful[edge] = None

    def disconnected(self, edge: Edge) -> None:
        """The server has taken the edge from this session."""
        self._edges.pop(edge, None)
        self._doubtful.pop(edge, None)

    def perhaps_disconnected(self, edge: Edge) -> None:
        """The edge is given up, and the server may not know."""
        self._edges.pop(edge, None)
        self._doubtful[edge] = None

    def described(self, metadata: GraphMetadata) -> None:
        """The server has this metadata."""
        self._metadata = metadata

    def perhaps_described(self) -> None:
        """The server may have other metadata: what was said before is said again; if nothing was, it is told so."""
        self._all_doubtful = self._all_doubtful or self._metadata is None

    def cleared(self, *, doubtful: bool = False) -> None:
        """Everything is given up; ``doubtful`` if the server may not know."""
        self._edges.clear()
        self._doubtful.clear()
        self._metadata = None
        self._all_doubtful = doubtful

    def say_again(self, session_id: UUID) -> Iterator[object]:
        """Yield the requests that make a server, in which the session is open, know it as it is."""
        if self._all_doubtful:
            yield ClearSession(session_id)
        if self._metadata is not None:
            yield RegisterMetadata(session_id, self._metadata)
        for from_topic, to_topic in self._edges:
            yield Connect(from_topic, to_topic, session_id)
        for from_topic, to_topic in self._doubtful:
            yield Disconnect(from_topic, to_topic, session_id)
