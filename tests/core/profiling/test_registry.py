"""Who wants what traced, and gets it: each client exactly what it would get alone, or a count of what is lost."""

import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from ezmsg.control.profiling.traces import samples_of
from ezmsg.core.errors import InvalidOption, InvalidTraceControl
from ezmsg.core.profiling import controls
from ezmsg.core.profiling.metrics import METRICS
from ezmsg.core.profiling.offer import ProfileOffer, clock_offset_ns
from ezmsg.core.profiling.registry import Registry
from ezmsg.core.profiling.tracers import PublisherTracer, SubscriberTracer
from ezmsg.protocol.model.profiling import MetricTotals, ProfileChannelType, ProfilingTraceControl, TraceColumns
from ezmsg.protocol.wire.codec import decode, encode

Wish = ProfilingTraceControl
CAPACITY = 5
ORIGINS = ("one", "two", "three")


@dataclass(eq=False)
class Window:
    size: int = 32
    busy: int = 0


@dataclass(eq=False)
class Publisher:
    """What the registry sees of a publisher."""

    id: UUID
    topic: str
    next_message: int = 0
    bytes_published: int = 0
    waits: tuple[int, int, int] = (0, 0, 0)
    tracer: PublisherTracer | None = None
    window: Window = field(default_factory=Window)
    senders: tuple[Any, ...] = ()
    last_ns: int = -1


@dataclass(eq=False)
class Subscriber:
    """What the registry sees of a subscriber."""

    id: UUID
    topic: str
    messages_received: int = 0
    bytes_received: int = 0
    kind_last: str = "UNKNOWN"
    tracer: SubscriberTracer | None = None
    dropped: int = 0
    queued: int = 0
    exchange_id: UUID | None = None
    publisher_ids: tuple[UUID, ...] = ()


def name(endpoint: Publisher | Subscriber) -> str:
    return f"{endpoint.topic}:{endpoint.id}"


# --- a model ---------------------------------------------------------------------------------------------------

Sample = tuple[int, str, str, int, int]
"""When it ended, its endpoint, its metric, its length, its message."""


@dataclass
class Wanted:
    """What one client gets, said plainly: a list of the newest samples for each endpoint."""

    wish: Wish
    since_ns: int
    kept: dict[str, list[Sample]] = field(default_factory=dict)
    lost: int = 0

    def take(self, endpoint: Publisher | Subscriber, metric: str, start_ns: int, end_ns: int, number: int) -> None:
        wish = self.wish
        is_publisher = isinstance(endpoint, Publisher)
        topics = wish.publisher_topics if is_publisher else wish.subscriber_topics
        if topics is not None and endpoint.topic not in topics:
            return
        if wish.metrics is not None and metric not in wish.metrics:
            return
        if metric == "publish_delta_ns" and start_ns < self.since_ns <= end_ns:
            start_ns = end_ns  # nothing came before it here
        if start_ns < self.since_ns or number % wish.sample_mod:
            return
        samples = self.kept.setdefault(name(endpoint), [])
        samples.append((end_ns, name(endpoint), metric, end_ns - start_ns, number))
        if len(samples) > CAPACITY:
            samples.pop(0)
            self.lost += 1


class Traces(RuleBasedStateMachine):
    """Three clients, two publishers, two subscribers, and a clock."""

    @initialize()
    def begin(self) -> None:
        self.now_ns = 1000
        self.registry = Registry(lambda: self.now_ns)
        self.publishers = [Publisher(UUID(int=1), "A"), Publisher(UUID(int=2), "B")]
        self.subscribers = [Subscriber(UUID(int=3), "C"), Subscriber(UUID(int=4), "D")]
        for publisher in self.publishers:
            self.registry.add_publisher(publisher)  # type: ignore[arg-type]
        for subscriber in self.subscribers:
            self.registry.add_subscriber(subscriber)  # type: ignore[arg-type]
        self.wanted: dict[str, Wanted] = {}
        self.totals: Counter[tuple[str, str, str]] = Counter()

    def measured(
        self, endpoint: Publisher | Subscriber, metric: str, start_ns: int, end_ns: int, number: int
    ) -> None:
        interested = [
            wanted
            for wanted in self.wanted.values()
            if (wanted.wish.metrics is None or metric in wanted.wish.metrics)
            and self._passes(wanted.wish, endpoint)
        ]
        if interested and start_ns >= min(wanted.since_ns for wanted in interested):
            self.totals[name(endpoint), metric, "count"] += 1
            self.totals[name(endpoint), metric, "sum"] += end_ns - start_ns
        for wanted in self.wanted.values():
            wanted.take(endpoint, metric, start_ns, end_ns, number)

    @staticmethod
    def _passes(wish: Wish, endpoint: Publisher | Subscriber) -> bool:
        topics = wish.publisher_topics if isinstance(endpoint, Publisher) else wish.subscriber_topics
        return topics is None or endpoint.topic in topics

    @rule(which=st.integers(0, 1), later=st.integers(1, 9))
    def publish(self, which: int, later: int) -> None:
        publisher = self.publishers[which]
        self.now_ns += later
        if publisher.tracer is not None:
            publisher.tracer.published(self.now_ns)
            publisher.tracer.settle_many()
        self.measured(publisher, "publish_delta_ns", publisher.last_ns, self.now_ns, publisher.next_message)
        publisher.last_ns = self.now_ns
        publisher.next_message += 1

    @rule(which=st.integers(0, 1), length=st.integers(0, 9))
    def wait(self, which: int, length: int) -> None:
        publisher = self.publishers[which]
        start_ns, self.now_ns = self.now_ns, self.now_ns + length
        if publisher.tracer is not None:
            noted = publisher.tracer.waited
            noted += (start_ns, self.now_ns, publisher.next_message)
        self.measured(publisher, "backpressure_wait_ns", start_ns, self.now_ns, publisher.next_message)

    @rule(which=st.integers(0, 1), number=st.integers(0, 40), length=st.integers(0, 9))
    def lease(self, which: int, number: int, length: int) -> None:
        subscriber = self.subscribers[which]
        start_ns, self.now_ns = self.now_ns, self.now_ns + length
        if subscriber.tracer is not None:
            noted = subscriber.tracer.leases
            noted += (start_ns, self.now_ns, number, 0)
        self.measured(subscriber, "lease_time_ns", start_ns, self.now_ns, number)

    @rule(
        origin=st.sampled_from(ORIGINS),
        mod=st.integers(1, 4),
        publisher_topics=st.none() | st.lists(st.sampled_from("AB"), max_size=2),
        subscriber_topics=st.none() | st.lists(st.sampled_from("CD"), max_size=2),
        metrics=st.none() | st.lists(st.sampled_from(METRICS), max_size=3),
    )
    def want(
        self,
        origin: str,
        mod: int,
        publisher_topics: list[str] | None,
        subscriber_topics: list[str] | None,
        metrics: list[str] | None,
    ) -> None:
        self.now_ns += 1
        wish = Wish(True, mod, publisher_topics, subscriber_topics, metrics=metrics)
        self.registry.set_trace(origin, wish)
        self.wanted[origin] = Wanted(wish, self.now_ns)

    @rule(origin=st.sampled_from(ORIGINS), by_wish=st.booleans())
    def end(self, origin: str, by_wish: bool) -> None:
        if by_wish:
            self.registry.set_trace(origin, Wish(False))
        else:
            self.registry.end_trace(origin)
        self.wanted.pop(origin, None)

    @rule(origin=st.sampled_from(ORIGINS))
    def read(self, origin: str) -> None:
        columns, lost = self.registry.take_trace(origin, 1000)
        samples = samples_of(decode(encode(columns), TraceColumns))
        wanted = self.wanted.get(origin)
        kept = [] if wanted is None else [sample for each in wanted.kept.values() for sample in each]
        found = [(s.timestamp, s.endpoint_id, s.metric, s.value, s.sample_seq) for s in samples]
        assert [s.timestamp for s in samples] == sorted(s.timestamp for s in samples)
        assert Counter(found) == Counter(kept)
        assert lost == (0 if wanted is None else wanted.lost)
        for endpoint in {each[1] for each in found}:
            seen = [each for each in found if each[1] == endpoint and each[2] == "publish_delta_ns"]
            assert seen == sorted(seen)
        if wanted is not None:
            wanted.kept, wanted.lost = {}, 0

    @rule()
    def count(self) -> None:
        for each in [*self.registry.publishers(), *self.registry.subscribers()]:
            for metric in METRICS:
                found = each.totals.get(metric, MetricTotals())
                assert found.count == self.totals[each.endpoint_id, metric, "count"]
                assert found.sum_ns == self.totals[each.endpoint_id, metric, "sum"]
        traced = {
            name(each): any(self._passes(wanted.wish, each) for wanted in self.wanted.values())
            for each in (*self.publishers, *self.subscribers)
        }
        assert {name(each): each.tracer is not None for each in (*self.publishers, *self.subscribers)} == traced


@pytest.fixture(autouse=True)
def _small_rings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(controls.CAPACITY_VARIABLE, str(CAPACITY))


@pytest.mark.usefixtures("_small_rings")
class TestTraces(Traces.TestCase):  # type: ignore[name-defined,misc]
    pass


# --- one by one ------------------------------------------------------------------------------------------------


@pytest.fixture
def registry() -> Registry:
    return Registry()


@pytest.fixture
def publisher(registry: Registry) -> Publisher:
    publisher = Publisher(UUID(int=1), "A")
    registry.add_publisher(publisher)  # type: ignore[arg-type]
    return publisher


@pytest.fixture
def subscriber(registry: Registry) -> Subscriber:
    subscriber = Subscriber(UUID(int=2), "B")
    registry.add_subscriber(subscriber)  # type: ignore[arg-type]
    return subscriber


def publish(publisher: Publisher, count: int) -> None:
    for _ in range(count):
        if publisher.tracer is not None:
            publisher.tracer.published(time.perf_counter_ns())
        publisher.next_message += 1


@pytest.mark.parametrize(
    ("wish", "said"),
    [
        (Wish(True, 0), "sample_mod 0: it counts from 1 on"),
        (Wish(True, -3), "sample_mod -3"),
        (Wish(True, ttl_seconds=0.0), r"ttl_seconds 0\.0: it is a finite time above 0"),
        (Wish(True, ttl_seconds=float("nan")), "ttl_seconds nan"),
        (Wish(True, ttl_seconds=float("inf")), "ttl_seconds inf"),
        (Wish(True, metrics=["speed"]), "metrics speed: this process has backpressure_wait_ns, lease_time_ns"),
        (Wish(True, publisher_topics=["A", "B"]), "publisher_topics B: this process has A"),
        (Wish(True, subscriber_topics=["A"]), "subscriber_topics A: this process has B"),
        (Wish(True, publisher_endpoint_ids=["A"]), f"publisher_endpoint_ids A: this process has A:{UUID(int=1)}"),
        (Wish(True, subscriber_endpoint_ids=["x"]), "subscriber_endpoint_ids x"),
    ],
)
def test_a_wish_that_cannot_be_met_is_refused_and_changes_nothing(
    registry: Registry, publisher: Publisher, subscriber: Subscriber, wish: Wish, said: str
) -> None:
    registry.set_trace("me", Wish(True, metrics=["publish_delta_ns"]))
    with pytest.raises(InvalidTraceControl, match=said):
        registry.set_trace("me", wish)
    publish(publisher, 3)
    assert len(samples_of(registry.take_trace("me", 10)[0])) == 3


def test_the_first_message_after_a_trace_began_has_its_sample(registry: Registry, publisher: Publisher) -> None:
    registry.set_trace("other", Wish(True, metrics=["publish_delta_ns"]))
    publish(publisher, 2)
    registry.set_trace("me", Wish(True, metrics=["publish_delta_ns"]))
    publish(publisher, 2)
    first, second = samples_of(registry.take_trace("me", 10)[0])
    assert (first.sample_seq, second.sample_seq) == (2, 3)
    assert first.value == 0 < second.value
    of_other = samples_of(registry.take_trace("other", 10)[0])
    assert [sample.value > 0 for sample in of_other] == [False, True, True, True]


def test_a_process_without_endpoints_says_so(registry: Registry) -> None:
    with pytest.raises(InvalidTraceControl, match="this process has none"):
        registry.set_trace("me", Wish(True, publisher_topics=["A"]))


@pytest.mark.parametrize("said", ["0", "-1", "many"])
def test_a_ring_of_no_size_is_refused(
    registry: Registry, publisher: Publisher, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(controls.CAPACITY_VARIABLE, said)
    with pytest.raises(InvalidOption, match=controls.CAPACITY_VARIABLE):
        registry.set_trace("me", Wish(True))
    assert publisher.tracer is None
    assert registry.origins() == []


def test_a_trace_ends_with_its_time_and_what_it_has_is_still_read(publisher: Publisher) -> None:
    now_ns = 0
    registry = Registry(lambda: now_ns)
    registry.add_publisher(publisher)  # type: ignore[arg-type]
    registry.set_trace("me", Wish(True, ttl_seconds=2.0))
    publish(publisher, 3)
    registry.set_trace("other", Wish(True, ttl_seconds=5.0))
    registry.end_trace("other")
    registry.set_trace("for ever", Wish(True, publisher_topics=[]))
    now_ns = 1_999_000_000
    assert registry.origins() == ["me", "for ever"]
    assert registry.expire() == 0.001
    now_ns = 2_000_000_000
    assert registry.expire() is None
    registry.end_trace("for ever")
    assert registry.origins() == []
    assert publisher.tracer is None
    publish(publisher, 3)
    assert [s.sample_seq for s in samples_of(registry.take_trace("me", 10)[0])] == [0, 1, 2]
    assert samples_of(registry.take_trace("me", 10)[0]) == []


def test_a_batch_says_whether_anything_is_traced(registry: Registry, publisher: Publisher) -> None:
    offer, origin = ProfileOffer(registry), uuid4()
    assert not offer.take_trace(uuid4(), origin, 10).traced
    offer.set_trace(origin, Wish(True))
    assert offer.take_trace(uuid4(), origin, 10).traced
    offer.end_trace(origin)
    assert not offer.take_trace(uuid4(), origin, 10).traced


def test_clocks_are_compared_whenever_somebody_asks(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    now_ns = iter([0, 100, 200, 220, 300, 400])
    wall_ns = iter([1_000, 1_300, 5_000])
    monkeypatch.setattr("ezmsg.core.profiling.offer.LOOKS", 3)
    monkeypatch.setattr(time, "perf_counter_ns", lambda: next(now_ns))
    monkeypatch.setattr(time, "time_ns", lambda: next(wall_ns))
    assert clock_offset_ns() == 1_300 - 210, "the shortest look is believed"
    monkeypatch.undo()
    offer = ProfileOffer(registry)
    monkeypatch.setattr("ezmsg.core.profiling.offer.clock_offset_ns", iter([1, 2]).__next__)
    assert offer.snapshot(uuid4()).clock_offset_ns == 1
    assert offer.take_trace(uuid4(), uuid4(), 10).clock_offset_ns == 2


def test_an_endpoint_that_comes_later_is_traced_and_one_that_has_left_is_read(registry: Registry) -> None:
    registry.set_trace("me", Wish(True))
    publisher = Publisher(UUID(int=9), "LATE")
    registry.add_publisher(publisher)  # type: ignore[arg-type]
    publish(publisher, CAPACITY + 3)
    registry.remove_publisher(publisher)  # type: ignore[arg-type]
    assert publisher.tracer is None
    columns, lost = registry.take_trace("me", 10)
    assert (len(samples_of(columns)), lost) == (CAPACITY, 3)


def test_endpoints_that_come_and_go_unread_are_counted(registry: Registry) -> None:
    registry.set_trace("me", Wish(True))
    for number in range(controls.ENDED_LIMIT + 3):
        publisher = Publisher(UUID(int=100 + number), "T")
        registry.add_publisher(publisher)  # type: ignore[arg-type]
        publish(publisher, CAPACITY + 1)  # one sample more than a ring keeps
        registry.remove_publisher(publisher)  # type: ignore[arg-type]
    columns, lost = registry.take_trace("me", 1000)
    kept = controls.ENDED_LIMIT * CAPACITY
    assert (len(samples_of(columns)), lost) == (kept, (controls.ENDED_LIMIT + 3) * (CAPACITY + 1) - kept)


def test_an_endpoint_that_was_forgotten_is_not_kept(registry: Registry) -> None:
    registry.set_trace("me", Wish(True))
    publisher = Publisher(UUID(int=9), "LOST")
    registry.add_publisher(publisher)  # type: ignore[arg-type]
    publish(publisher, 3)
    del publisher
    assert registry.publishers() == []
    assert len(samples_of(registry.take_trace("me", 10)[0])) == 3


def test_a_small_batch_takes_the_oldest_of_each(registry: Registry, publisher: Publisher) -> None:
    other = Publisher(UUID(int=3), "C")
    registry.add_publisher(other)  # type: ignore[arg-type]
    registry.set_trace("me", Wish(True))
    publish(publisher, 5)
    publish(other, 2)
    first = samples_of(registry.take_trace("me", 3)[0])
    assert [(s.topic, s.sample_seq) for s in first] == [("A", 0), ("C", 0), ("C", 1)]
    assert [s.sample_seq for s in samples_of(registry.take_trace("me", 3)[0])] == [1, 2, 3]


def test_labels_are_told_apart_up_to_a_limit(registry: Registry, subscriber: Subscriber, monkeypatch: Any) -> None:
    monkeypatch.setattr("ezmsg.core.profiling.tracers.LABELS_LIMIT", 3)
    registry.set_trace("me", Wish(True))
    assert subscriber.tracer is not None
    for label in ["", "a", "b", "c", "d", "e", "a"]:
        subscriber.tracer.add_span(time.perf_counter_ns(), None, label)
    (told,) = registry.subscribers()
    other = "(other labels)"
    counts = {label: totals.count for label, totals in told.tasks.items()}
    assert told.totals["user_span_ns"].count == 7
    assert counts == {"a": 2, "b": 1, "c": 1, other: 2}
    samples = samples_of(registry.take_trace("me", 10)[0])
    assert [s.label for s in samples] == ["b", "c", other, other, "a"]
    assert {s.sample_seq for s in samples} == {None}
    assert {s.channel_kind for s in samples} == {ProfileChannelType.UNKNOWN}
