"""The conversation of a session: the lifetime to which edges and metadata belong."""

from typing import ClassVar
from uuid import UUID

from attrs import field

from ezmsg.protocol.declared import declared
from ezmsg.protocol.model.metadata import GraphMetadata
from ezmsg.protocol.model.snapshot import GraphSnapshot


@declared
class Done:
    """It was done, and there is nothing to say about it."""

    TAG: ClassVar[str] = "done"


@declared
class OpenSession:
    """Begin a session; a higher incarnation of the same id takes the place of a dead connection."""

    TAG: ClassVar[str] = "session.open"
    REPLY: ClassVar[type] = Done
    session_id: UUID
    incarnation: int = 0


@declared
class CloseSession:
    """End a session: its edges and its metadata go."""

    TAG: ClassVar[str] = "session.close"
    REPLY: ClassVar[type] = Done
    session_id: UUID


@declared
class EdgeChanged:
    """An edge was set or removed; ``unconfirmed`` names the peers that did not apply the routes in time."""

    TAG: ClassVar[str] = "edge.changed"
    topology_changed: bool
    unconfirmed: list[str] = field(factory=list)


@declared
class Connect:
    """Own an edge; without a session the edge is persistent."""

    TAG: ClassVar[str] = "edge.connect"
    REPLY: ClassVar[type] = EdgeChanged
    from_topic: str
    to_topic: str
    session_id: UUID | None = None


@declared
class Disconnect:
    """Give up an edge; without a session, the persistent one."""

    TAG: ClassVar[str] = "edge.disconnect"
    REPLY: ClassVar[type] = EdgeChanged
    from_topic: str
    to_topic: str
    session_id: UUID | None = None


@declared
class ClearSession:
    """Give up every edge and the metadata of a session, which stays open."""

    TAG: ClassVar[str] = "session.clear"
    REPLY: ClassVar[type] = Done
    session_id: UUID


@declared
class DropSession:
    """End somebody else's session: an operator clears away what its client has left, or will not give up."""

    TAG: ClassVar[str] = "session.drop"
    REPLY: ClassVar[type] = Done
    session_id: UUID


@declared
class RegisterMetadata:
    """Describe the components of a session's program, in place of what it said before."""

    TAG: ClassVar[str] = "session.register"
    REPLY: ClassVar[type] = Done
    session_id: UUID
    metadata: GraphMetadata


@declared
class ShownSession:
    """A session in a compact snapshot, with the digest of its metadata.

    ``metadata`` is there if the asker lacks it, see :mod:`ezmsg.protocol.snapshots.encoded_metadata`.
    """

    session_id: str
    digest: bytes | None = None
    metadata: bytes | None = None
    client: str | None = None
    opened: float | None = None


@declared
class CompactSnapshot:
    """The edges in columns, see :mod:`ezmsg.protocol.snapshots.compact`, and the sessions, sorted."""

    edges: bytes
    sessions: list[ShownSession]


@declared
class SnapshotTaken:
    """The whole graph at one moment.

    Where ``compact`` is given, the graph, the owners and the sessions of ``snapshot`` are empty, and there instead.
    """

    TAG: ClassVar[str] = "snapshot.taken"
    snapshot: GraphSnapshot
    compact: CompactSnapshot | None = None


@declared
class TakeSnapshot:
    """Ask for the whole graph.

    ``known`` asks for the compact form, if the server knows it, and names the digests of all metadata that need not
    be sent again.
    """

    TAG: ClassVar[str] = "snapshot.take"
    REPLY: ClassVar[type] = SnapshotTaken
    known: list[bytes] | None = None


MESSAGES = (
    Done,
    OpenSession,
    CloseSession,
    EdgeChanged,
    Connect,
    Disconnect,
    ClearSession,
    DropSession,
    RegisterMetadata,
    SnapshotTaken,
    TakeSnapshot,
)
