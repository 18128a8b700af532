"""What endpoints count and what is traced of them, over every transport, in one process."""

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator, Callable
from typing import Any
from uuid import uuid4

import numpy as np
import pytest
from tests.core.pubsub.conftest import World

from ezmsg.control.profiling.traces import samples_of
from ezmsg.core.channels.backpressure import Window
from ezmsg.core.processclient import ProcessControlClient
from ezmsg.core.profiling import ProfileRegistry
from ezmsg.core.profiling.object_size import CLASSES_LIMIT, _looks, object_size
from ezmsg.core.profiling.registry import REGISTRY
from ezmsg.core.transports.sender import Sender
from ezmsg.protocol.model.profiling import (
    ProfileChannelType,
    ProfilingTraceControl,
    ProfilingTraceSample,
    PublisherProfileSnapshot,
    SubscriberProfileSnapshot,
)

KINDS = {
    "local": "LOCAL",
    "threads": "LOCAL",
    "shm": "SHM",
    "tcp": "TCP",
    "tls": "TCP",
    "post": "UNKNOWN",
    "zenoh": "ZENOH",
}


class Traced:
    """Somebody who wants something traced."""

    def __init__(self) -> None:
        self.origin = uuid4()

    def want(self, **wish: Any) -> None:
        REGISTRY.set_trace(self.origin, ProfilingTraceControl(True, **wish))

    def samples(self) -> list[ProfilingTraceSample]:
        columns, lost = REGISTRY.take_trace(self.origin, 10_000)
        assert lost == 0
        return samples_of(columns)


@pytest.fixture
async def traced() -> AsyncIterator[Traced]:
    traced = Traced()
    yield traced
    REGISTRY.end_trace(traced.origin)


def counted(publisher: Any, subscriber: Any) -> tuple[PublisherProfileSnapshot, SubscriberProfileSnapshot]:
    (sent,) = [each for each in REGISTRY.publishers() if each.endpoint_id == f"OUT:{publisher.id}"]
    (received,) = [each for each in REGISTRY.subscribers() if each.endpoint_id == f"OUT:{subscriber.id}"]
    return sent, received


async def test_both_ends_count_the_same(world: World) -> None:
    publisher = await world.publisher()
    await publisher.broadcast(b"nobody hears this")
    ear = await world.subscriber()
    sent, received = counted(publisher, ear.subscriber)
    assert (received.messages_received_total, received.channel_kind_last) == (0, ProfileChannelType.UNKNOWN)
    for number in range(5):
        await publisher.broadcast(np.full(2, number))
    await ear.take(3)
    held = await ear.hold()
    await world.until(lambda: ear.waiting == 1)
    await world.until(lambda: publisher.window.busy == 2 or publisher.senders[0].held == 2)
    kind = ProfileChannelType(KINDS[world.transport])
    sent, received = counted(publisher, ear.subscriber)
    (channel,) = sent.channels
    assert (sent.messages_published_total, channel.messages_sent_total) == (6, 5)
    assert sent.bytes_published_total == channel.bytes_sent_total
    assert (received.messages_received_total, received.queued_messages_current) == (4, 1)
    assert 5 * received.bytes_received_total == 4 * sent.bytes_published_total
    assert received.bytes_received_total >= 4 * 16
    assert (channel.kind, received.channel_kind_last) == (kind, kind)
    assert channel.exchange_id == received.exchange_id
    assert received.publishers == [publisher.id]
    assert sent.inflight_messages_current == channel.inflight_messages_current == 2
    assert (sent.totals, received.totals, received.tasks) == ({}, {}, {})
    await held.release()


async def test_what_a_leaky_subscriber_drops_is_counted(world: World) -> None:
    publisher = await world.publisher()
    ear = await world.subscriber(leaky=True, max_queue=2)
    for number in range(5):
        await publisher.broadcast(number)
    await world.until(lambda: ear.subscriber.dropped == 3)
    _, received = counted(publisher, ear.subscriber)
    assert (received.messages_dropped_total, received.queued_messages_current) == (3, 2)


async def test_a_wait_is_counted_while_it_lasts_and_belongs_to_who_ended_it(world: World, traced: Traced) -> None:
    publisher = await world.publisher(num_buffers=1)
    ear = await world.subscriber()
    traced.want(metrics=["backpressure_wait_ns"])
    await publisher.broadcast(0)
    blocked = asyncio.ensure_future(publisher.broadcast(1))
    await world.until(lambda: publisher.window.waiting)
    before = counted(publisher, ear.subscriber)[0].backpressure_wait_ns_total
    await world.turns()
    during = counted(publisher, ear.subscriber)[0].backpressure_wait_ns_total
    assert 0 < before < during
    await ear.recv()
    await blocked
    sent, _ = counted(publisher, ear.subscriber)
    assert sent.channels[0].waited_ns_total == sent.backpressure_wait_ns_total >= during
    (sample,) = traced.samples()
    assert (sample.metric, sample.sample_seq, sample.publisher_id) == ("backpressure_wait_ns", 1, publisher.id)
    assert during <= sample.value
    assert sent.totals["backpressure_wait_ns"].sum_ns == sample.value
    await ear.recv()


async def test_what_several_messages_wait_for_is_counted_once(world: World) -> None:
    publisher = await world.publisher(num_buffers=1)
    ear = await world.subscriber()
    await publisher.broadcast(0)
    began_ns = time.perf_counter_ns()
    blocked = [asyncio.ensure_future(publisher.broadcast(number)) for number in (1, 2, 3)]
    await world.turns()
    waiting, _ = counted(publisher, ear.subscriber)
    assert (waiting.waiting_now, waiting.waiting_ns_now) == (3, waiting.backpressure_wait_ns_total)
    await ear.recv()
    await blocked[0]
    one_less, _ = counted(publisher, ear.subscriber)
    given_ns = one_less.channels[0].waited_ns_total
    assert one_less.waiting_now == 2
    assert one_less.waiting_ns_now == one_less.backpressure_wait_ns_total - given_ns > 0
    for each in blocked[1:]:
        await ear.recv()
        await each
    sent, _ = counted(publisher, ear.subscriber)
    assert (sent.waiting_now, sent.waiting_ns_now) == (0, 0)
    assert sent.channels[0].waited_ns_total == sent.backpressure_wait_ns_total >= given_ns
    assert sent.backpressure_wait_ns_total <= time.perf_counter_ns() - began_ns
    await ear.recv()


async def test_a_message_in_hand_counts_up_to_now(world: World, traced: Traced) -> None:
    publisher = await world.publisher()
    ear = await world.subscriber()
    for number in range(2):
        await publisher.broadcast(number)
    early = await ear.hold()
    traced.want(metrics=["lease_time_ns"])
    began_ns = time.perf_counter_ns()
    held = await ear.hold()
    before, during = (counted(publisher, ear.subscriber)[1] for _ in range(2))
    assert (before.held_now, before.totals) == (1, {}), "nobody looked when the first one was taken"
    assert during.lease_ns_total - before.lease_ns_total == during.timestamp - before.timestamp
    await held.release()
    await world.until(lambda: counted(publisher, ear.subscriber)[1].held_now == 0)
    _, after = counted(publisher, ear.subscriber)
    assert after.lease_ns_total == after.totals["lease_time_ns"].sum_ns >= during.lease_ns_total
    await early.release()
    await world.until(lambda: counted(publisher, ear.subscriber)[1].lease_ns_total > after.lease_ns_total)
    _, both = counted(publisher, ear.subscriber)
    assert both.totals == after.totals
    assert both.lease_ns_total - after.lease_ns_total >= after.timestamp - began_ns
    assert len(traced.samples()) == 1


class Unreadable:
    """It can be pickled, and no more."""

    def __reduce__(self) -> Any:
        return float, ("no number",)


@pytest.mark.parametrize("transport", ["shm"], indirect=True)
async def test_a_message_that_cannot_be_read_is_in_nobodys_hand(world: World, traced: Traced) -> None:
    publisher = await world.publisher()
    ear = await world.subscriber()
    traced.want(metrics=["lease_time_ns"])
    for _ in range(2):
        await publisher.broadcast(Unreadable())
    with pytest.raises(ValueError, match="no number"):
        async with ear.subscriber.recv_zero_copy():
            pass
    with pytest.raises(ValueError, match="no number"):
        await ear.subscriber.recv()
    _, received = counted(publisher, ear.subscriber)
    assert (received.held_now, received.totals["lease_time_ns"].count) == (0, 2)


async def test_a_message_is_found_again_at_both_ends(world: World, traced: Traced) -> None:
    publisher, other = await world.publisher(), await world.publisher()
    ear = await world.subscriber()
    await publisher.broadcast("before")
    await ear.recv()
    traced.want(metrics=["publish_delta_ns", "lease_time_ns"])
    for _ in range(4):
        await publisher.broadcast(np.zeros(2))
        await other.broadcast(np.zeros(2))
    for _ in range(4):
        await ear.recv()
    for _ in range(4):
        await (await ear.hold()).release()
    await world.until(lambda: publisher.window.busy == other.window.busy == 0)
    samples: list[ProfilingTraceSample] = []

    def all_there() -> bool:
        samples.extend(traced.samples())
        return len(samples) == 16

    await world.until(all_there)
    published = {(s.publisher_id, s.sample_seq): s for s in samples if s.metric == "publish_delta_ns"}
    leased = {(s.publisher_id, s.sample_seq): s for s in samples if s.metric == "lease_time_ns"}
    assert published.keys() == {(publisher.id, n) for n in (1, 2, 3, 4)} | {(other.id, n) for n in (0, 1, 2, 3)}
    assert leased.keys() == published.keys()
    assert (published[publisher.id, 1].value, published[other.id, 0].value) == (0, 0)
    for message, sample in published.items():
        assert sample.timestamp <= leased[message].timestamp
        assert sample.endpoint_id == f"OUT:{message[0]}"
    assert {s.channel_kind for s in leased.values()} == {ProfileChannelType(KINDS[world.transport])}
    first, second, third = (published[publisher.id, number] for number in (2, 3, 4))
    assert (second.timestamp - first.timestamp, third.timestamp - second.timestamp) == (second.value, third.value)


async def test_sampling_takes_the_same_messages_at_both_ends_and_scales_nothing(
    world: World, traced: Traced
) -> None:
    publisher = await world.publisher()
    ear = await world.subscriber()
    everything = Traced()
    everything.want(metrics=["publish_delta_ns"])
    traced.want(sample_mod=10)
    for _ in range(25):
        await publisher.broadcast(b"")
        await ear.recv()
    await world.until(lambda: publisher.window.busy == 0)
    every = {s.sample_seq: s for s in everything.samples()}
    REGISTRY.end_trace(everything.origin)
    samples: list[ProfilingTraceSample] = []

    def all_there() -> bool:
        samples.extend(traced.samples())
        return len([s for s in samples if s.metric == "lease_time_ns"]) == 3

    await world.until(all_there)
    sampled = {s.sample_seq: s for s in samples if s.metric == "publish_delta_ns"}
    assert sampled == {number: every[number] for number in (0, 10, 20)}
    assert sorted(s.sample_seq or 0 for s in samples if s.metric == "lease_time_ns") == [0, 10, 20]
    sent, received = counted(publisher, ear.subscriber)
    assert (sent.totals["publish_delta_ns"].count, received.totals["lease_time_ns"].count) == (24, 25)


async def test_who_is_traced_no_more_measures_nothing(world: World, traced: Traced) -> None:
    publisher = await world.publisher()
    ear = await world.subscriber()
    traced.want()
    assert publisher.tracer is not None
    assert ear.subscriber.tracer is not None
    REGISTRY.end_trace(traced.origin)
    assert publisher.tracer is None
    assert ear.subscriber.tracer is None
    await publisher.broadcast(1)
    await ear.recv()
    assert traced.samples() == []


@pytest.mark.parametrize("transport", ["local", "shm"], indirect=True)
async def test_spans_of_a_program_without_units(world: World, traced: Traced) -> None:
    publisher = await world.publisher()
    ear = await world.subscriber()
    subscriber = ear.subscriber
    subscriber.end_profile(subscriber.begin_profile(), "nobody wants it")
    traced.want(metrics=["user_span_ns"])
    for number in range(3):
        await publisher.broadcast(number)
        async with subscriber.recv_zero_copy():
            start_ns = subscriber.begin_profile()
            subscriber.end_profile(start_ns, "detect")
            subscriber.end_profile(start_ns)
    samples = traced.samples()
    labels = ("detect", None)
    assert [(s.label, s.sample_seq) for s in samples] == [(label, n) for n in range(3) for label in labels]
    assert {s.publisher_id for s in samples} == {publisher.id}
    _, received = counted(publisher, subscriber)
    assert {label: totals.count for label, totals in received.tasks.items()} == {"detect": 3}
    assert received.totals["user_span_ns"].count == 6


@pytest.mark.parametrize("transport", ["shm"], indirect=True)
async def test_a_registry_for_programs_of_ezmsg_3(world: World) -> None:
    mine, other = ProfileRegistry(), ProfileRegistry()
    process_id = uuid4()
    mine.set_process_id(process_id)
    publisher = await world.publisher()
    ear = await world.subscriber()
    assert mine.snapshot().window_seconds == 0.0
    mine.set_trace_control(ProfilingTraceControl(True))
    assert (mine.trace_enabled(), other.trace_enabled()) == (True, False)
    for number in range(3):
        await publisher.broadcast(number)
        await ear.recv()
    told = mine.snapshot()
    assert (told.process_id, told.window_seconds > 0) == (process_id, True)
    assert told.publishers[f"OUT:{publisher.id}"].messages_published_window == 3
    assert told.publishers[f"OUT:{publisher.id}"].publish_rate_hz_window == 3 / told.window_seconds
    batch = mine.trace_batch()
    assert (batch.lost_samples, len(batch.samples)) == (0, 6)
    assert other.trace_batch().samples == []
    mine.set_process_id(process_id, reset=True)
    assert mine.trace_enabled() is False
    assert mine.snapshot().window_seconds == 0.0


@pytest.mark.parametrize("transport", ["local"], indirect=True)
async def test_a_program_without_units_answers_for_its_endpoints(world: World) -> None:
    client = ProcessControlClient(world.address)
    await client.register(["MINE"])
    publisher = await world.publisher()
    ear = await world.subscriber()
    context = world.context
    wish = ProfilingTraceControl(True, metrics=["lease_time_ns"])
    assert (await context.process_set_profiling_trace("MINE", wish)).ok
    await publisher.broadcast("message")
    await ear.recv()
    batch = await context.process_profiling_trace_batch("MINE")
    assert [(s.publisher_id, s.sample_seq) for s in batch.samples] == [(publisher.id, 0)]
    profile = (await context.profiling_snapshot_all())[client.process_id]
    assert (profile.pid, profile.tracers) == (os.getpid(), [str(context._session_id)])
    await client.close()
    assert ear.subscriber.tracer is None, "nobody could tell it any more who is gone"


@pytest.mark.parametrize("transport", ["local"], indirect=True)
async def test_a_time_to_live_ends_a_trace_though_nobody_asks(world: World) -> None:
    client = ProcessControlClient(world.address)
    await client.register(["MINE"])
    ear = await world.subscriber()
    for ttl_s in (0.3, 0.8, 0.5):  # uvloop's timers may fire up to a millisecond too early
        wish = ProfilingTraceControl(True, ttl_seconds=ttl_s)
        assert (await world.context.process_set_profiling_trace("MINE", wish)).ok
        assert ear.subscriber.tracer is not None
        await world.until(lambda: ear.subscriber.tracer is None)
    await client.close()


async def test_a_wait_is_put_down_to_who_let_go_last() -> None:
    window = Window(1)
    quick, slow = Sender(window), Sender(window)
    token = window.try_take()
    assert token is not None
    window.hold(token, 2)
    quick.hold(0, token)
    slow.hold(0, token)
    waiting = asyncio.ensure_future(window.take())
    await asyncio.sleep(0)
    quick.released(token)
    slow.released(token)
    assert window.freed_by(await waiting) is slow
    assert window.freed_by(token) is None
    window.give_back(token)


class Message:
    def __init__(self, data: object) -> None:
        self.data = data


class Shy:
    """It must not be asked for anything."""

    @property
    def data(self) -> object:
        raise AssertionError

    def __getattribute__(self, name: str) -> object:
        raise AssertionError(name)


class Slotted:
    __slots__ = ("data",)


class Pretender(Message):
    """What it seems to have is its own affair."""

    @property
    def __dict__(self) -> dict[str, object]:  # type: ignore[override]
        raise AssertionError


class Cautious(dict[str, object]):
    def get(self, *_: object) -> object:
        raise AssertionError


def with_a_dictionary_of_its_own() -> Message:
    message = Message(None)
    message.__dict__ = Cautious(data=np.zeros(4))
    return message


class Derived(Message):
    pass


@pytest.mark.parametrize(
    ("make", "size"),
    [
        (lambda: np.zeros(4), 32),
        (lambda: b"abc", 3),
        (lambda: bytearray(5), 5),
        (lambda: Message(np.zeros(4)), 32),
        (lambda: Derived(np.zeros(4)), 32),
        (lambda: Message("text"), 0),
        (lambda: Pretender(np.zeros(4)), 0),
        (with_a_dictionary_of_its_own, 32),
        (lambda: Message, 0),
        (lambda: {"data": np.zeros(4)}, 0),
        (Shy, 0),
        (Slotted, 0),
        (lambda: 5, 0),
        (lambda: None, 0),
    ],
)
def test_what_is_counted_of_an_object(make: Callable[[], object], size: int) -> None:
    assert object_size(make()) == size


def test_what_is_counted_costs_no_exception_for_each_message() -> None:
    for message in (5, "text", [1], {"a": 1}, Slotted(), Message(1)):
        object_size(message)
        looks = len(_looks)
        raised: list[str] = []

        def watch(frame: object, event: str, _: object) -> Any:
            if event == "exception":
                raised.append(event)  # noqa: B023  read before the next one
            return watch

        before = sys.gettrace()
        sys.settrace(watch)
        try:
            object_size(message)
        finally:
            sys.settrace(before)
        assert (raised, len(_looks)) == ([], looks)


def test_classes_are_not_remembered_without_end() -> None:
    for _ in range(2 * CLASSES_LIMIT):
        assert object_size(type("Made", (Message,), {})(np.zeros(4))) == 32
    assert len(_looks) <= CLASSES_LIMIT
    assert object_size(b"abc") == 3
