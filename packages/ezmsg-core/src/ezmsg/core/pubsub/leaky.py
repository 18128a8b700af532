"""The queue of a subscriber: loss-free, or leaky, when it keeps the newest and counts what it let go."""

from collections import deque

from ezmsg.core.pubsub.channel import Lease


class Queue:
    """Every message, in order. Its length is bounded by the publishers' windows."""

    def __init__(self) -> None:
        self._leases: deque[Lease] = deque()
        self.dropped = 0

    def __len__(self) -> int:
        return len(self._leases)

    def put(self, lease: Lease) -> None:
        """Append a message."""
        self._leases.append(lease)

    def take(self) -> Lease:
        """Remove the oldest message.

        :raises IndexError: if there is none.
        """
        return self._leases.popleft()

    def clear(self) -> None:
        """Let go of everything that waits."""
        while self._leases:
            self._leases.popleft().release()


class LeakyQueue(Queue):
    """At most ``limit`` messages: a new one pushes the oldest out, which is released at once and counted."""

    def __init__(self, limit: int) -> None:
        super().__init__()
        self._limit = limit

    def put(self, lease: Lease) -> None:
        """Append a message, dropping the oldest if there are too many."""
        while len(self._leases) >= self._limit:
            self._leases.popleft().release()
            self.dropped += 1
        self._leases.append(lease)
