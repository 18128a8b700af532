"""The queue between an event loop and the threads that receive: nothing is lost, nothing is held for ever."""

import threading
from uuid import uuid4

from hypothesis import given
from hypothesis import strategies as st

from ezmsg.core.blocking.shared_queue import SharedLeakyQueue, SharedQueue
from ezmsg.core.blocking.waiting import Deadline, Doorbell
from ezmsg.core.channels.channel import Channel, Lease

HANG = 30.0


class CountedLease(Lease):
    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.freed = 0

    def private(self) -> int:
        return self.number

    def detached(self) -> Lease:
        raise AssertionError("it has room enough")

    def _decode(self) -> int:
        return self.number

    def _free(self) -> None:
        self.freed += 1


class Listener:
    leaky = False

    def __init__(self, queue: SharedQueue) -> None:
        self.queue = queue

    def put(self, lease: Lease) -> None:
        self.queue.put(lease)

    def joined(self, channel: Channel) -> None: ...


def put(queue: SharedQueue, lease: CountedLease) -> None:
    Channel(uuid4(), "T", [Listener(queue)], 32).deliver(lease)


@given(st.lists(st.sampled_from(["put", "take", "let_go"]), max_size=60), st.none() | st.integers(1, 5))
def test_it_does_what_the_subscribers_own_does(steps: list[str], limit: int | None) -> None:
    bell = Doorbell()
    queue = SharedQueue(bell) if limit is None else SharedLeakyQueue(bell, limit)
    kept: list[CountedLease] = []
    everything: list[CountedLease] = []
    dropped = 0
    for step in steps:
        if step == "put":
            lease = CountedLease(len(everything))
            put(queue, lease)
            everything.append(lease)
            kept.append(lease)
            if limit is not None and len(kept) > limit:
                del kept[0]
                dropped += 1
        elif step == "take":
            taken = queue.try_take()
            assert taken is (kept.pop(0) if kept else None)
            if taken is not None:
                taken.release()
        else:
            queue.let_go()
            kept.clear()
            assert queue.closed
        assert list(queue) == kept
        assert queue.dropped == dropped
        assert all(lease.freed == (lease not in kept) for lease in everything)


@given(st.none() | st.integers(1, 3))
def test_threads_take_what_another_puts(limit: int | None) -> None:
    bell = Doorbell()
    queue = SharedQueue(bell) if limit is None else SharedLeakyQueue(bell, limit)
    taken: list[Lease] = []

    def take() -> None:
        while bell.wait(lambda: queue or queue.closed, Deadline(HANG)):
            lease = queue.try_take()
            if lease is not None:
                taken.append(lease)
            elif queue.closed:
                return

    threads = [threading.Thread(target=take) for _ in range(2)]
    for thread in threads:
        thread.start()
    everything = [CountedLease(number) for number in range(100)]
    for lease in everything:
        put(queue, lease)
    queue.closed = True
    bell.ring()
    for thread in threads:
        thread.join(HANG)
    assert len(taken) + queue.dropped == 100
    assert len({lease.number for lease in taken}) == len(taken)
    assert sum(lease.freed for lease in everything) == queue.dropped
