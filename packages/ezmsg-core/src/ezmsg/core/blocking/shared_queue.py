"""The queue of a subscriber whose messages are taken by other threads, at no cost of asking its event loop."""

import threading
from collections.abc import Iterable
from typing import Any
from uuid import UUID

from ezmsg.core.blocking.waiting import Doorbell
from ezmsg.core.channels.channel import Lease
from ezmsg.core.channels.queues import LeakyQueue, Queue
from ezmsg.core.pubsub.subscriber import Subscriber


class SharedQueue(Queue):
    """Filled by the event loop, emptied by any thread. It rings ``bell`` when a message comes, and at the end."""

    def __init__(self, bell: Doorbell, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.bell = bell
        self.closed = False
        self._lock = threading.Lock()  # a leaky queue looks before it drops; nobody may take in between

    def put(self, lease: Lease) -> None:
        """Take a message in; on the event loop."""
        with self._lock:
            super().put(lease)
        self.bell.ring()

    def put_all(self, leases: Iterable[Lease]) -> None:
        """Take several."""
        with self._lock:
            super().put_all(leases)
        self.bell.ring()

    def try_take(self) -> Lease | None:
        """Return the oldest message, or None; from any thread."""
        with self._lock:
            return self.popleft() if self else None

    def count_dropped(self) -> None:
        """Count a message that its publisher took back; from any thread."""
        with self._lock:
            self.dropped += 1

    def holds(self, publisher_id: UUID, last_seq: int) -> bool:
        """Return whether a publisher's message waits of those up to a number; from any thread."""
        with self._lock:
            return super().holds(publisher_id, last_seq)

    def stir(self) -> None:
        """Let those look who wait."""
        self.bell.ring()

    def let_go(self) -> None:
        """Release everything that waits, for the subscriber is closed; on the event loop."""
        self.closed = True
        while (lease := self.try_take()) is not None:
            lease.release()
        self.bell.ring()


class SharedLeakyQueue(SharedQueue, LeakyQueue):
    """The same, leaky."""


def share(subscriber: Subscriber, bell: Doorbell) -> SharedQueue:
    """Let threads take what a subscriber gets, and return where from; to be called on its event loop."""
    before = subscriber._queue
    if isinstance(before, SharedQueue):
        return before
    shared = SharedLeakyQueue(bell, before.limit) if isinstance(before, LeakyQueue) else SharedQueue(bell)
    shared.extend(before)
    shared.closed = subscriber._closed
    subscriber._queue = shared
    return shared
