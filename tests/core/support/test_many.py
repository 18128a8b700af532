"""Many calls at a time: outcomes in order, so many at once at most, none after who stops to look."""

import asyncio

import pytest

from ezmsg.core.support.many import AT_ONCE, outcomes


@pytest.mark.parametrize("count", [0, 1, AT_ONCE, 2 * AT_ONCE + 1])
async def test_outcomes_come_in_order(count: int) -> None:
    under_way = most = 0

    async def call(number: int) -> int:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        for _ in range(1 + number % 3):
            await asyncio.sleep(0)
        under_way -= 1
        if number % 5 == 4:
            raise ValueError(number)
        return number

    seen = 0
    async for number, outcome in outcomes(call, range(count)):
        assert number == seen
        seen += 1
        if number % 5 == 4:
            assert isinstance(outcome, ValueError)
            assert outcome.args == (number,)
        else:
            assert outcome == number
    assert seen == count
    assert most == min(count, AT_ONCE)


async def test_who_stops_to_look_begins_no_others() -> None:
    begun: list[int] = []

    async def call(number: int) -> None:
        begun.append(number)

    async for _ in outcomes(call, range(3 * AT_ONCE)):
        break
    assert begun == list(range(AT_ONCE))
