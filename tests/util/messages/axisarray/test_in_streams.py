"""Arrays with named axes through real channels: what a channel is told of them comes first, for whoever joins."""

import asyncio
from collections.abc import AsyncIterator

import numpy as np
import pytest
import pytest_asyncio
from tests.util.messages.axisarray.test_encoding import check
from tests.util.messages.axisarray.test_parting import signal

import ezmsg.core as ez
from ezmsg.core.pubsub.publisher import Publisher
from ezmsg.core.pubsub.subscriber import Subscriber
from ezmsg.util.messages.axisarray import CoordinateAxis, replace

HANG = 30


@pytest_asyncio.fixture
async def context() -> AsyncIterator[ez.GraphContext]:
    server = ez.GraphServer()
    server.start()
    async with asyncio.timeout(2 * HANG), ez.GraphContext(server.address) as context:
        yield context
    server.stop()


async def expect(subscriber: Subscriber, kind: str, *numbers: int, names: str = "ab") -> None:
    for number in numbers:
        async with asyncio.timeout(HANG):
            check(await subscriber.recv(), signal(number, names))
        assert subscriber.kind_last == kind


ways = pytest.mark.parametrize(("force_tcp", "kind"), [(False, "SHM"), (True, "TCP")])


async def joined(context: ez.GraphContext, force_tcp: bool) -> Publisher:
    return await context.publisher("T", force_tcp=force_tcp, allow_local=False)


@ways
async def test_who_comes_late_gets_what_it_needs(context: ez.GraphContext, force_tcp: bool, kind: str) -> None:
    publisher, early = await joined(context, force_tcp), await context.subscriber("T")
    for number in range(3):
        await publisher.broadcast(signal(number))
    await expect(early, kind, 0, 1, 2)
    early.close()
    await early.wait_closed()
    late = await context.subscriber("T")
    await publisher.broadcast(signal(3))
    await publisher.broadcast(signal(4, "xy"))
    await expect(late, kind, 3)
    await expect(late, kind, 4, names="xy")


@ways
async def test_a_publisher_that_begins_anew_begins_with_its_axes(
    context: ez.GraphContext, force_tcp: bool, kind: str
) -> None:
    subscriber = await context.subscriber("T")
    for names in ("ab", "xy"):
        publisher = await joined(context, force_tcp)
        await publisher.broadcast(signal(0, names))
        await publisher.broadcast(signal(1, names))
        publisher.close()
        await publisher.wait_closed()
        await expect(subscriber, kind, 0, 1, names=names)


@ways
async def test_several_publishers_and_a_leaky_subscriber(
    context: ez.GraphContext, force_tcp: bool, kind: str
) -> None:
    publishers = [await joined(context, force_tcp) for _ in range(2)]
    leaky = await context.subscriber("T", leaky=True, max_queue=2)
    loyal = await context.subscriber("T")
    for number in range(20):
        for publisher, names in zip(publishers, ("ab", "xyz"), strict=True):
            await publisher.broadcast(signal(number, names))
            await expect(loyal, kind, number, names=names)
    for names in ("ab", "xyz"):
        await expect(leaky, kind, 19, names=names)
    assert leaky.dropped == 38


async def test_views_of_what_is_fixed_are_read_only_and_stay(context: ez.GraphContext) -> None:
    publisher, subscriber = await joined(context, False), await context.subscriber("T")
    await publisher.broadcast(signal(0))
    await publisher.broadcast(replace(signal(1), axes={"ch": CoordinateAxis(np.array(["c", "d"]), ["ch"])}))
    async with asyncio.timeout(HANG), subscriber.recv_zero_copy() as message:
        kept = message.axes["ch"]
        with pytest.raises(ValueError, match="read-only"):
            kept.data[0] = "z"
    async with asyncio.timeout(HANG), subscriber.recv_zero_copy() as message:
        assert message.axes["ch"].data.tolist() == ["c", "d"]
    assert kept.data.tolist() == ["a", "b"]


async def test_it_can_be_switched_off(context: ez.GraphContext, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EZMSG_DISABLE_AXIS_ELISION", "1")
    publisher, subscriber = await joined(context, False), await context.subscriber("T")
    assert publisher._forms is None
    await publisher.broadcast(signal(0))
    await expect(subscriber, "SHM", 0)
