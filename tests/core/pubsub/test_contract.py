"""What publishers and subscribers promise, whichever way a message takes.

The ``world`` fixture runs each test locally, between two threads, over shared memory, over TCP, by TLS and over a
transport that another distribution brings (``tests/plugs``), on each event loop; ``test_portable.py`` runs them
again with the means of other systems.
"""

import asyncio
import pickle
import socket
from typing import Any

import numpy as np
import pytest

import ezmsg.core as ez
from ezmsg.core.errors import EndpointClosed, InvalidOption, UnencodableMessage
from ezmsg.core.pubsub import admission
from ezmsg.core.pubsub import publisher as publishers
from ezmsg.core.support.platform import PASSES_DESCRIPTORS
from ezmsg.core.transports.handing_over import hand_over
from ezmsg.protocol.errors import DeadlineExceeded

COUNT = 300


async def listen(ear: Any, count: int) -> list[Any]:
    return list(await ear.take(count))


async def spread(world: Any, publisher: ez.Publisher, values: Any) -> None:
    async with asyncio.timeout(30):
        for value in values:
            await publisher.broadcast(value)


# --- who hears what, in which order -----------------------------------------------------------------------------


async def test_messages_of_one_publisher_come_in_order(world: Any) -> None:
    publisher = await world.publisher(num_buffers=4)
    ear = await world.subscriber()
    heard, _ = await asyncio.gather(listen(ear, COUNT), spread(world, publisher, range(COUNT)))
    assert heard == list(range(COUNT))


async def test_every_subscriber_hears_everything(world: Any) -> None:
    publisher = await world.publisher(num_buffers=3)
    ears = [await world.subscriber() for _ in range(3)]
    arrays = [np.full(7, number) for number in range(COUNT)]
    *all_heard, _ = await asyncio.gather(*(listen(ear, COUNT) for ear in ears), spread(world, publisher, arrays))
    for heard in all_heard:
        assert [int(array[0]) for array in heard] == list(range(COUNT))
        assert all((array == array[0]).all() for array in heard)


async def test_a_subscriber_hears_several_publishers(world: Any) -> None:
    publishers = [await world.publisher(f"OUT{name}") for name in range(3)]
    for name in range(3):
        await world.context.connect(f"OUT{name}", "IN")
    ear = await world.subscriber("IN")
    spreading = (
        spread(world, publisher, [(name, number) for number in range(COUNT // 3)])
        for name, publisher in enumerate(publishers)
    )
    heard, *_ = await asyncio.gather(listen(ear, COUNT), *spreading)
    for name in range(3):
        assert [number for source, number in heard if source == name] == list(range(COUNT // 3))


async def test_messages_of_two_publishers_of_one_process_do_not_overtake_each_other(world: Any) -> None:
    if world.transport in ("tcp", "tls", "post", "zenoh", "router"):
        pytest.skip("each has a connection of its own")
    publishers = [await world.publisher(f"OUT{name}", num_buffers=16) for name in range(2)]
    for name in range(2):
        await world.context.connect(f"OUT{name}", "IN")
    ear = await world.subscriber("IN")
    sent = [(number % 2, number) for number in range(COUNT)]

    async def send() -> None:
        for name, number in sent:
            await publishers[name].broadcast((name, number))

    heard, _ = await asyncio.gather(listen(ear, COUNT), send())
    assert heard == sent


async def test_two_subscribers_of_one_process_share_a_channel(world: Any) -> None:
    publisher = await world.publisher()
    ears = [await world.subscriber() for _ in range(2)]
    assert len(publisher._senders) == 1
    await publisher.broadcast(1)
    assert [await ear.recv() for ear in ears] == [1, 1]


async def test_messages_go_along_a_chain_of_topics(world: Any) -> None:
    for edge in ("A", "B"), ("B", "C"), ("C", "D"):
        await world.context.connect(*edge)
    publisher, ear = await world.publisher("A"), await world.subscriber("D")
    await publisher.broadcast("through")
    assert await ear.recv() == "through"


MESSAGES = [
    None,
    "text",
    b"",
    b"bytes",
    bytearray(b"changeable"),
    12,
    {"array": np.arange(5), "nested": [np.zeros((2, 3), order="F")]},
    np.array(3.5),
    np.zeros((0, 4)),
    np.arange(24, dtype=">i2").reshape(2, 3, 4)[:, ::2],
    np.arange(200_000),
]


async def test_every_kind_of_message_arrives(world: Any) -> None:
    publisher, ear = await world.publisher(num_buffers=4), await world.subscriber()
    spreading = asyncio.create_task(spread(world, publisher, MESSAGES))
    for message in MESSAGES:
        heard = await ear.recv()
        assert type(heard) is type(message)
        np.testing.assert_equal(heard, message)
        if isinstance(message, np.ndarray):
            assert (heard.dtype, heard.shape) == (message.dtype, message.shape)
    await spreading


# --- back-pressure ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("num_buffers", [1, 2, 32])
async def test_broadcast_waits_exactly_while_all_buffers_are_held(world: Any, num_buffers: int) -> None:
    publisher, ear = await world.publisher(num_buffers=num_buffers), await world.subscriber()
    await spread(world, publisher, range(num_buffers))
    for number in range(num_buffers, num_buffers + 3):
        blocked = asyncio.create_task(publisher.broadcast(number))
        assert await world.is_blocked(blocked)
        held = await ear.hold()
        assert held.message == number - num_buffers
        assert await world.is_blocked(blocked)
        await held.release()
        async with asyncio.timeout(30):
            await blocked
    assert await ear.take(num_buffers) == list(range(3, num_buffers + 3))
    async with asyncio.timeout(30):
        await publisher.sync()


async def test_the_slowest_subscriber_decides(world: Any) -> None:
    publisher = await world.publisher(num_buffers=2)
    fast, slow = await world.subscriber(), await world.subscriber()
    await spread(world, publisher, range(2))
    assert await fast.take(2) == [0, 1]
    blocked = asyncio.create_task(publisher.broadcast(2))
    assert await world.is_blocked(blocked)
    assert await slow.recv() == 0
    async with asyncio.timeout(30):
        await blocked
    assert await fast.recv() == 2
    assert await slow.take(2) == [1, 2]


async def test_without_a_subscriber_nothing_waits(world: Any) -> None:
    publisher = await world.publisher(num_buffers=1)
    await spread(world, publisher, range(1000))
    ear = await world.subscriber()
    await publisher.broadcast("first heard")
    assert await ear.recv() == "first heard"


async def test_a_publisher_that_never_waits_lets_others_live(world: Any) -> None:
    publisher = await world.publisher()
    stop = False

    async def run() -> None:
        while not stop:
            await publisher.broadcast(1)

    running = asyncio.create_task(run())
    ear = await world.subscriber(leaky=True)
    assert await ear.recv() == 1
    stop = True
    async with asyncio.timeout(30):
        await running


async def test_a_subscriber_that_leaves_frees_the_publisher(world: Any) -> None:
    publisher, ear = await world.publisher(num_buffers=2), await world.subscriber()
    await spread(world, publisher, range(2))
    held = await ear.hold()
    blocked = asyncio.create_task(publisher.broadcast(2))
    assert await world.is_blocked(blocked)
    await ear.close()
    async with asyncio.timeout(30):
        await blocked
        await held.release()
        await publisher.sync()
    assert publisher.window.busy == 0


async def test_a_cancelled_broadcast_leaves_no_gap(world: Any) -> None:
    publisher, ear = await world.publisher(num_buffers=3), await world.subscriber()
    await spread(world, publisher, range(3))
    blocked = [asyncio.create_task(publisher.broadcast(number)) for number in range(3, 9)]
    await world.turns()
    for task in blocked[::2]:
        task.cancel()
    await asyncio.wait(blocked[::2])
    assert await ear.take(6) == [0, 1, 2, 4, 6, 8]
    async with asyncio.timeout(30):
        await asyncio.gather(*blocked[1::2])
        await publisher.sync()
    publisher.resume()
    assert publisher.window.busy == 0
    await spread(world, publisher, range(3))
    assert publisher.window.busy == 3


async def test_a_broadcast_cancelled_when_its_turn_comes_gives_the_buffer_on(
    world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    publisher, ear = await world.publisher(num_buffers=1), await world.subscriber()
    await publisher.broadcast(0)
    first = asyncio.create_task(publisher.broadcast("cancelled"))
    second = asyncio.create_task(publisher.broadcast("sent"))
    await world.turns()
    give_back = publisher.window.give_back

    def give_back_and_cancel(token: int, holder: object = None) -> None:
        give_back(token, holder)
        first.cancel()

    monkeypatch.setattr(publisher.window, "give_back", give_back_and_cancel)
    assert await ear.recv() == 0
    async with asyncio.timeout(30):
        await asyncio.wait([first, second])
    assert first.cancelled()
    assert await ear.recv() == "sent"


async def test_leaky_subscribers_drop_the_oldest_and_let_go_of_it(world: Any) -> None:
    publisher, ear = await world.publisher(num_buffers=4), await world.subscriber(leaky=True, max_queue=2)
    await spread(world, publisher, range(50))
    await world.until(lambda: ear.subscriber.dropped == 48)
    assert await ear.take(2) == [48, 49]
    async with asyncio.timeout(30):
        await publisher.sync()


@pytest.mark.parametrize(("num_buffers", "max_queue"), [(1, 1), (1, 3), (2, 2), (4, 4), (9, 40)])
async def test_nobody_waits_for_a_leaky_subscriber(world: Any, num_buffers: int, max_queue: int) -> None:
    publisher = await world.publisher(num_buffers=num_buffers)
    ears = [await world.subscriber(leaky=True, max_queue=max_queue) for _ in range(2)]
    await spread(world, publisher, [np.full(100, number) for number in range(50)])
    for ear in ears:
        subscriber = ear.subscriber
        await world.until(lambda subscriber=subscriber: subscriber.dropped + subscriber.queued == 50)
        assert 1 <= subscriber.queued <= max_queue  # of one that is late for its turn some may be taken back
        for number in range(50 - subscriber.queued, 50):
            heard = await ear.recv()
            assert (heard == number).all()
            heard[:] = -1  # it is the receiver's own
    async with asyncio.timeout(30):
        await publisher.sync()
    assert publisher.window.busy == 0


@pytest.mark.parametrize("num_buffers", [1, 2, 8])
async def test_nobody_waits_while_a_leaky_subscriber_handles_a_message(world: Any, num_buffers: int) -> None:
    publisher = await world.publisher(num_buffers=num_buffers)
    ear = await world.subscriber(leaky=True, max_queue=num_buffers)
    held = []
    for number in range(num_buffers + 2):
        await spread(world, publisher, [np.full(100, number)])
        held.append(await ear.hold())
    await spread(world, publisher, [np.full(100, -1)] * 3 * num_buffers)
    for number, each in enumerate(held):
        assert (each.message == number).all()
        each.message[:] = number  # it is the receiver's own
        await each.release()


async def test_several_publishers_to_one_leaky_subscriber_never_wait(world: Any) -> None:
    sizes = [1, 2, 3, 16]
    publishers = [await world.publisher(f"OUT{size}", num_buffers=size) for size in sizes]
    for size in sizes:
        await world.context.connect(f"OUT{size}", "IN")
    ear = await world.subscriber("IN", leaky=True, max_queue=10)
    await asyncio.gather(
        *(
            spread(world, publisher, [(name, number) for number in range(25)])
            for name, publisher in enumerate(publishers)
        )
    )
    await world.until(lambda: ear.subscriber.dropped == 90)
    heard = await ear.take(10)
    for name in range(len(sizes)):
        numbers = [number for source, number in heard if source == name]
        assert numbers == list(range(25 - len(numbers), 25))
    async with asyncio.timeout(30):
        await asyncio.gather(*(publisher.sync() for publisher in publishers))


async def test_a_leaky_subscriber_says_once_that_messages_are_copied(
    world: Any, caplog: pytest.LogCaptureFixture
) -> None:
    await world.context.connect("OUT", "IN")
    first = await world.publisher(num_buffers=3)
    await world.subscriber("IN", leaky=True, max_queue=2)
    await world.subscriber("IN", max_queue=3)
    assert "copied" not in caplog.text
    await world.subscriber("IN", leaky=True, max_queue=3)
    again = await world.publisher(num_buffers=3)
    await spread(world, again, range(10)[:2])
    await spread(world, first, range(10)[:2])
    (said,) = [record.getMessage() for record in caplog.records if "copied" in record.getMessage()]
    for word in ("IN", "max_queue=3", "OUT", "num_buffers=3"):
        assert word in said


async def test_a_leaky_subscriber_costs_others_nothing(world: Any) -> None:
    publisher = await world.publisher(num_buffers=4)
    leaky, other = await world.subscriber(leaky=True), await world.subscriber()
    heard, _ = await asyncio.gather(listen(other, 50), spread(world, publisher, range(50)))
    assert heard == list(range(50))
    await world.until(lambda: leaky.subscriber.dropped == 49)
    assert await leaky.recv() == 49


@pytest.mark.parametrize("num_buffers", [2, 4, 32])
async def test_growing_messages_are_neither_lost_nor_out_of_order(world: Any, num_buffers: int) -> None:
    publisher = await world.publisher(num_buffers=num_buffers, buf_size=64)
    ear = await world.subscriber()
    sizes = [64 * 4**step for step in range(8)]
    messages = [np.full(size, number, np.uint8) for number, size in enumerate(sizes * 2)]

    async def check() -> None:
        for number, size in enumerate(sizes * 2):
            held = await ear.hold()
            assert held.message.shape == (size,)
            assert (held.message == number).all()
            await held.release()

    await asyncio.gather(check(), spread(world, publisher, messages))


async def test_a_burst_of_growing_messages_waits_for_its_reader(world: Any) -> None:
    publisher, ear = await world.publisher(num_buffers=8, buf_size=64), await world.subscriber()
    sizes = [64 * 4**step for step in range(8)]
    await spread(world, publisher, [np.full(size, size % 251, np.uint8) for size in sizes])
    for size in sizes:
        heard = await ear.recv()
        assert heard.shape == (size,)
        assert (heard == size % 251).all()


@pytest.mark.skipif(not PASSES_DESCRIPTORS, reason="segments with names are not handed over")
@pytest.mark.parametrize("transport", ["shm"], indirect=True)
async def test_messages_wait_in_order_while_their_segment_cannot_be_taken(
    world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    attempts = 0

    def reluctantly(*arguments: Any) -> bool:
        nonlocal attempts
        attempts += 1
        return attempts % 3 == 0 and hand_over(*arguments)

    monkeypatch.setattr(admission, "hand_over", reluctantly)
    publisher, ear = await world.publisher(num_buffers=8, buf_size=64), await world.subscriber()
    sizes = [64 * 4**step for step in range(8)]
    await spread(world, publisher, [np.full(size, size % 251, np.uint8) for size in sizes])
    publisher.close()
    async with asyncio.timeout(30):
        await publisher.wait_closed()
    assert publisher.undelivered == 0
    assert attempts > 3
    for size in sizes:
        heard = await ear.recv()
        assert heard.shape == (size,)
        assert (heard == size % 251).all()


# --- copies and views -------------------------------------------------------------------------------------------


async def test_recv_gives_a_copy_that_is_the_callers_own(world: Any) -> None:
    publisher = await world.publisher()
    ears = [await world.subscriber() for _ in range(2)]
    original = np.arange(10.0)
    original.flags.writeable = False
    await publisher.broadcast(original)
    copies = [await ear.recv() for ear in ears]
    for copy in copies:
        copy[:] = -1
    np.testing.assert_array_equal(original, np.arange(10.0))
    assert not np.shares_memory(*copies)


async def test_recv_copies_what_an_object_holds(world: Any) -> None:
    publisher, ear = await world.publisher(), await world.subscriber()
    original = {"samples": np.arange(10), "names": ["a"]}
    await publisher.broadcast(original)
    copy = await ear.recv()
    copy["samples"][:] = -1
    copy["names"].append("b")
    assert original["names"] == ["a"]
    np.testing.assert_array_equal(original["samples"], np.arange(10))


async def test_a_view_is_read_only_or_the_very_object(world: Any) -> None:
    publisher = await world.publisher()
    ears = [await world.subscriber() for _ in range(2)]
    original = np.arange(10.0)
    await publisher.broadcast(original)
    held = [await ear.hold() for ear in ears]
    for each in held:
        np.testing.assert_array_equal(each.message, original)
        if world.crosses_processes:
            assert not each.message.flags.writeable
            with pytest.raises(ValueError, match="WRITEABLE"):
                each.message.flags.writeable = True
        else:
            assert each.message is original
        await each.release()


async def test_a_view_that_is_kept_stays_readable(world: Any) -> None:
    publisher, ear = await world.publisher(num_buffers=2), await world.subscriber()
    await publisher.broadcast(np.arange(1000))
    held = await ear.hold()
    view = held.message
    await held.release()
    await ear.close()
    publisher.close()
    await publisher.wait_closed()
    np.testing.assert_array_equal(view, np.arange(1000))


# --- what cannot be sent ----------------------------------------------------------------------------------------


class Unpicklable:
    def __reduce__(self) -> Any:
        raise pickle.PicklingError("never")


class Wordless(Exception):
    def __str__(self) -> str:
        raise TypeError("no words")


class Rude:
    def __reduce__(self) -> Any:
        raise Wordless


class Poison:
    """Can be sent, and cannot be read."""

    def __reduce__(self) -> Any:
        return int, ("no number",)


@pytest.mark.parametrize("transport", ["shm", "tcp", "tls", "post", "zenoh", "router"], indirect=True)
async def test_what_cannot_be_encoded_is_sent_to_nobody(world: Any) -> None:
    publisher, ear = await world.publisher(num_buffers=2), await world.subscriber()
    mixed = await world.context.subscriber("OUT")
    await publisher.broadcast(0)
    for bad in [Unpicklable(), [np.arange(100_000), Unpicklable()], Rude(), lambda: 0]:
        with pytest.raises(UnencodableMessage, match="OUT"):
            await publisher.broadcast(bad)
    await publisher.broadcast(1)
    assert await ear.take(2) == [0, 1]
    assert [await mixed.recv() for _ in range(2)] == [0, 1]
    assert publisher.next_message == 2


@pytest.mark.parametrize("transport", ["shm", "tcp", "tls", "post", "zenoh", "router"], indirect=True)
async def test_what_cannot_be_decoded_is_let_go_of(world: Any) -> None:
    publisher, ear = await world.publisher(num_buffers=2), await world.subscriber()
    await publisher.broadcast(Poison())
    await publisher.broadcast(Poison())
    with pytest.raises(ValueError, match="no number"):
        await ear.recv()
    with pytest.raises(ValueError, match="no number"):
        await ear.hold()
    await spread(world, publisher, [1, 2])
    assert await ear.take(2) == [1, 2]


# --- the end ----------------------------------------------------------------------------------------------------


async def test_closed_endpoints_say_so(world: Any) -> None:
    publisher, ear = await world.publisher(), await world.subscriber()
    publisher.close()
    publisher.close()
    await publisher.wait_closed()
    with pytest.raises(EndpointClosed, match="publisher of OUT"):
        await publisher.broadcast(1)
    await ear.close()
    await ear.close()
    with pytest.raises(EndpointClosed, match="subscriber of OUT"):
        await ear.recv()
    with pytest.raises(EndpointClosed):
        await ear.hold()


async def test_closing_ends_who_waits(world: Any) -> None:
    publisher, ear = await world.publisher(num_buffers=1), await world.subscriber()
    paused = await world.publisher("PAUSED", start_paused=True)
    waiting = asyncio.create_task(ear.recv())
    await world.turns()
    await ear.close()
    with pytest.raises(EndpointClosed):
        await waiting

    other = await world.subscriber()
    await publisher.broadcast(0)
    blocked = [asyncio.create_task(publisher.broadcast(number)) for number in range(2)]
    blocked.append(asyncio.create_task(paused.broadcast(1)))
    await world.turns()
    publisher.close()
    paused.close()
    for task in blocked:
        with pytest.raises(EndpointClosed):
            await task
    assert await other.recv() == 0
    await publisher.wait_closed()
    assert publisher.undelivered == 0


async def test_a_cancelled_recv_loses_nothing(world: Any) -> None:
    publisher, ear = await world.publisher(num_buffers=2), await world.subscriber()
    heard: list[int] = []

    async def impatient() -> None:
        attempt = 0
        while len(heard) < 100:
            receiving = asyncio.create_task(ear.recv())
            for _ in range(attempt % 4):
                await asyncio.sleep(0)
            attempt += 1
            if world.is_elsewhere or receiving.done():
                heard.append(await receiving)
                continue
            receiving.cancel()
            await asyncio.wait([receiving])
            if not receiving.cancelled():
                heard.append(receiving.result())

    async with asyncio.timeout(30):
        await asyncio.gather(impatient(), spread(world, publisher, range(100)))
    assert heard == list(range(100))


async def test_several_may_receive_from_one_subscriber(world: Any) -> None:
    publisher, ear = await world.publisher(num_buffers=4), await world.subscriber()
    *heard, _ = await asyncio.gather(*(listen(ear, 20) for _ in range(5)), spread(world, publisher, range(100)))
    assert sorted(number for part in heard for number in part) == list(range(100))
    assert all(part == sorted(part) for part in heard)


async def test_closing_delivers_what_was_published(world: Any) -> None:
    publisher, ear = await world.publisher(num_buffers=32), await world.subscriber()
    await spread(world, publisher, [np.full(5000, number) for number in range(20)])
    publisher.close()
    async with asyncio.timeout(30):
        await publisher.wait_closed()
    assert publisher.undelivered == 0
    assert [int(array[-1]) for array in await ear.take(20)] == list(range(20))


@pytest.mark.parametrize("transport", ["shm", "tcp", "tls"], indirect=True)
async def test_closing_waits_for_a_reader_only_where_it_must(world: Any) -> None:
    """Memory without a name is there for its reader even when its publisher is gone."""
    publisher, ear = await world.publisher(), await world.subscriber()
    (link,) = publisher._exchange._links._ours
    link._transport.pause_reading()
    await spread(world, publisher, range(3))
    publisher.close()
    closing = asyncio.create_task(publisher.wait_closed())
    if world.transport == "shm" and PASSES_DESCRIPTORS:
        async with asyncio.timeout(30):
            await closing
    else:
        for _ in range(5):  # more than leaving the graph would take
            assert await world.is_blocked(closing)
    link._transport.resume_reading()
    assert await ear.take(3) == [0, 1, 2]
    async with asyncio.timeout(30):
        await closing
    assert publisher.undelivered == 0


async def test_giving_up_the_wait_does_not_stop_the_close(world: Any) -> None:
    publisher, ear = await world.publisher(), await world.subscriber()
    await publisher.broadcast(1)
    publisher.close()
    waiting = asyncio.create_task(publisher.wait_closed())
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.wait([waiting])
    assert await ear.recv() == 1
    async with asyncio.timeout(30):
        await publisher.wait_closed()
    assert publisher.id not in publisher._exchange.publishers


async def test_a_publisher_that_left_leaves_nothing_on_the_link(world: Any) -> None:
    ear = await world.subscriber()
    for number in range(5):
        publisher = await world.publisher()
        await publisher.broadcast(np.arange(number))
        assert (await ear.recv()).shape == (number,)
        publisher.close()
        await publisher.wait_closed()
    exchange = ear.subscriber._exchange
    await world.until(lambda: not exchange._routes._routes)
    assert not exchange._opener._channels
    assert not exchange._opener._by_publisher
    links = exchange._links._all
    await world.until(lambda: not any(link.heard or link.fed for link in links))


# --- edges that change ------------------------------------------------------------------------------------------


async def test_what_is_queued_stays_whole_after_a_disconnect(world: Any) -> None:
    await world.context.connect("OUT", "KEPT")
    await world.context.connect("OUT", "GOES_ON")
    publisher = await world.publisher(num_buffers=8)
    kept, goes_on = await world.subscriber("KEPT"), await world.subscriber("GOES_ON")
    await spread(world, publisher, [np.full(1000, number) for number in range(4)])
    await world.until(lambda: kept.waiting == 4)
    await world.context.disconnect("OUT", "KEPT")

    heard, _ = await asyncio.gather(
        listen(goes_on, 104), spread(world, publisher, [np.full(1000, number) for number in range(4, 104)])
    )
    assert [int(array[0]) for array in heard] == list(range(104))
    for number in range(4):
        assert (await kept.recv() == number).all()
    assert kept.waiting == 0
    async with asyncio.timeout(30):
        await publisher.sync()


async def test_the_only_subscriber_keeps_what_is_queued_after_a_disconnect(world: Any) -> None:
    await world.context.connect("OUT", "IN")
    publisher, ear = await world.publisher(num_buffers=4), await world.subscriber("IN")
    await spread(world, publisher, [np.full(1000, number) for number in range(4)])
    await world.context.disconnect("OUT", "IN")
    other = await world.subscriber("OUT")
    blocked = asyncio.create_task(publisher.broadcast(np.full(1000, 4)))
    assert await world.is_blocked(blocked)  # its slots are not used again while somebody may read them
    for number in range(4):
        assert (await ear.recv() == number).all()
    async with asyncio.timeout(30):
        await blocked
    assert (await other.recv() == 4).all()


async def test_a_disconnect_takes_nothing_back_and_brings_nothing_new(world: Any) -> None:
    await world.context.connect("OUT", "IN")
    publisher, ear = await world.publisher(num_buffers=16), await world.subscriber("IN")
    for round_ in range(10):
        await spread(world, publisher, [(round_, number) for number in range(10)])
        await world.context.disconnect("OUT", "IN")
        await publisher.broadcast("to nobody")
        await world.context.connect("OUT", "IN")
        assert await ear.take(10) == [(round_, number) for number in range(10)]
    assert ear.waiting == 0


@pytest.mark.parametrize("transport", ["shm", "tcp", "tls"], indirect=True)
@pytest.mark.parametrize("how", ["disconnected", "closed"])
async def test_what_is_still_in_the_socket_comes_after_a_route_is_taken_back(world: Any, how: str) -> None:
    """The graph server may be quicker than the publisher's own words."""
    await world.context.connect("OUT", "IN")
    publisher = await world.publisher(num_buffers=16)
    ears = [await world.subscriber("IN") for _ in range(2)]
    exchange = publisher._exchange
    (link,) = exchange._links._ours
    link._transport.pause_reading()
    await spread(world, publisher, range(10))
    if how == "disconnected":
        leaving = asyncio.create_task(world.context.disconnect("OUT", "IN"))
    else:  # the server believes that the publisher is gone, as when its process was killed
        leaving = asyncio.create_task(exchange._tell_withdrawn(publisher.id))
    await world.until(lambda: not exchange._routes._routes)
    await world.turns()
    assert [ear.waiting for ear in ears] == [0, 0]
    link._transport.resume_reading()
    for ear in ears:
        assert await ear.take(10) == list(range(10))
    await leaving


async def test_edges_may_change_while_messages_flow(world: Any) -> None:
    await world.context.connect("OUT", "STEADY")
    publisher = await world.publisher(num_buffers=4)
    steady, changing = await world.subscriber("STEADY"), await world.subscriber("CHANGING")
    done = False
    heard: list[int] = []

    async def change() -> None:
        nonlocal done
        for _ in range(10):
            await world.context.connect("OUT", "CHANGING")
            await world.context.disconnect("OUT", "CHANGING")
        done = True

    async def publish() -> int:
        number = 0
        while not done:
            await publisher.broadcast(number)
            number += 1
        await publisher.broadcast(None)
        return number

    async def drink() -> None:
        while True:
            heard.append(await changing.recv())

    drinking = asyncio.create_task(drink())
    steadily: list[int] = []

    async def listen_to_all() -> None:
        while (message := await steady.recv()) is not None:
            steadily.append(message)

    async with asyncio.timeout(30):
        _, published, _ = await asyncio.gather(change(), publish(), listen_to_all())
    assert steadily == list(range(published))
    await world.until(lambda: changing.waiting == 0)
    await changing.close()
    with pytest.raises(EndpointClosed):
        await drinking
    assert heard == sorted(set(heard))


# --- pause, resume, sync ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("by_service", [False, True])
async def test_pause_holds_back_and_resume_lets_go(world: Any, by_service: bool) -> None:
    publisher, ear = await world.publisher(), await world.subscriber()
    operator: Any = ez.GraphService(world.address) if by_service else world.context
    await operator.pause()
    assert not publisher.running
    held_back = asyncio.create_task(publisher.broadcast(1))
    assert await world.is_blocked(held_back)
    assert ear.waiting == 0
    await operator.resume()
    async with asyncio.timeout(30):
        await held_back
        assert await ear.recv() == 1
        await operator.sync()


async def test_a_message_that_waits_long_for_resume_is_told_once(
    world: Any, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publishers, "PAUSE_TOLD_S", 0.01)
    publisher, ear = await world.publisher(), await world.subscriber()
    async with asyncio.timeout(30):
        await publisher.sync()
        waiting = [asyncio.create_task(publisher.broadcast(number)) for number in range(3)]
        await world.until(lambda: "resume()" in caplog.text)
        for each in waiting:
            assert await world.is_blocked(each)
        publisher.resume()
        assert [await ear.recv() for _ in waiting] == [0, 1, 2]
    told = [record for record in caplog.records if "is paused" in record.message]
    assert len(told) == 1
    assert "let nothing leave until resume()" in told[0].message


async def test_pausing_again_at_once_still_holds_back(world: Any) -> None:
    publisher, ear = await world.publisher(start_paused=True), await world.subscriber()
    held_back = asyncio.create_task(publisher.broadcast(1))
    await world.turns()
    publisher.resume()
    publisher.pause()
    assert await world.is_blocked(held_back)
    publisher.resume()
    assert await ear.recv() == 1


async def test_sync_waits_for_what_is_out_and_lets_nothing_more_out(world: Any) -> None:
    publisher, ear = await world.publisher(num_buffers=4), await world.subscriber()
    await spread(world, publisher, range(2))
    syncing = asyncio.create_task(world.context.sync(timeout=30))
    await world.until(lambda: publisher.window._awaiting_return)
    assert not publisher.running
    held_back = asyncio.create_task(publisher.broadcast(2))
    assert await ear.recv() == 0
    assert await world.is_blocked(syncing)
    assert await ear.recv() == 1
    async with asyncio.timeout(30):
        await syncing
        assert not held_back.done()
        await world.context.resume()
        await held_back
    assert publisher.window.busy == 1


async def test_sync_has_a_deadline(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    publisher, ear = await world.publisher(num_buffers=4), await world.subscriber()
    await spread(world, publisher, range(2))
    monkeypatch.setattr(publishers, "DEFAULT_TIMEOUT", 0.05)
    for seconds in (None, 0.01):
        with pytest.raises(DeadlineExceeded, match="sync"):
            await publisher.sync(seconds)
    assert not publisher.running
    for number in range(2):
        assert await ear.recv() == number
    async with asyncio.timeout(30):
        await publisher.sync(30)


@pytest.mark.parametrize("waiting", [1, 3])
async def test_what_waited_for_a_buffer_waits_on_while_paused(world: Any, waiting: int) -> None:
    publisher, ear = await world.publisher(num_buffers=1), await world.subscriber()
    await publisher.broadcast(0)
    held_back = [asyncio.create_task(publisher.broadcast(1 + number)) for number in range(waiting)]
    assert await world.is_blocked(held_back[0])
    syncing = asyncio.create_task(publisher.sync())
    assert await world.is_blocked(syncing)
    async with asyncio.timeout(30):
        assert await ear.recv() == 0
        await syncing
        await publisher.sync()  # nobody keeps the buffer while waiting
        assert await world.is_blocked(held_back[0])
        assert ear.waiting == 0
        publisher.resume()
        assert await ear.take(waiting) == [1 + number for number in range(waiting)]
        await asyncio.gather(*held_back)


# --- options ----------------------------------------------------------------------------------------------------

BAD_OPTIONS: list[dict[str, Any]] = [
    {"num_buffers": 0},
    {"num_buffers": -1},
    {"num_buffers": 2.5},
    {"num_buffers": True},
    {"num_buffers": 10**12},
    {"buf_size": 0},
    {"buf_size": "large"},
    {"buf_size": 2**63},
    {"port": -1},
    {"port": 65536},
    {"port": "http"},
    {"host": "192.0.2.1", "port": 0},
]


@pytest.mark.parametrize("transport", ["shm"], indirect=True)
async def test_impossible_options_are_refused(world: Any) -> None:
    for options in BAD_OPTIONS:
        with pytest.raises(InvalidOption, match=next(iter(options))):
            await world.publisher(**options)
    bad: dict[str, Any]
    for bad in [{"max_queue": 0}, {"max_queue": "1"}, {"max_queue": 1.5}, {"speed": 1}]:
        with pytest.raises(InvalidOption, match=next(iter(bad))):
            await world.subscriber(leaky=True, **bad)
    publisher, ear = await world.publisher(), await world.subscriber()
    await publisher.broadcast(1)
    assert await ear.recv() == 1


@pytest.mark.parametrize("transport", ["tcp", "tls"], indirect=True)
async def test_a_port_of_its_own_is_free_again_after_the_publisher(world: Any) -> None:
    ear = await world.subscriber()
    first = await world.publisher(host="127.0.0.1", port=0)
    port = first._exchange._own_addresses[first.id].port
    for number in range(2):
        await first.broadcast(number)
        assert await ear.recv() == number
        with pytest.raises(InvalidOption, match=str(port)):
            await world.publisher("OTHER", host="127.0.0.1", port=port)
        first.close()
        await first.wait_closed()
        first = await world.publisher(host="127.0.0.1", port=port)


# --- what it costs ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("transport", ["local", "shm", "tcp", "tls"], indirect=True)
async def test_memory_is_made_only_for_who_hears_over_shared_memory(world: Any) -> None:
    publisher = await world.publisher()
    await spread(world, publisher, [np.zeros(1000)] * 10)
    assert publisher._slots._segment is None
    ear = await world.subscriber()
    await spread(world, publisher, [np.zeros(1000)] * 10)
    assert (publisher._slots._segment is not None) == (world.transport == "shm")
    await ear.close()


@pytest.mark.parametrize("transport", ["shm", "tcp", "tls"], indirect=True)
async def test_no_socket_waits_to_fill_a_packet(world: Any) -> None:
    publisher, ear = await world.publisher(), await world.subscriber()
    await publisher.broadcast(1)
    assert await ear.recv() == 1
    sockets = [link._socket for link in publisher._exchange._links._all]
    assert len(sockets) == 2
    for each in sockets:
        if each.family != socket.AF_UNIX:
            assert each.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


# --- coming and going at the same moment ------------------------------------------------------------------------


async def test_the_last_may_leave_while_the_first_comes(world: Any) -> None:
    publisher, ear = await world.publisher(), await world.subscriber()
    for number in range(12):
        await publisher.broadcast(number)
        assert await ear.recv() == number
        publisher.close()
        leaving = [asyncio.create_task(publisher.wait_closed()), asyncio.create_task(ear.close())]
        if number % 2:
            await asyncio.wait(leaving[:1])
        for _ in range(number):
            await asyncio.sleep(0)
        publisher, ear = await world.publisher(), await world.subscriber()
        async with asyncio.timeout(30):
            await asyncio.gather(*leaving)


async def test_a_join_that_is_cancelled_leaves_nothing(world: Any) -> None:
    for turns in range(0, 40, 3):
        joining = asyncio.create_task(world.publisher() if turns % 2 else world.context.subscriber("OUT"))
        for _ in range(turns):
            await asyncio.sleep(0)
        joining.cancel()
        await asyncio.wait([joining])
        if not joining.cancelled():
            joining.result().close()
            await joining.result().wait_closed()
    publisher, ear = await world.publisher(), await world.subscriber()
    await publisher.broadcast(1)
    assert await ear.recv() == 1
