"""Stay awake for a moment after sending, as long as answers come quickly.

Waking a process that sleeps takes longer than all the work that this package does for a small message. So an event
loop that has sent something keeps turning for a moment, offers its processor to others at every turn, and sleeps
only when nothing came. It does so while that pays: after a few waits in vain there is a rest, then one more try.
"""

import asyncio
import os
import time
from math import inf
from time import monotonic

from ezmsg.core.errors import InvalidOption

WAIT_VARIABLE = "EZMSG_BUSY_WAIT_US"
DEFAULT_WAIT_US = 200.0
LONGEST_WAIT_US = 10_000.0

REST_S = 0.1
"""How long not to wait awake, in seconds, when answers are slow or the processors have other work."""

FAIR_SHARE = 0.25
"""Waits in vain for each one that was not, up to which waiting awake is worth it."""

PATIENCE = 3
"""How many waits in vain, beyond the fair share, end in a rest."""


def wait_from_environment() -> float:
    """Return how long to wait awake, in seconds; 0 means not at all.

    :raises InvalidOption: if ``EZMSG_BUSY_WAIT_US`` is no possible number of microseconds.
    """
    text = os.environ.get(WAIT_VARIABLE, "").strip()
    try:
        wait_us = float(text) if text else DEFAULT_WAIT_US
    except ValueError:
        wait_us = -1.0
    if not 0 <= wait_us <= LONGEST_WAIT_US:
        reason = f"it must be a number of microseconds from 0 (sleep at once) to {LONGEST_WAIT_US:g}"
        raise InvalidOption(option=WAIT_VARIABLE, value=text, reason=reason)
    return wait_us * 1e-6


def give_way() -> None:
    """Let another process have this processor, if one wants it."""
    if hasattr(os, "sched_yield"):
        os.sched_yield()
    else:
        time.sleep(0)


class Payoff:
    """Whether waiting awake is worth it, from how often it was lately."""

    __slots__ = ("_rest_until_s", "_vain")

    def __init__(self, wait_s: float) -> None:
        self._vain = 0.0
        self._rest_until_s = 0.0 if wait_s else inf

    def expected(self, now_s: float) -> bool:
        """Whether to wait awake now."""
        return now_s >= self._rest_until_s

    def came(self) -> None:
        """Something came while somebody waited awake."""
        self._vain = max(0.0, self._vain - FAIR_SHARE)

    def missed(self, now_s: float) -> None:
        """Somebody waited awake in vain."""
        self._vain += 1
        if self._vain >= PATIENCE and self._rest_until_s < inf:
            self._vain = PATIENCE - 1  # after the rest, one more is enough for the next
            self._rest_until_s = now_s + REST_S


class BusyWait:
    """Keeps ``loop`` turning after something was sent, until something is heard, for at most ``wait_s`` seconds."""

    def __init__(self, loop: asyncio.AbstractEventLoop, wait_s: float) -> None:
        self._loop = loop
        self._wait_s = wait_s
        self._sent_s: float | None = None  # when the last thing was sent, while nothing was heard since
        self._turning = False
        self._payoff = Payoff(wait_s)

    def sent(self, now_s: float) -> None:
        """Something was sent."""
        self._sent_s = now_s
        if not self._turning and self._payoff.expected(now_s):
            self._turning = True
            self._loop.call_soon(self._turn)

    def heard(self) -> None:
        """Something came."""
        self._sent_s = None

    def _turn(self) -> None:
        now_s = monotonic()
        if self._sent_s is None:
            self._turning = False
            self._payoff.came()
        elif now_s - self._sent_s < self._wait_s:
            give_way()
            self._loop.call_soon(self._turn)
        else:
            self._turning = False
            self._payoff.missed(now_s)
