"""Streams of events: cursors over the server's bounded log, with an explicit gap where history is gone."""

from typing import ClassVar

from attrs import frozen

from ezmsg.protocol.messages.sessions import Done
from ezmsg.protocol.model.topology import TopologyChangedEvent


@frozen
class TopologyEvent:
    """One change of the graph."""

    TAG: ClassVar[str] = "topology.event"
    event: TopologyChangedEvent


@frozen
class Gap:
    """The events from ``first`` to ``last``, both included, are no longer in the log."""

    TAG: ClassVar[str] = "events.gap"
    first: int
    last: int


@frozen
class FollowTopology:
    """Open the stream of topology events after ``after_seq``; its items are ``TopologyEvent`` and ``Gap``."""

    TAG: ClassVar[str] = "topology.follow"
    REPLY: ClassVar[type] = Done
    ITEMS: ClassVar[tuple[type, ...]] = (TopologyEvent, Gap)
    after_seq: int = 0


MESSAGES = (FollowTopology, TopologyEvent, Gap)
