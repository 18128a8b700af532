"""Whom a publisher waits for in programs without units, which take messages each in its own way."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import pytest

import ezmsg.core as ez
from ezmsg.control import ControlConnection, ProcessControlClient, take_snapshot
from ezmsg.control.profiling.blame import Blame, measure_blame
from ezmsg.core.profiling.offer import ProfileOffer

HANG = 30.0
BUFFERS = 4

Taking = Callable[[ez.Subscriber], Coroutine[Any, Any, None]]


def held_for(seconds: float) -> Taking:
    """Take messages, and hold each for a while."""

    async def take(subscriber: ez.Subscriber) -> None:
        while True:
            async with subscriber.recv_zero_copy():
                await asyncio.sleep(seconds)

    return take


@asynccontextmanager
async def held_up(slow: Taking, quick: Taking, broadcasts: int = 1) -> AsyncIterator[ControlConnection]:
    """A publisher that cannot go on before both subscribers have, one of them slow, all on this event loop."""
    server = ez.GraphServer()
    server.start(("127.0.0.1", 0))
    try:
        async with ez.GraphContext(server.address, auto_start=False) as context:
            process = ProcessControlClient(server.address)
            process.set_profiling(ProfileOffer())
            await process.register(["UNIT"])
            subscribers = [await context.subscriber(topic) for topic in ("SLOW", "QUICK")]
            for topic in ("SLOW", "QUICK"):
                await context.connect("SOURCE", topic)
            publisher = await context.publisher("SOURCE", num_buffers=BUFFERS)
            got_going = asyncio.Event()

            async def produce() -> None:
                number = 0
                while True:
                    await publisher.broadcast(b"x")
                    number += 1
                    if number == BUFFERS:  # the next one waits
                        got_going.set()

            tasks = [asyncio.create_task(produce()) for _ in range(broadcasts)]
            for take, subscriber in zip((slow, quick), subscribers, strict=True):
                tasks.append(asyncio.create_task(take(subscriber)))
            connection = await ControlConnection.open(server.address)
            try:
                async with asyncio.timeout(HANG):
                    await got_going.wait()
                yield connection
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
                for endpoint in (publisher, *subscribers):
                    endpoint.close()
                    await endpoint.wait_closed()
                await connection.close()
                await process.close()
    finally:
        server.stop()


@pytest.fixture(autouse=True)
def quiet(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EZMSG_RUNTIME_DIR", str(tmp_path / "run"))
    monkeypatch.setenv("EZMSG_DISABLE_BACKPRESSURE_WARNING", "1")


def shares(found: Blame) -> dict[str, float]:
    return {culprit.topic: culprit.share for culprit in found.culprits}


async def test_two_that_measure_leave_each_other_alone() -> None:
    async with held_up(held_for(0.02), held_for(0.0005)) as connection:
        sessions = (await take_snapshot(connection)).sessions.keys()
        measured = [measure_blame(connection, "SOURCE", window_s=window_s) for window_s in (0.3, 1.5)]
        for found in await asyncio.gather(*measured):
            worst = found.culprits[0]
            assert worst.topic == "SLOW", found
            assert worst.share > 0.6, found
            assert worst.busy_share > 0.3, found
            assert found.gaps == []
        assert (await take_snapshot(connection)).sessions.keys() == sessions, "its own are still there"


async def copied_for(subscriber: ez.Subscriber) -> None:
    """Take copies of messages, and work on them when nothing is held any more."""
    while True:
        await subscriber.recv()
        await asyncio.sleep(0.02)


@pytest.mark.parametrize("slow", [copied_for, held_for(0.9), held_for(5.0)], ids=["copies", "long", "longer"])
async def test_the_slow_one_is_named(slow: Taking) -> None:
    async with held_up(slow, held_for(0.0005)) as connection:
        found = await measure_blame(connection, "SOURCE", window_s=1.0)
        assert shares(found)["SLOW"] > 0.6, found


async def test_several_messages_that_wait_at_once_wait_no_longer_than_the_window() -> None:
    async with held_up(held_for(0.02), held_for(0.0005), broadcasts=4) as connection:
        found = await measure_blame(connection, "SOURCE", window_s=0.5)
        assert 0.5 < found.share <= 1.0, found
        assert shares(found)["SLOW"] > 0.6, found
