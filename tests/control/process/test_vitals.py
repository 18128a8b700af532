"""How late an event loop is, asked from beside it."""

import asyncio
import threading
import time
from collections.abc import Iterator

import pytest

from ezmsg.control.process.vitals import LatenessProbe

HANG = 30.0


class Beside(threading.Thread):
    """An event loop in a thread, which can be blocked."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()

    def run(self) -> None:
        self.loop.run_forever()
        self.loop.close()

    def block(self) -> threading.Event:
        """Block it until the event that is returned is set."""
        blocked, go_on = threading.Event(), threading.Event()

        def wait() -> None:
            blocked.set()
            go_on.wait(HANG)

        self.loop.call_soon_threadsafe(wait)
        assert blocked.wait(HANG)
        return go_on


@pytest.fixture
def beside() -> Iterator[Beside]:
    beside = Beside()
    beside.start()
    yield beside
    beside.loop.call_soon_threadsafe(beside.loop.stop)
    beside.join(HANG)
    assert not beside.is_alive()


async def test_a_loop_that_is_blocked_is_late_by_how_long_it_has_been(
    beside: Beside, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ezmsg.control.process.vitals.MOVES_EVERY_S", 0.02)
    probe = LatenessProbe(beside.loop)
    probe.watch()
    go_on = beside.block()
    began_s = time.monotonic()
    await asyncio.sleep(0.5)  # it is the time that it tells
    late_s = await probe.lateness_s()
    assert late_s is not None
    assert 0.4 < late_s <= time.monotonic() - began_s + 0.1
    go_on.set()
    async with asyncio.timeout(HANG):
        while (await probe.lateness_s() or HANG) > 0.3:  # the one that was asked for meanwhile comes first
            pass
    probe.unwatch()


async def test_a_loop_that_is_closed_has_no_lateness() -> None:
    loop = asyncio.new_event_loop()
    probe = LatenessProbe(loop)
    loop.close()
    probe.watch()
    probe.unwatch()
    assert await probe.lateness_s() is None
