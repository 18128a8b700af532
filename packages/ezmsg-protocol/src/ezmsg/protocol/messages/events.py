"""Streams of events: cursors over the server's bounded log, with an explicit gap where history is gone."""

from typing import ClassVar
from uuid import UUID

from ezmsg.protocol.declared import declared
from ezmsg.protocol.messages.sessions import Done
from ezmsg.protocol.model.topology import TopologyChangedEvent


@declared
class TopologyEvent:
    """One change of the graph."""

    TAG: ClassVar[str] = "topology.event"
    event: TopologyChangedEvent


@declared
class Gap:
    """The events from ``first`` to ``last``, both included, are no longer in the log."""

    TAG: ClassVar[str] = "events.gap"
    first: int
    last: int


@declared
class Reset:
    """The reader's numbers are of another run of the server; this is run ``epoch``, told from ``after_seq`` on.

    What happened before has to be taken from a snapshot.
    """

    TAG: ClassVar[str] = "events.reset"
    epoch: UUID
    after_seq: int


@declared
class FollowTopology:
    """Open the stream of topology events after ``after_seq`` of the run ``epoch``, if that is known."""

    TAG: ClassVar[str] = "topology.follow"
    REPLY: ClassVar[type] = Done
    ITEMS: ClassVar[tuple[type, ...]] = (TopologyEvent, Gap, Reset)
    after_seq: int = 0
    epoch: UUID | None = None


MESSAGES = (FollowTopology, TopologyEvent, Gap, Reset)
