"""The queue of a subscriber: loss-free, or leaky, when it keeps the newest and counts what it let go."""

from collections import deque
from collections.abc import Iterable
from uuid import UUID

from ezmsg.core.channels.channel import Channel, Lease


class Queue(deque[Lease]):
    """Every message, in order. Its length is bounded by the publishers' windows.

    It is a deque, so that putting and taking a message cost no call in Python.
    """

    dropped = 0

    put = deque.append
    put_all = deque.extend
    take = deque.popleft

    def let_go(self) -> None:
        """Release everything that waits."""
        while self:
            self.popleft().release()

    def holds(self, publisher_id: UUID, last_seq: int) -> bool:
        """Return whether a publisher's message waits of those up to a number."""
        return any(
            lease.number <= last_seq and getattr(lease.source, "publisher_id", None) == publisher_id
            for lease in self
        )

    def stir(self) -> None:
        """Let those look who wait in other threads."""


class LeakyQueue(Queue):
    """At most ``limit`` messages: a new one pushes the oldest out, which is released at once and counted.

    No publisher waits for what waits here. If ``limit`` messages would take the last of its slots, those that wait
    longest are detached from them.
    """

    def __init__(self, limit: int) -> None:
        super().__init__()
        self.limit = limit

    def put(self, lease: Lease) -> None:
        """Append a message, dropping the oldest if there are too many."""
        while len(self) >= self.limit:
            self.popleft().release()
            self.dropped += 1
        self.append(lease)
        if lease.room < self.limit and lease.channel is not None:
            self._detach_oldest(lease.channel)

    def put_all(self, leases: Iterable[Lease]) -> None:
        """Append several."""
        for lease in leases:
            LeakyQueue.put(self, lease)  # not that of a class that holds a lock for all of them

    def _detach_oldest(self, channel: Channel) -> None:
        """Leave the messages of a channel no more slots than its publisher can spare."""
        attached = 0
        for place in reversed(range(len(self))):
            lease = self[place]
            if lease.channel is not channel:
                continue
            attached += 1
            if attached > lease.room:
                detached = lease.detached()
                lease.release()
                if detached is None:
                    del self[place]
                    self.dropped += 1
                else:
                    self[place] = detached
            if attached > channel.room:  # what is older was detached before
                return
