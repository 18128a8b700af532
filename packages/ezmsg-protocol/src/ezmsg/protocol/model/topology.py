"""Changes of the graph, as events."""

from dataclasses import dataclass
from enum import Enum
from uuid import UUID

from ezmsg.protocol.model.snapshot import ProcessState


class TopologyEventType(Enum):
    """What kind of thing changed."""

    GRAPH_CHANGED = "GRAPH_CHANGED"
    PROCESS_CHANGED = "PROCESS_CHANGED"
    CHANNEL_CUT = "CHANNEL_CUT"
    """A publisher of the changed topic no longer waits for a subscriber that does not answer."""
    UNKNOWN = "UNKNOWN"


@dataclass
class TopologyChangedEvent:
    """One change of edges, metadata or process ownership; ``timestamp`` is wall time in seconds.

    ``process_state`` is what a process is from now on, if it is this that changed.
    """

    seq: int
    event_type: TopologyEventType
    timestamp: float
    changed_topics: list[str]
    source_session_id: str | None
    source_process_id: UUID | None
    process_state: ProcessState | None = None
