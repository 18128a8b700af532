"""What a publisher takes back from leaky subscribers, in every order in which the two ends may take their steps."""

from collections import deque
from typing import Any
from uuid import UUID, uuid4

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from ezmsg.core.channels.backpressure import Window
from ezmsg.core.channels.channel import Lease
from ezmsg.core.channels.queues import LeakyQueue, Queue
from ezmsg.core.messages.active import CODEC
from ezmsg.core.pubsub.taking_back import TakingBack
from ezmsg.core.transports.segments import Segment
from ezmsg.core.transports.shared_memory import SharedMemorySender, Slots
from ezmsg.core.transports.shared_memory_channel import SharedMemoryChannel
from ezmsg.protocol.messages.channels import ChannelLeaky, ChannelLeakyHeard

SLOTS = 2


class Wire:
    """A link whose two ends read when they are told to."""

    def __init__(self) -> None:
        self.writable = True
        self.to_reader: deque[tuple[Any, ...]] = deque()
        self.to_publisher: deque[Any] = deque()
        self.when: list[Any] = []

    def notice(self, channel: int, message: int, segment: int, slot: int, size: int) -> None:
        self.to_reader.append((message, segment, slot, size, b""))

    def release(self, channel: int, token: int, *, prompt: bool) -> None:
        self.to_publisher.append(token)

    def control(self, message: object) -> None:
        self.to_publisher.append(message)

    def when_writable(self, call: Any) -> None:
        self.when.append(call)


class Ear:
    """A subscriber that notes what it got."""

    def __init__(self, leaky: bool) -> None:
        self.leaky = leaky
        self.queue: Queue = LeakyQueue(1) if leaky else Queue()
        self.got: list[int] = []
        self.skips = 0

    def put(self, lease: Lease) -> None:
        assert self.leaky or not lease.revocable
        self.queue.put(lease)

    def joined(self, channel: Any) -> None: ...

    def skipped(self, count: int) -> None:
        assert self.leaky
        self.skips += count

    def missed(self, topic: str, count: int) -> None: ...

    def left(self, publisher_id: UUID) -> None: ...

    def lost(self, publisher_id: UUID, last_seq: int) -> None: ...

    def take(self) -> None:
        lease = self.queue.take()
        if lease.revocable:
            kept = lease.detached()
            lease.release()
            if kept is None:
                self.queue.dropped += 1
                return
            lease = kept
        assert (lease.view() == lease.number).all()
        self.got.append(lease.number)
        lease.release()

    @property
    def accounted(self) -> int:
        return len(self.got) + self.queue.dropped + self.skips + len(self.queue)


class TwoEnds(RuleBasedStateMachine):
    """One publisher, one channel over shared memory, subscribers that come and go."""

    def __init__(self) -> None:
        super().__init__()
        self.wire = Wire()
        self.window = Window(SLOTS, on_free=lambda token: self.slots.free(token))
        self.slots = Slots(SLOTS, 64)
        self.receivers: list[Any] = []
        self.channel = SharedMemoryChannel(
            uuid4(),
            "T",
            self.receivers,
            self.wire,
            1,
            SLOTS,
            CODEC,
            lambda: None,
            lambda *_: None,  # type: ignore[arg-type]
        )
        self.sender = SharedMemorySender(self.window, self.wire, 1, self.hand_over, lambda *_: None)  # type: ignore[arg-type]
        self.taking = TakingBack(self.window, self.slots, lambda: [self.sender])
        self.number = 0
        self.loyal: dict[Ear, int] = {}  # who is not leaky, and from which message on it is to get each

    def hand_over(self, segment: Segment) -> bool:
        self.channel.add_segment(segment.number, memoryview(segment._map)[: segment.form.size], segment.form)
        return True

    @rule()
    def publish(self) -> None:
        token = self.window.try_take()
        if token is None and self.sender.leaky and self.taking._free_oldest([self.sender], [self.sender]):
            token = self.window.try_take()
        if token is None:
            return
        payload = CODEC.encode(np.full(6, self.number))
        segment = self.slots.write(token, payload, self.number)
        assert segment is not None
        self.window.hold(token, 1)
        self.sender.send(self.number, token, segment, payload.size)
        self.number += 1

    @rule(writable=st.booleans())
    def fill_or_drain_the_link(self, writable: bool) -> None:
        self.wire.writable = writable
        if writable:
            calls, self.wire.when = self.wire.when, []
            for call in calls:
                call()

    @precondition(lambda self: self.wire.to_reader)
    @rule()
    def reader_reads(self) -> None:
        item = self.wire.to_reader.popleft()
        if isinstance(item, ChannelLeakyHeard):
            self.channel.leaky_heard()
        else:
            self.channel.receive(*item)

    @precondition(lambda self: self.wire.to_publisher)
    @rule()
    def publisher_reads(self) -> None:
        item = self.wire.to_publisher.popleft()
        if isinstance(item, ChannelLeaky):
            self.sender.set_leaky(item.leaky, self.number)
            self.wire.to_reader.append(ChannelLeakyHeard(1))  # type: ignore[arg-type]
        else:
            self.sender.released(item)

    @precondition(lambda self: len(self.receivers) < 3)
    @rule(leaky=st.booleans())
    def join(self, leaky: bool) -> None:
        self.receivers.append(Ear(leaky))
        self.channel.receivers_changed()

    @precondition(lambda self: self.receivers)
    @rule(data=st.data())
    def leave(self, data: st.DataObject) -> None:
        ear = data.draw(st.sampled_from(self.receivers))
        ear.queue.let_go()
        self.receivers.remove(ear)
        self.loyal.pop(ear, None)
        self.channel.receivers_changed()

    @rule()
    def everybody_takes(self) -> None:
        for ear in self.receivers:
            while ear.queue:
                ear.take()

    @invariant()
    def who_has_joined_gets_each(self) -> None:
        for ear in self.receivers:
            if not ear.leaky and not self.channel.revocable:
                self.loyal.setdefault(ear, self.number)
        for ear, first in self.loyal.items():
            from_first = [number for number in ear.got if number >= first]
            assert from_first == list(range(first, first + len(from_first)))

    def teardown(self) -> None:
        """At the end everything comes, and nothing is held."""
        self.fill_or_drain_the_link(True)
        while self.wire.to_reader or self.wire.to_publisher or any(ear.queue for ear in self.receivers):
            self.everybody_takes()
            if self.wire.to_reader:
                self.reader_reads()
            if self.wire.to_publisher:
                self.publisher_reads()
            self.fill_or_drain_the_link(True)
        self.who_has_joined_gets_each()
        for ear, first in self.loyal.items():
            assert self.number - first == len([number for number in ear.got if number >= first])
        assert self.window.busy == 0 or self.channel._unsent


TestTwoEnds = TwoEnds.TestCase
TestTwoEnds.settings = settings(stateful_step_count=60)
