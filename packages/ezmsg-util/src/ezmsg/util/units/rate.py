"""A steady rate: what is done in a loop is done so many times a second, whatever it takes itself."""

import asyncio
import time

from ezmsg.core.errors import InvalidOption

__all__ = ["Rate"]


class Rate:
    """Sleeps for what is left of a period, time after time.

    Who is late is not made to hurry: the next period begins when the late one is over.

    :param hz: periods in a second.
    :raises InvalidOption: if it is not above zero.
    """

    last_time: float
    """When the present period began, in seconds of ``time.perf_counter()``."""
    sleep_dur: float
    """How long a period is, in seconds."""

    def __init__(self, hz: float) -> None:
        if not hz > 0:
            raise InvalidOption(option="hz", value=repr(hz), reason="a rate is above zero")
        self.last_time = time.perf_counter()
        self.sleep_dur = 1.0 / hz

    def remaining(self) -> float:
        """Return how long the present period still is, in seconds; below zero, how long it has been over."""
        return self.last_time + self.sleep_dur - time.perf_counter()

    async def sleep(self) -> None:
        """Sleep until the period is over, and begin the next one."""
        await asyncio.sleep(self._next())

    def sleep_sync(self) -> None:
        """Sleep until the period is over, and begin the next one; the thread does nothing else."""
        time.sleep(self._next())

    def _next(self) -> float:
        left = self.remaining()
        self.last_time += self.sleep_dur if left > 0 else self.sleep_dur - left
        return max(left, 0.0)
