"""Who looks into a ring: the event loop at each of its turns while that pays, and else when the bell rings.

A look costs less than a tenth of a system call, and finds what came without that anybody was woken. How long it is
worth to look goes by time, not by turns: ten turns are nothing beside the copy of a megabyte.
"""

import asyncio
from collections.abc import Callable
from time import monotonic

from ezmsg.core.transports.busy_wait import Payoff, give_way
from ezmsg.core.transports.rings.ring import Ring

FOLLOW_S = 0.00005
"""How long to look for more after something came, in seconds. What comes more rarely is worth being woken for."""


class RingWatch:
    """Calls ``look``, which reads what is there and returns whether that was anything.

    :param wait_s: how long to look for an answer after something was sent, in seconds; 0 is never.
    """

    def __init__(
        self, loop: asyncio.AbstractEventLoop, wait_s: float, ring: Ring, look: Callable[[], bool]
    ) -> None:
        self._loop = loop
        self._wait_s = wait_s
        self._follow_s = min(FOLLOW_S, wait_s)
        self._ring = ring
        self._look = look
        self._until_s = 0.0
        self._turning = False
        self._closed = False
        self._payoff = Payoff(wait_s)

    def sent(self, now_s: float) -> None:
        """Something was sent."""
        self._until_s = now_s + self._wait_s
        if not self._turning and self._payoff.expected(now_s):
            self._begin()

    def heard(self) -> None:
        """The bell rang."""
        if self._turning:
            return
        self._look()
        now_s = monotonic()
        self._until_s = now_s + self._follow_s
        if self._payoff.expected(now_s):
            self._begin()
        else:
            self._sleep()

    def close(self) -> None:
        """Look no more."""
        self._closed = True
        self._look = _nothing

    def _begin(self) -> None:
        self._turning = True
        self._ring.wake()
        self._loop.call_soon(self._turn)

    def _turn(self) -> None:
        came = self._look()
        if self._closed:
            return
        now_s = monotonic()
        if came:
            self._payoff.came()
            self._until_s = now_s + self._follow_s
        elif now_s >= self._until_s:
            self._payoff.missed(now_s)
            self._sleep()
            return
        else:
            give_way()
        self._loop.call_soon(self._turn)

    def _sleep(self) -> None:
        self._turning = not self._ring.sleep()
        if self._turning:  # something came at the last moment
            self._loop.call_soon(self._turn)


def _nothing() -> bool:
    return False
