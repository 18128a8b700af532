"""A unit that publishes without end lets the others of its event loop have their turn."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import pairwise
from typing import Any

import pytest

import ezmsg.core as ez
from ezmsg.core.runtime import turns
from ezmsg.core.runtime.tasks import RunningUnit
from ezmsg.core.runtime.turns import BURST_MESSAGES, BURST_S, Turns


class Clock:
    """Time that passes when it is told to."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 100.0
        monkeypatch.setattr(turns, "monotonic", lambda: self.now)


def test_a_burst_ends_after_some_messages(monkeypatch: pytest.MonkeyPatch) -> None:
    Clock(monkeypatch)
    each = Turns()
    each.taken()
    for _ in range(3):
        assert [each.due() for _ in range(BURST_MESSAGES)] == [False] * (BURST_MESSAGES - 1) + [True]
        each.taken()


def test_a_burst_ends_after_some_time(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    each = Turns()
    assert each.due()
    each.taken()
    clock.now += BURST_S / 2
    assert not each.due()
    clock.now += BURST_S
    assert each.due()


class Outlet:
    """A publisher that nobody hears, and that never waits."""

    def __init__(self) -> None:
        self.count = 0

    async def broadcast(self, obj: object) -> None:
        self.count += 1


class Endless(ez.Unit):
    OUTPUT = ez.OutputStream(int)

    @ez.publisher(OUTPUT)
    async def send(self) -> Any:
        while True:
            yield self.OUTPUT, 1


async def test_others_have_their_turn_within_a_burst() -> None:
    unit = Endless()
    unit._set_name("A")
    unit._set_location([])
    outlet = Outlet()
    running = RunningUnit(unit, {"A/OUTPUT": outlet}, {})  # type: ignore[dict-item]
    (coroutine,) = running.coroutines().values()
    task = asyncio.ensure_future(coroutine)
    seen = []
    for _ in range(50):
        seen.append(outlet.count)
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])
    between = [after - before for before, after in pairwise(seen)]
    assert max(between) <= BURST_MESSAGES
    assert outlet.count >= 25


class Queued:
    """A subscriber for which messages wait, so that taking one makes nobody wait."""

    leaky = False
    watched = False
    tracer = None

    def __init__(self, count: int) -> None:
        self.left = count
        self.idle = asyncio.Event()

    @asynccontextmanager
    async def recv_zero_copy(self) -> AsyncIterator[int]:
        if not self.left:
            await self.idle.wait()
        self.left -= 1
        yield self.left

    def close(self) -> None: ...


class Blocking(ez.Unit):
    INPUT = ez.InputStream(int)

    @ez.subscriber(INPUT)
    def take(self, _: int) -> None:
        time.sleep(2 * BURST_S)  # what is under test is a function that keeps the event loop


async def test_who_reads_what_waits_gives_way_between_two_messages() -> None:
    unit = Blocking()
    unit._set_name("A")
    unit._set_location([])
    queued = Queued(20)
    running = RunningUnit(unit, {}, {"A/INPUT": queued})  # type: ignore[dict-item]
    (coroutine,) = running.coroutines().values()
    task = asyncio.ensure_future(coroutine)
    seen = []
    while queued.left:
        seen.append(queued.left)
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])
    assert len(seen) >= 20
