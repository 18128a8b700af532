"""What the graph server knows at one moment: the typed, sorted snapshot of the whole graph."""

from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple
from uuid import UUID

from ezmsg.protocol.model.metadata import GraphMetadata

PERSISTENT_OWNER = "persistent"
"""How ``GraphSnapshot.edge_owners`` names the owner ``None``, which outlives every session."""


class Edge(NamedTuple):
    """A connection between two topics; messages flow from the first to the second."""

    from_topic: str
    to_topic: str


@dataclass
class SnapshotSession:
    """One session: the edges it owns and the metadata it registered.

    ``client`` names whose it is, by host and process id if it said so; ``opened`` is when it began, as wall time in
    seconds. Both are ``None`` where a server does not tell, and sessions are compared without them.
    """

    edges: list[Edge]
    metadata: GraphMetadata | None
    client: str | None = field(default=None, compare=False)
    opened: float | None = field(default=None, compare=False)


class ProcessState(Enum):
    """What is known of a process by its signs of life."""

    ALIVE = "ALIVE"
    STALLED = "STALLED"
    """Its control link answers; the event loop of its units has not moved for as long as a lease."""
    UNRESPONSIVE = "UNRESPONSIVE"
    """It says nothing, and its host acknowledges what is said to it: it is stopped, or held up as a whole."""
    DEAD = "DEAD"
    """It is gone without a farewell, and its host with it."""
    UNKNOWN = "UNKNOWN"


@dataclass
class SnapshotProcess:
    """One operating-system process, the units it owns, and those that are still set up there."""

    process_id: UUID
    pid: int | None
    host: str | None
    units: list[str]
    starting: list[str] = field(default_factory=list)
    state: ProcessState = ProcessState.ALIVE

    @property
    def answers_for(self) -> list[str]:
        """The units by which the process can be asked."""
        return [*self.units, *self.starting]


@dataclass
class GraphSnapshot:
    """The whole graph: topology, owners, sessions and processes, each sorted.

    ``graph`` maps a topic to its direct successors; ``edge_owners`` maps an edge to session ids, or to
    ``"persistent"``. ``epoch`` names one run of one server; ``topology_seq`` and ``settings_seq`` are the
    last events contained in this snapshot, so that a stream of events can be followed from there. ``dead`` are
    processes that were lost with their hosts a moment ago; they own nothing any more, and name what they owned.
    """

    graph: dict[str, list[str]]
    edge_owners: dict[Edge, list[str]]
    sessions: dict[str, SnapshotSession]
    processes: dict[UUID, SnapshotProcess] = field(default_factory=dict)
    epoch: UUID | None = None
    topology_seq: int | None = None
    settings_seq: int | None = None
    dead: dict[UUID, SnapshotProcess] = field(default_factory=dict)
