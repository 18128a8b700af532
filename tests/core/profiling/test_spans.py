"""Spans of functions that work on messages: which of them are within others, and of which message they are."""

import asyncio
import time
from collections.abc import Iterator
from uuid import UUID

import pytest
from tests.core.profiling.test_registry import Subscriber

from ezmsg.control.profiling.traces import samples_of
from ezmsg.core.channels.channel import Lease
from ezmsg.core.profiling.metrics import SETTLE_ROWS
from ezmsg.core.profiling.registry import Registry
from ezmsg.core.profiling.spans import add_profile, add_span, span_of_task
from ezmsg.core.profiling.tracers import SubscriberTracer
from ezmsg.protocol.model.profiling import ProfilingTraceControl, SubscriberProfileSnapshot


class Message(Lease):
    """A message that nobody waits for."""

    def private(self) -> object: ...

    def detached(self) -> Lease:
        return self

    def _decode(self) -> object: ...

    def _free(self) -> None: ...


@pytest.fixture
def registry() -> Registry:
    return Registry()


@pytest.fixture
def subscriber(registry: Registry) -> Subscriber:
    subscriber = Subscriber(UUID(int=2), "IN")
    registry.add_subscriber(subscriber)  # type: ignore[arg-type]
    return subscriber


@pytest.fixture
def tracer(registry: Registry, subscriber: Subscriber) -> Iterator[SubscriberTracer]:
    registry.set_trace("me", ProfilingTraceControl(True))
    assert subscriber.tracer is not None
    yield subscriber.tracer
    registry.end_trace("me")


def spans(registry: Registry) -> list[tuple[str | None, str | None, int | None]]:
    """Return label, outer label and message of each."""
    samples = samples_of(registry.take_trace("me", 1000)[0])
    return [(each.label, each.within, each.sample_seq) for each in samples if each.metric == "user_span_ns"]


def told(registry: Registry) -> SubscriberProfileSnapshot:
    (snapshot,) = registry.subscribers()
    return snapshot


def test_what_is_within_a_task_is_in_its_time_already(registry: Registry, tracer: SubscriberTracer) -> None:
    tracer.took(Message(5))
    with span_of_task(tracer, "work"):
        start_ns = time.perf_counter_ns()
        add_span(start_ns, "filter")
        add_span(start_ns, "work")
        tracer.took(Message(6))  # another task of the subscriber goes on meanwhile
        add_profile(tracer, start_ns, "detect")
        add_profile(tracer, start_ns, "")
    add_profile(tracer, start_ns, "after")
    add_profile(tracer, start_ns, "")
    outer = told(registry)
    assert spans(registry) == [
        ("filter", "work", 5),
        ("detect", "work", 5),
        (None, "work", 5),
        ("work", None, 5),
        ("after", None, 6),
        (None, None, 6),
    ]
    assert {name: totals.count for name, totals in outer.tasks.items()} == {"work": 1, "after": 1}
    assert outer.totals["user_span_ns"].count == 3
    add_profile(tracer, start_ns, "after")
    assert spans(registry) == [("after", None, 6)]


async def test_what_a_task_has_started_is_none_of_it_when_it_is_over(
    registry: Registry, tracer: SubscriberTracer
) -> None:
    over = asyncio.Event()

    async def in_the_background() -> None:
        await over.wait()
        start_ns = time.perf_counter_ns()
        add_span(start_ns, "poll")
        add_profile(tracer, start_ns, "own")

    tracer.took(Message(5))
    with span_of_task(tracer, "work"):
        background = asyncio.create_task(in_the_background())
    tracer.took(Message(6))
    over.set()
    await background
    assert spans(registry) == [("work", None, 5), ("own", None, 6)]


@pytest.mark.parametrize("number", [1, None])
def test_measurements_are_settled_however_messages_are_numbered(
    registry: Registry, tracer: SubscriberTracer, number: int | None
) -> None:
    lease = None if number is None else Message(number)
    for _ in range(3 * SETTLE_ROWS):
        if lease is not None:
            tracer.let_go(tracer.took(lease), lease)
        tracer.add_span(0, lease, "work")
    assert len(tracer._leases.noted) < SETTLE_ROWS * 4
    assert len(tracer._spans.noted) < SETTLE_ROWS * 6
    assert tracer.leases_until(time.perf_counter_ns())[0] == 0


def test_messages_in_hand_are_those_not_yet_released(registry: Registry, tracer: SubscriberTracer) -> None:
    leases = [Message(number) for number in range(4)]
    taken_ns = [tracer.took(lease) for lease in leases]
    held = [told(registry).held_now]
    for number in (1, 3, 0, 2):
        tracer.let_go(taken_ns[number], leases[number])
        held.append(told(registry).held_now)
    assert held == [4, 3, 2, 1, 0]
    snapshot = told(registry)
    assert snapshot.lease_ns_total == snapshot.totals["lease_time_ns"].sum_ns
    tracer.took(leases[0])
    registry.end_trace("me")
    registry.set_trace("me", ProfilingTraceControl(True))
    assert told(registry).held_now == 0, "nobody looked whether it was released in between"
