"""Leases and the queues that they wait in: let go exactly once, by the last who holds them."""

import asyncio
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ezmsg.core.channels.channel import Channel, Lease
from ezmsg.core.channels.queues import LeakyQueue, Queue


class CountedLease(Lease):
    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.freed = 0
        self.decoded = 0

    def private(self) -> Any:
        return [self.number]

    def detached(self) -> Lease:
        return DetachedLease(self.number)

    def _decode(self) -> Any:
        self.decoded += 1
        return [self.number]

    def _free(self) -> None:
        self.freed += 1


class DetachedLease(CountedLease):
    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.holders = 1


class ChannelLease(CountedLease):
    """It occupies a slot of its channel's publisher."""

    def __init__(self, number: int, channel: Channel) -> None:
        super().__init__(number)
        self._origin = channel

    @property
    def channel(self) -> Channel:
        return self._origin


class Listener:
    leaky = False

    def __init__(self, queue: Queue) -> None:
        self.queue = queue

    def put(self, lease: Lease) -> None:
        self.queue.put(lease)

    def joined(self, channel: Channel) -> None: ...


@given(st.lists(st.sampled_from(["put", "take"]), max_size=60), st.integers(1, 5))
def test_a_leaky_queue_keeps_the_newest(steps: list[str], limit: int) -> None:
    queue = LeakyQueue(limit)
    kept: list[CountedLease] = []
    everything: list[CountedLease] = []
    dropped = 0
    for step in steps:
        if step == "put":
            lease = CountedLease(len(everything))
            Channel(uuid4(), "T", [Listener(queue)], 32).deliver(lease)
            everything.append(lease)
            kept.append(lease)
            dropped += len(kept) > limit
            kept = kept[-limit:]
        elif kept:
            taken = queue.take()
            assert taken is kept.pop(0)
            taken.release()
        else:
            with pytest.raises(IndexError):
                queue.take()
        assert len(queue) == len(kept)
        assert queue.dropped == dropped
        assert all(lease.freed == (lease not in kept) for lease in everything)


@given(
    st.lists(st.integers(0, 2) | st.none(), max_size=80),
    st.lists(st.integers(1, 9), min_size=3, max_size=3),
    st.integers(1, 12),
)
def test_what_waits_in_a_leaky_queue_leaves_each_publisher_a_slot(
    steps: list[int | None], windows: list[int], limit: int
) -> None:
    """A step is a message of one of three publishers, or ``None`` to take one."""
    queue = LeakyQueue(limit)
    channels = [Channel(uuid4(), "T", [Listener(queue)], window) for window in windows]
    under_way: list[ChannelLease] = []
    kept: list[int] = []
    for number, step in enumerate(steps):
        if step is None:
            if kept:
                taken = queue.take()
                assert taken.number == kept.pop(0)
                taken.release()
        else:
            lease = ChannelLease(number, channels[step])
            under_way.append(lease)
            channels[step].deliver(lease)
            kept = [*kept, number][-limit:]
        assert [lease.number for lease in queue] == kept
        for channel in channels:
            held = [lease.number for lease in under_way if lease.channel is channel and not lease.freed]
            assert len(held) <= channel.num_buffers - 1
            assert held == sorted(held)
            newest = [lease.number for lease in under_way if lease.channel is channel and lease.number in kept]
            assert held == newest[len(newest) - len(held) :]
            assert len(held) == min(len(newest), channel.room)  # as many as may be, and no copy too many
        assert all(lease.freed <= 1 for lease in under_way)
    queue.let_go()
    assert all(lease.freed == 1 for lease in under_way)


@given(st.lists(st.integers(0, 3), min_size=1, max_size=20), st.randoms())
def test_the_last_of_all_who_hear_lets_go(listeners: list[int], random: Any) -> None:
    for number, count in enumerate(listeners):
        queues = [Queue() for _ in range(count)]
        channel = Channel(uuid4(), "T", [Listener(queue) for queue in queues], 32)
        lease = CountedLease(number)
        channel.deliver(lease)
        assert channel.next_message == number + 1
        random.shuffle(queues)
        for position, queue in enumerate(queues):
            assert lease.freed == 0, position
            queue.take().release()
        assert lease.freed == 1


async def test_a_view_is_made_once_for_all() -> None:
    queues = [Queue(), Queue()]
    lease = CountedLease(0)
    Channel(uuid4(), "T", [Listener(queue) for queue in queues], 32).deliver(lease)
    views = [queue.take().view() for queue in queues]
    assert views[0] is views[1]
    assert lease.decoded == 1
    assert lease.private() is not views[0]
    await asyncio.sleep(0)
