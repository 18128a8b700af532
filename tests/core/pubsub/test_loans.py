"""Arrays that a publisher lends to be filled: over every transport they arrive as any array does."""

import asyncio
from typing import Any

import numpy as np
import pytest

import ezmsg.core as ez
from ezmsg.core.errors import EndpointClosed, InvalidOption

shared = pytest.mark.parametrize("transport", ["shm"], indirect=True)


def lies_in_shared_memory(publisher: ez.Publisher, array: Any) -> bool:
    segment = publisher._slots.segment
    return segment is not None and np.shares_memory(array, np.frombuffer(segment.memory, np.uint8))


@pytest.mark.parametrize(
    ("shape", "dtype"),
    [
        *(((3, 4), np.float32), (7, float), ((), np.int16), ((2, 0), "u1")),
        *(((2, 3), "S5"), (4, "datetime64[us]"), (3, "?")),
    ],
)
async def test_what_is_filled_in_arrives(world: Any, shape: Any, dtype: Any) -> None:
    publisher, ear = await world.publisher(num_buffers=2), await world.subscriber()
    for number in range(5):
        async with publisher.loan(shape, dtype) as array:
            assert array.dtype == dtype
            array[...] = np.ones(shape, dtype) if array.dtype.kind == "M" else np.full(shape, number).astype(dtype)
            expected = array.copy()
            await publisher.broadcast(array)
        received = await ear.recv()
        assert received.dtype == expected.dtype
        assert received.shape == expected.shape
        assert received.tobytes() == expected.tobytes()


async def test_it_lies_where_it_is_to_go(world: Any) -> None:
    publisher, ear = await world.publisher(), await world.subscriber()
    async with publisher.loan((100, 10)) as array:
        assert lies_in_shared_memory(publisher, array) == (world.transport == "shm")
        array[...] = 7
        await publisher.broadcast(array)
        assert not array.flags.writeable  # others may see it by now
    held = await ear.hold()
    assert (held.message is array) == (world.transport in ("local", "threads"))
    assert (held.message == 7).all()
    await held.release()


@pytest.mark.parametrize("fails", [True, False])
async def test_what_is_not_sent_is_nobodys_message(world: Any, fails: bool) -> None:
    publisher, ear = await world.publisher(num_buffers=1), await world.subscriber()
    for _ in range(3):
        try:
            async with publisher.loan(3) as array:
                array[...] = 1
                assert not fails or 1 // 0
        except ZeroDivisionError:
            pass
    await publisher.broadcast("the only one")
    assert await ear.recv() == "the only one"
    assert publisher.next_message == 1


async def test_it_is_to_be_had_when_a_buffer_is_free(world: Any) -> None:
    publisher, ear = await world.publisher(num_buffers=1), await world.subscriber()
    await publisher.broadcast(0)

    async def send() -> None:
        async with publisher.loan(1) as array:
            array[...] = 1
            await publisher.broadcast(array)

    sending = asyncio.create_task(send())
    assert await world.is_blocked(sending)
    assert await ear.recv() == 0
    async with asyncio.timeout(30):
        await sending
    assert (await ear.recv()).tolist() == [1]


async def test_nobody_waits_for_what_was_never_sent(world: Any) -> None:
    publisher, ear = await world.publisher(num_buffers=2), await world.subscriber()
    async with publisher.loan(2) as array:
        await publisher.sync(timeout=30)
        array[...] = 5
        sending = asyncio.create_task(publisher.broadcast(array))
        assert await world.is_blocked(sending)  # until the publisher goes on
        publisher.resume()
        async with asyncio.timeout(30):
            await sending
    assert (await ear.recv()).tolist() == [5, 5]
    await publisher.sync(timeout=30)


async def test_others_may_be_sent_meanwhile_and_larger_ones(world: Any) -> None:
    publisher, ear = await world.publisher(buf_size=1000, num_buffers=4), await world.subscriber()
    async with publisher.loan(50) as first, publisher.loan(60) as second:
        first[...], second[...] = 1, 2
        await publisher.broadcast(np.full(10_000, 3.0))
        await publisher.broadcast(second)
        await publisher.broadcast(first)
    received = [(len(each), each[0], each[-1]) for each in await ear.take(3)]
    assert received == [(10_000, 3, 3), (60, 2, 2), (50, 1, 1)]


@shared
@pytest.mark.parametrize("part", [lambda array: array, lambda array: array[1:], lambda array: {"data": array}])
async def test_what_another_publisher_hands_on_here_is_not_filled_again(world: Any, part: Any) -> None:
    publisher, ear = await world.publisher(num_buffers=1), await world.subscriber()
    other, here = await world.context.publisher("B"), await world.context.subscriber("B")
    async with publisher.loan(4) as array:
        array[...] = 1
        await publisher.broadcast(array)
        await other.broadcast(part(array))
    assert (await ear.recv()).tolist() == [1, 1, 1, 1]
    async with publisher.loan(4) as again:
        again[...] = 2
    received = await here.recv()
    assert np.all((received["data"] if isinstance(received, dict) else received) == 1)


@shared
async def test_an_interrupted_send_leaves_the_loan_as_it_was(world: Any) -> None:
    publisher, ear = await world.publisher(num_buffers=2), await world.subscriber()
    async with publisher.loan(4) as array:
        array[...] = 1
        publisher.pause()
        sending = asyncio.create_task(publisher.broadcast(array))
        assert await world.is_blocked(sending)
        sending.cancel()
        await asyncio.wait({sending})
        publisher.resume()
        await publisher.broadcast(np.full(4, 7.0))
        array[0] = 5  # it is still on loan
        await publisher.broadcast(array)
    assert [each.tolist() for each in await ear.take(2)] == [[7, 7, 7, 7], [5, 1, 1, 1]]
    await publisher.sync(timeout=30)


async def test_what_is_sent_after_its_block_in_another_task_is_an_error(world: Any) -> None:
    publisher, ear = await world.publisher(num_buffers=2), await world.subscriber()
    async with publisher.loan(4) as array:
        publisher.pause()
        sending = asyncio.create_task(publisher.broadcast(array))
        assert await world.is_blocked(sending)
    publisher.resume()
    with pytest.raises(InvalidOption, match="its block has ended"):
        await sending
    await publisher.broadcast(np.zeros(1))
    assert (await ear.recv()).tolist() == [0]


async def test_each_call_lends_once(world: Any) -> None:
    publisher, _ = await world.publisher(num_buffers=2), await world.subscriber()
    loan = publisher.loan(4)
    async with loan:
        with pytest.raises(InvalidOption, match="each call"):
            await loan.__aenter__()
    assert not publisher.window.busy


async def test_who_lends_all_and_waits_for_itself_is_told_so(world: Any, caplog: pytest.LogCaptureFixture) -> None:
    publisher, _ = await world.publisher(num_buffers=1), await world.subscriber()
    async with publisher.loan(4) as array:
        waiting = asyncio.create_task(publisher.broadcast(array[:2]))
        assert await world.is_blocked(waiting)
        assert "has lent all its buffers (1)" in caplog.text
        assert "backpressure" not in caplog.text
    await asyncio.wait_for(waiting, 30)


@shared
async def test_large_loans_give_way_as_large_messages_do(world: Any) -> None:
    publisher, _ = await world.publisher(num_buffers=32), await world.subscriber()
    loop, turns = asyncio.get_running_loop(), 0

    def turn() -> None:
        nonlocal turns
        turns += 1
        if turns < 1000:
            loop.call_soon(turn)

    loop.call_soon(turn)
    for _ in range(20):
        async with publisher.loan(200_000) as array:
            await publisher.broadcast(array)
    assert turns >= 19


@shared
async def test_memory_that_is_being_filled_is_not_given_back(world: Any) -> None:
    publisher, ear = await world.publisher(), await world.subscriber()
    async with publisher.loan(2**18) as array:
        array[...] = 3
        for _ in range(3):
            publisher._slots.end_period()
            while publisher._slots.give_back(2**30):
                pass
        await publisher.broadcast(array)
    assert (await ear.recv() == 3).all()


async def test_without_a_subscriber_nobody_hears_it(world: Any) -> None:
    publisher = await world.publisher(num_buffers=1)
    for _ in range(3):
        async with publisher.loan(2) as array:
            await publisher.broadcast(array)
    assert publisher.next_message == 3


async def test_a_closed_publisher_lends_nothing_and_sends_nothing(world: Any) -> None:
    publisher = await world.publisher()
    await world.subscriber()
    async with publisher.loan(2) as array:
        publisher.close()
        with pytest.raises(EndpointClosed):
            await publisher.broadcast(array)
    with pytest.raises(EndpointClosed):
        await publisher.loan(2).__aenter__()


@pytest.mark.parametrize("dtype", [object, [("a", "f4"), ("b", "i2")]])
async def test_what_is_more_than_its_bytes_is_not_lent(world: Any, dtype: Any) -> None:
    publisher = await world.publisher()
    with pytest.raises(InvalidOption, match="cannot be lent"):
        await publisher.loan(2, dtype).__aenter__()


async def test_who_goes_while_an_array_is_on_loan_holds_nothing(world: Any) -> None:
    publisher, ear = await world.publisher(num_buffers=2), await world.subscriber()
    async with publisher.loan(8) as array:
        await ear.close()
        await publisher.broadcast(array)
    await world.until(lambda: not publisher.window.busy)


@pytest.mark.parametrize("transport", ["local"], indirect=True)
async def test_loans_that_never_wait_let_others_live(world: Any) -> None:
    publisher = await world.publisher()
    others_ran = asyncio.Event()

    async def publish() -> None:
        while not others_ran.is_set():  # nobody hears it, so that no buffer is ever missing
            async with publisher.loan(1) as array:
                await publisher.broadcast(array)

    publishing = asyncio.create_task(publish())
    asyncio.get_running_loop().call_soon(asyncio.get_running_loop().call_soon, others_ran.set)
    async with asyncio.timeout(30):
        await publishing
