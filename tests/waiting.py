"""How tests wait for what other threads and callbacks bring about, and nothing tells."""

import asyncio
from collections.abc import Callable

HANG = 30.0
"""Only there to end a test that would hang, in seconds."""


async def until(true: Callable[[], object]) -> None:
    """Wait until something is so."""
    async with asyncio.timeout(HANG):
        while not true():  # noqa: ASYNC110  there is no event for it
            await asyncio.sleep(0.002)
