"""Many awaited calls, which mostly wait for answers: so many at a time, their outcomes in order."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import TypeVar

AT_ONCE = 256
"""How many are under way at a time."""

I = TypeVar("I")  # noqa: E741
T = TypeVar("T")


async def outcomes(
    call: Callable[[I], Awaitable[T]], items: Sequence[I]
) -> AsyncIterator[tuple[I, T | BaseException]]:
    """Yield each item with what ``call`` returned for it, or raised; who stops to look begins no others."""
    for first in range(0, len(items), AT_ONCE):
        some = items[first : first + AT_ONCE]
        for item, outcome in zip(some, await asyncio.gather(*map(call, some), return_exceptions=True), strict=True):
            yield item, outcome
