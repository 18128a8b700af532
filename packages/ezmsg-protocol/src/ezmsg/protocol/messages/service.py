"""What an operator asks of the server and, through it, of every publisher."""

from typing import ClassVar
from uuid import UUID

from attrs import field

from ezmsg.protocol.declared import declared
from ezmsg.protocol.messages.sessions import Done
from ezmsg.protocol.revisions import Revision


@declared
class OwnedEdge:
    """An edge and who owns it: session ids, ``None`` for the persistent owner."""

    from_topic: str
    to_topic: str
    owners: list[str | None]


@declared
class Topology:
    """Every edge with its owners."""

    TAG: ClassVar[str] = "topology"
    edges: list[OwnedEdge]


@declared
class TakeTopology:
    """Ask for the edges alone."""

    TAG: ClassVar[str] = "topology.take"
    REPLY: ClassVar[type] = Topology


@declared
class ConnectedPeer:
    """A client as it introduced itself; ``package`` is the version of its ``ezmsg-protocol``."""

    client_id: UUID
    package: str
    revision: Revision
    pid: int | None = None
    host: str | None = None


@declared
class ConnectedPeers:
    """Every client that is connected, the one that asks included."""

    TAG: ClassVar[str] = "peers"
    peers: list[ConnectedPeer]


@declared
class TakePeers:
    """Ask who is connected, and with which version."""

    TAG: ClassVar[str] = "peers.take"
    REPLY: ClassVar[type] = ConnectedPeers


@declared
class AllAnswered:
    """Every publisher was asked; ``unconfirmed`` names the peers that did not answer in time."""

    TAG: ClassVar[str] = "publishers.answered"
    unconfirmed: list[str] = field(factory=list)


@declared
class PauseAll:
    """Let every publisher hold back its messages until it is resumed."""

    TAG: ClassVar[str] = "publishers.pause"
    REPLY: ClassVar[type] = AllAnswered


@declared
class ResumeAll:
    """Let every publisher go on."""

    TAG: ClassVar[str] = "publishers.resume"
    REPLY: ClassVar[type] = AllAnswered


@declared
class SyncAll:
    """Pause every publisher and wait until all messages were released by subscribers, or ``timeout_s`` passed."""

    TAG: ClassVar[str] = "publishers.sync"
    REPLY: ClassVar[type] = AllAnswered
    timeout_s: float | None = None


@declared
class Shutdown:
    """End the server."""

    TAG: ClassVar[str] = "server.shutdown"
    REPLY: ClassVar[type] = Done


MESSAGES = (Topology, TakeTopology, ConnectedPeers, TakePeers, AllAnswered, PauseAll, ResumeAll, SyncAll, Shutdown)
