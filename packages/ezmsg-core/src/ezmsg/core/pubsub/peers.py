"""What became of the publishers that one subscriber hears: who is there, who came, left in good order, or was lost.

Pure: the exchange tells it, a subscriber asks it, also from other threads.
"""

from collections import deque
from typing import Literal, Protocol
from uuid import UUID

from ezmsg.core.errors import PeerLost
from ezmsg.protocol.declared import declared

EVENTS_LIMIT = 1000
"""How many events are kept that nobody has asked for; the oldest go, and are counted."""

LOSSES_LIMIT = 100
"""How many losses are kept that nobody was told of; each is in the log."""


@declared
class Peer:
    """A publisher that a subscriber is to hear; ``process`` is its host and the number of its process.

    ``state`` is ``"heard"``; or ``"awaited"`` until it is reached for the first time; or ``"lost"`` since its
    channel broke off: it is tried again until the graph server says that it is gone.
    """

    id: UUID
    topic: str
    process: str
    state: Literal["heard", "awaited", "lost"]


@declared
class PeerEvent:
    """A publisher is heard from now on (``"joined"``), no longer in good order (``"left"``), or was ``"lost"``.

    ``last_seq`` is the last message that came of one that was lost.
    """

    kind: Literal["joined", "left", "lost"]
    id: UUID
    topic: str
    last_seq: int | None = None


class Waiting(Protocol):
    """What is asked of a queue: whether it has a message of a publisher up to a number."""

    def holds(self, publisher_id: UUID, last_seq: int) -> bool: ...


class PeerNews:
    """Events in their order, and losses until somebody was told of them."""

    def __init__(self) -> None:
        self.events: deque[PeerEvent] = deque()
        self.events_dropped = 0
        self._heard: dict[UUID, str] = {}
        self._losses: list[tuple[UUID, PeerLost]] = []

    def joined(self, publisher_id: UUID, topic: str) -> None:
        """A publisher is heard; one that is heard already, by another way now, is no news."""
        if publisher_id not in self._heard:
            self._heard[publisher_id] = topic
            self._tell(PeerEvent("joined", publisher_id, topic))

    def left(self, publisher_id: UUID) -> None:
        """A publisher is closed, or is not to be heard any more; one that was lost has gone before."""
        topic = self._heard.pop(publisher_id, None)
        if topic is not None:
            self._tell(PeerEvent("left", publisher_id, topic))

    def lost(self, publisher_id: UUID, last_seq: int) -> None:
        """The other end of a channel is gone without a word."""
        topic = self._heard.pop(publisher_id, None)
        if topic is not None:
            self._losses.append((publisher_id, PeerLost(topic=topic, last_seq=last_seq)))
            del self._losses[:-LOSSES_LIMIT]
            self._tell(PeerEvent("lost", publisher_id, topic, last_seq))

    @property
    def has_losses(self) -> bool:
        """Whether there are losses that nobody was told of."""
        return bool(self._losses)

    def take_loss(self, queue: Waiting) -> PeerLost | None:
        """Return a loss of which all messages were taken, once; from any thread."""
        for entry in tuple(self._losses):
            publisher_id, error = entry
            if not queue.holds(publisher_id, error.last_seq):
                try:
                    self._losses.remove(entry)
                except ValueError:  # another thread has taken it
                    continue
                return error
        return None

    def _tell(self, event: PeerEvent) -> None:
        self.events.append(event)
        if len(self.events) > EVENTS_LIMIT:
            self.events.popleft()
            self.events_dropped += 1
