"""A steady rate, on a clock of the test's own."""

import time
from typing import Any

import pytest

from ezmsg.core.errors import InvalidOption
from ezmsg.util.rate import Rate


class Clock:
    now = 100.0

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    async def sleep_async(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(time, "perf_counter", lambda: clock.now)
    monkeypatch.setattr(time, "sleep", clock.sleep)
    monkeypatch.setattr("asyncio.sleep", clock.sleep_async)
    return clock


async def test_periods_are_kept_whatever_is_done_in_them(clock: Clock) -> None:
    rate = Rate(4.0)
    for number in range(1, 5):
        assert rate.remaining() == pytest.approx(0.25)
        clock.now += 0.05 * number
        if number % 2:
            await rate.sleep()
        else:
            rate.sleep_sync()
        assert clock.now == pytest.approx(100.0 + 0.25 * number)


def test_who_is_late_is_not_made_to_hurry(clock: Clock) -> None:
    rate = Rate(4.0)
    clock.now += 1.0
    assert rate.remaining() == pytest.approx(-0.75)
    rate.sleep_sync()
    assert clock.now == 101.0
    rate.sleep_sync()
    assert clock.now == pytest.approx(101.25)


@pytest.mark.parametrize("hz", [0.0, -1.0, float("nan")])
def test_no_rate(hz: Any) -> None:
    with pytest.raises(InvalidOption, match="a rate is above zero"):
        Rate(hz)
