"""How one thread waits for others: for at most a given time, and open to Ctrl-C all the while."""

import contextlib
import math
import threading
from collections.abc import Callable
from time import monotonic

from ezmsg.core.runtime.main_thread import LONGEST_SLEEP_S


class Deadline:
    """A moment until which to wait; ``None`` seconds from now is never."""

    __slots__ = ("_at_s",)

    def __init__(self, seconds: float | None) -> None:
        self._at_s = math.inf if seconds is None else monotonic() + seconds

    def left_s(self) -> float:
        """How many seconds are left, never less than 0."""
        return max(0.0, self._at_s - monotonic())


class Sleeper:
    """One thread's sleep, ended by any other. It wakes once for any number of calls of :meth:`wake`."""

    __slots__ = ("_lock",)

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lock.acquire()

    def wake(self) -> None:
        """End the sleep, or the next one if it has not begun."""
        with contextlib.suppress(RuntimeError):  # it is to wake already
            self._lock.release()

    def sleep(self, deadline: Deadline) -> bool:
        """Sleep until woken; return False if that was not before the deadline."""
        while True:
            left_s = deadline.left_s()
            if self._lock.acquire(timeout=min(left_s, LONGEST_SLEEP_S)):
                return True
            if left_s <= LONGEST_SLEEP_S:
                return False


class Doorbell:
    """Where threads wait for something that any of them may take."""

    def __init__(self) -> None:
        self._sleepers: list[Sleeper] = []

    def ring(self) -> None:
        """Let everybody who waits look again."""
        if self._sleepers:
            for sleeper in tuple(self._sleepers):
                sleeper.wake()

    def wait(self, ready: Callable[[], object], deadline: Deadline) -> bool:
        """Wait until ``ready()`` is true, which is asked anew at every ring; return False at the deadline."""
        sleeper = Sleeper()
        self._sleepers.append(sleeper)  # before looking, so that no ring is missed in between
        try:
            while not ready():
                if not sleeper.sleep(deadline):
                    return bool(ready())
            return True
        finally:
            self._sleepers.remove(sleeper)
