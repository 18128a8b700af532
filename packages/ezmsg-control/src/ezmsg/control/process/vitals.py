"""How this process fares: processor time, memory, uptime, and how late an event loop is."""

import asyncio
import contextlib
import os
import time
from pathlib import Path

LATENESS_WAIT_S = 0.05
"""For how long a loop is waited for before it is said to be late by the time since it was asked."""

MOVES_EVERY_S = 0.5
"""How often a loop that is watched notes that it moves: of a block as much may be missing."""

_STARTED = time.monotonic()
_START_FIELD = 19  # of /proc/self/stat, counted from behind the command's name, which may hold anything


def cpu_s() -> float:
    """Return the processor time of this process, of user and system, in seconds."""
    return time.process_time()


def memory_bytes() -> int | None:
    """Return how much of this process is in memory, ``None`` where that cannot be told."""
    try:
        resident = Path("/proc/self/statm").read_text(encoding="ascii").split()[1]
        return int(resident) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError, AttributeError):  # this is no Linux
        return None


def uptime_s() -> float:
    """Return how long this process has run, in seconds; where that cannot be told, since this was imported."""
    try:
        fields = Path("/proc/self/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        started = int(fields[_START_FIELD]) / os.sysconf("SC_CLK_TCK")
        return max(0.0, time.clock_gettime(time.CLOCK_BOOTTIME) - started)
    except (OSError, ValueError, IndexError, AttributeError):  # this is no Linux
        return time.monotonic() - _STARTED


def descriptors() -> int | None:
    """Return how many files and sockets this process has open, ``None`` where that cannot be told."""
    try:
        return sum(1 for _ in Path("/proc/self/fd").iterdir()) - 1  # one is the look itself
    except OSError:  # this is no Linux
        return None


def descriptor_limit() -> int | None:
    """Return how many it may have open, ``None`` where nothing or nobody says."""
    try:
        import resource
    except ImportError:  # Windows
        return None
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return None if limit == resource.RLIM_INFINITY else limit


class LatenessProbe:
    """Tells how late an event loop is, from any other one or from itself.

    Of a loop that is blocked, who asks wants to know for how long it has been, not since when somebody asked. So
    another loop than the one that answers notes twice a second that it moves, which costs it some microseconds; one
    that answers itself moves anyway, and notes nothing.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._due_at: float | None = None  # when the loop is to move next, by what it noted
        self._beat: asyncio.Handle | None = None
        self._asked_at: float | None = None  # while the loop has not answered
        self._lateness_s = 0.0

    async def lateness_s(self) -> float | None:
        """Return how long a call had to wait for its turn; of a loop that is blocked, for how long it has been.

        ``None`` of a loop that is closed.
        """
        if self._asked_at is None:
            self._asked_at = time.monotonic()
            try:
                self._loop.call_soon_threadsafe(self._answer, self._asked_at)
            except RuntimeError:  # it is closed
                self._asked_at = None
                return None
        until = time.monotonic() + LATENESS_WAIT_S
        while (asked_at := self._asked_at) is not None:
            if time.monotonic() >= until:
                return time.monotonic() - min(asked_at, self._due_at or asked_at)
            await asyncio.sleep(0.001)
        return self._lateness_s

    def blocked_s(self) -> float:
        """Return for how long the loop has not moved, as far as it is watched; of any other, nothing."""
        due_at = self._due_at
        return 0.0 if due_at is None else max(0.0, time.monotonic() - due_at)

    def watch(self) -> None:
        """Have the loop note that it moves, until :meth:`unwatch`; from any thread."""
        with contextlib.suppress(RuntimeError):  # it is closed
            self._loop.call_soon_threadsafe(self._move)

    def unwatch(self) -> None:
        """Note nothing any more; from any thread."""
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._stop)

    def _move(self) -> None:
        self._due_at = time.monotonic() + MOVES_EVERY_S
        self._beat = self._loop.call_later(MOVES_EVERY_S, self._move)

    def _stop(self) -> None:
        if self._beat is not None:
            self._beat.cancel()
        self._due_at = self._beat = None

    def _answer(self, asked_at: float) -> None:
        """Run on the loop that is looked at."""
        self._lateness_s = time.monotonic() - asked_at
        self._asked_at = None
