"""The queue of a subscriber: loss-free, or leaky, when it keeps the newest and counts what it let go."""

from collections import deque

from ezmsg.core.pubsub.channel import Lease


class Queue(deque[Lease]):
    """Every message, in order. Its length is bounded by the publishers' windows.

    It is a deque, so that putting and taking a message cost no call in Python.
    """

    dropped = 0

    put = deque.append
    take = deque.popleft

    def let_go(self) -> None:
        """Release everything that waits."""
        while self:
            self.popleft().release()


class LeakyQueue(Queue):
    """At most ``limit`` messages: a new one pushes the oldest out, which is released at once and counted."""

    def __init__(self, limit: int) -> None:
        super().__init__()
        self._limit = limit

    def put(self, lease: Lease) -> None:
        """Append a message, dropping the oldest if there are too many."""
        while len(self) >= self._limit:
            self.popleft().release()
            self.dropped += 1
        self.append(lease)
