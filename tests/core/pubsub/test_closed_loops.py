"""A subscriber whose event loop was closed without a word holds up nobody."""

import asyncio
import threading
from typing import Any

import pytest

import ezmsg.core as ez
from ezmsg.control.connection import sharing
from ezmsg.core.pubsub import exchange as exchanges

HANG = 30.0


@pytest.fixture
def transport() -> str:
    """The test brings the other event loop itself."""
    return "local"


@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning", "ignore:.*was never awaited:RuntimeWarning")
@pytest.mark.parametrize("already_waiting", [False, True])
async def test_its_publisher_goes_on(world: Any, already_waiting: bool) -> None:
    publisher = await world.publisher("T", num_buffers=2)
    loop = asyncio.new_event_loop()
    may_end = threading.Event()

    async def forget() -> None:
        await ez.Subscriber.create("T", world.address)
        await asyncio.to_thread(may_end.wait, HANG)

    def live() -> None:
        asyncio.Runner(loop_factory=lambda: loop).run(forget())
        loop.close()

    thread = threading.Thread(target=live)
    thread.start()
    async with asyncio.timeout(HANG):
        await world.until(lambda: publisher._senders)
        for number in range(2):
            await publisher.broadcast(number)
        blocked = [asyncio.create_task(publisher.broadcast(2))] if already_waiting else []
        await world.turns()
        may_end.set()
        await asyncio.to_thread(thread.join, HANG)
        assert publisher.window.busy == 2
        await asyncio.gather(*blocked)
        for number in range(4):
            await publisher.broadcast(number)
    publisher.close()
    await publisher.wait_closed()
    sweep(loop)


def sweep(loop: asyncio.AbstractEventLoop) -> None:
    """Do what the next one to join would do."""
    for exchange in [known for known in exchanges._exchanges.values() if known._loop is loop]:
        del exchanges._exchanges[exchange.id]
    for shared in [known for known in sharing._all if known.loop is loop]:
        sharing._forget(shared)
