"""Rates of endpoints over a reader's own window, from what it has seen of their counters. Pure.

A counter that falls was reset, because its process or endpoint began anew: what was before it counts no more, so no
rate is ever negative or made up.
"""

from collections.abc import Iterable, Mapping
from itertools import pairwise
from typing import Literal
from uuid import UUID

from attrs import evolve, frozen

from ezmsg.protocol.model.profiling import (
    ChannelProfileSnapshot,
    ProcessProfilingSnapshot,
    PublisherProfileSnapshot,
    SubscriberProfileSnapshot,
)

WINDOW_S = 10.0
"""Over how long a rate is taken, unless a reader says otherwise."""

_NS = 1_000_000_000

Role = Literal["publisher", "subscriber"]


@frozen
class Counts:
    """What an endpoint had counted at a moment, on the monotonic clock of its host."""

    at_ns: int
    messages: int
    bytes: int
    dropped: int
    waited_ns: int


@frozen
class Course:
    """How an endpoint has fared as far back as the window goes; ``counts`` begin with the last one before it.

    ``resets`` is how often its counters began anew while it was watched. ``buffers`` and ``in_flight`` are a
    publisher's, ``queued``, ``held`` and ``kind`` a subscriber's.
    """

    endpoint_id: str
    topic: str
    role: Role
    process_id: UUID
    pid: int
    host: str
    counts: tuple[Counts, ...]
    resets: int = 0
    buffers: int = 0
    in_flight: int = 0
    waiting_now: int = 0
    queued: int = 0
    held: int = 0
    kind: str = ""
    publishers: tuple[UUID, ...] = ()
    channels: tuple[ChannelProfileSnapshot, ...] = ()

    @property
    def seconds(self) -> float:
        """How much of the window was seen; 0 as long as nothing can be said."""
        return (self.counts[-1].at_ns - self.counts[0].at_ns) / _NS

    @property
    def rate_hz(self) -> float | None:
        """Messages a second, ``None`` before there are two counts."""
        return self._per_second(self.counts[-1].messages - self.counts[0].messages)

    @property
    def bytes_per_s(self) -> float | None:
        """Bytes a second, ``None`` before there are two counts."""
        return self._per_second(self.counts[-1].bytes - self.counts[0].bytes)

    @property
    def dropped(self) -> int:
        """How many messages were dropped within the window."""
        return self.counts[-1].dropped - self.counts[0].dropped

    @property
    def waited_share(self) -> float:
        """Which part of the window it waited for buffers, from 0 to 1."""
        grown_ns = max(0, self.counts[-1].waited_ns - self.counts[0].waited_ns)
        return min(1.0, grown_ns / (self.seconds * _NS)) if self.seconds else 0.0

    @property
    def rates_hz(self) -> list[float]:
        """The rate from each count to the next, the latest last."""
        return [(new.messages - old.messages) * _NS / (new.at_ns - old.at_ns) for old, new in pairwise(self.counts)]

    def _per_second(self, grown: int) -> float | None:
        return grown / self.seconds if self.seconds else None


def courses(
    before: Mapping[str, Course], processes: Iterable[ProcessProfilingSnapshot], window_s: float = WINDOW_S
) -> dict[str, Course]:
    """Return the courses of all endpoints that there are, by endpoint, from those before and what was counted now.

    :param processes: what the processes that answered have counted; endpoints of others are as they were before.
    """
    answered = list(processes)
    told = {process.process_id for process in answered}
    found = {key: course for key, course in before.items() if course.process_id not in told}
    for process in answered:
        for publisher in process.publishers.values():
            found[publisher.endpoint_id] = _go_on(before, _of_publisher(process, publisher), window_s)
        for subscriber in process.subscribers.values():
            found[subscriber.endpoint_id] = _go_on(before, _of_subscriber(process, subscriber), window_s)
    return found


def _go_on(before: Mapping[str, Course], now: Course, window_s: float) -> Course:
    old = before.get(now.endpoint_id)
    if old is None or old.process_id != now.process_id:
        return now
    last, new = old.counts[-1], now.counts[-1]
    if new.at_ns <= last.at_ns:  # an answer that was overtaken by a later one, or asked for twice
        return old
    if _fell(last, new):
        return evolve(now, resets=old.resets + 1)
    counts = (*old.counts, new)
    since_ns = new.at_ns - round(window_s * _NS)
    first = next((place for place, each in enumerate(counts) if each.at_ns > since_ns), len(counts) - 1)
    return evolve(now, counts=counts[max(0, first - 1) :], resets=old.resets)


def _fell(old: Counts, new: Counts) -> bool:
    return min(new.messages - old.messages, new.bytes - old.bytes, new.dropped - old.dropped) < 0


def _of_publisher(process: ProcessProfilingSnapshot, publisher: PublisherProfileSnapshot) -> Course:
    counts = Counts(
        round(publisher.timestamp),
        publisher.messages_published_total,
        publisher.bytes_published_total,
        0,
        publisher.backpressure_wait_ns_total,
    )
    return Course(
        publisher.endpoint_id,
        publisher.topic,
        "publisher",
        process.process_id,
        process.pid,
        process.host,
        (counts,),
        buffers=publisher.num_buffers,
        in_flight=publisher.inflight_messages_current,
        waiting_now=publisher.waiting_now,
        channels=tuple(publisher.channels),
    )


def _of_subscriber(process: ProcessProfilingSnapshot, subscriber: SubscriberProfileSnapshot) -> Course:
    counts = Counts(
        round(subscriber.timestamp),
        subscriber.messages_received_total,
        subscriber.bytes_received_total,
        subscriber.messages_dropped_total,
        0,
    )
    return Course(
        subscriber.endpoint_id,
        subscriber.topic,
        "subscriber",
        process.process_id,
        process.pid,
        process.host,
        (counts,),
        queued=subscriber.queued_messages_current,
        held=subscriber.held_now,
        kind=subscriber.channel_kind_last.value.lower(),
        publishers=tuple(subscriber.publishers),
    )
