"""A clock that only moves when it is told to, and event loops that live by it: one for each process.

A loop here runs what is due, and never waits; who owns the clock says when the next thing happens anywhere. So a
process that is frozen is one whose loop is not asked, and a minute of leases takes no time.
"""

import asyncio
import heapq
import math
import sys
import threading
from asyncio import events
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

EPOCH_S = 1_700_000_000.0
"""What a clock on the wall shows when a simulation begins."""

ENDING_TURNS = 50
"""How many timers a process that is killed may still have run, so that none of its coroutines stays half done."""


class Clock:
    """Virtual seconds. ``module`` stands in for the standard library's ``time``."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.module = SimpleNamespace(
            monotonic=lambda: self.now_s,
            perf_counter=lambda: self.now_s,
            time=lambda: EPOCH_S + self.now_s,
            perf_counter_ns=lambda: int(self.now_s * 1e9),
            monotonic_ns=lambda: int(self.now_s * 1e9),
            time_ns=lambda: int((EPOCH_S + self.now_s) * 1e9),
        )


class VirtualLoop(asyncio.BaseEventLoop):
    """The event loop of one process. ``process`` is whose it is, and connects it to others."""

    def __init__(self, clock: Clock, process: Any, failed: Callable[[str], None]) -> None:
        super().__init__()
        self._clock = clock
        self._ahead_s = 0.0  # of the clock, when it is wound up
        self._failed = failed
        self._selector: Any = self
        self._clock_resolution = 1e-9
        self.process = process
        self.dead = False
        self._timer_cancelled_count = 0

    def time(self) -> float:
        """Return the virtual time, in seconds."""
        return self._clock.now_s + self._ahead_s

    def next_timer(self) -> float | None:
        """Return when the next timer is due, or ``None``."""
        scheduled: list[Any] = self._scheduled  # type: ignore[attr-defined]
        while scheduled and scheduled[0]._cancelled:
            heapq.heappop(scheduled)._scheduled = False
            self._timer_cancelled_count -= 1  # type: ignore[attr-defined]
        return scheduled[0]._when if scheduled else None

    def due_s(self) -> float:
        """Return when there is something to run, which may be at once."""
        if self._ready:  # type: ignore[attr-defined]
            return 0.0
        due_s = self.next_timer()
        return math.inf if due_s is None else due_s

    def turn(self) -> None:
        """Run what is due now, once."""
        hooks = sys.get_asyncgen_hooks()
        sys.set_asyncgen_hooks(
            firstiter=self._asyncgen_firstiter_hook,  # type: ignore[attr-defined]
            finalizer=self._asyncgen_finalizer_hook,  # type: ignore[attr-defined]
        )
        self._thread_id = threading.get_ident()
        events._set_running_loop(self)
        try:
            self._run_once()  # type: ignore[attr-defined]
        finally:
            events._set_running_loop(None)
            self._thread_id = None
            sys.set_asyncgen_hooks(*hooks)

    def wind_up(self) -> None:
        """End every task of a process that is dead, with the time that this takes passing for it alone."""
        self.dead = True
        for _ in range(ENDING_TURNS):
            tasks = asyncio.all_tasks(self)
            if not tasks:
                break
            for task in tasks:
                task.cancel()
            self.turn()
            for _ in range(ENDING_TURNS):
                if self._ready:  # type: ignore[attr-defined]
                    self.turn()
            due_s = self.next_timer()
            if due_s is not None and asyncio.all_tasks(self):
                self._ahead_s += max(0.0, due_s - self.time())
        self.close()

    # --- what the base class asks for -----------------------------------------------------------------------

    def select(self, _timeout: float | None) -> list[object]:
        """Never wait."""
        return []

    def _process_events(self, _events: list[object]) -> None: ...

    def _write_to_self(self) -> None: ...

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """An error that nobody has taken is a finding, unless its process was killed in the middle of it."""
        if not self.dead:
            self._failed(f"{context.get('message')}: {context.get('exception')!r}")

    async def create_connection(self, factory: Any, host: Any = None, port: Any = None, **_: Any) -> Any:
        """Connect through the simulated network."""
        if self.dead:
            raise ConnectionRefusedError("the process is dead")
        return await self.process.reach(factory, host, port)
