"""How a worker hears its supervisor: on a thread of its own, so that no unit can keep a Stop from being heard.

When it has been heard and the event loop does not come to an end, this thread says what keeps it; and where the
process is the worker's own, and its supervisor is gone, it ends the process, because nobody else would.
"""

import asyncio
import contextlib
import logging
import os
import threading
import time
from collections.abc import Callable
from multiprocessing.connection import Connection, wait

from ezmsg.core.runtime.deaths import Parent
from ezmsg.core.runtime.wishes import Wishes
from ezmsg.core.runtime.words import Look, Order, Signalled, Stop
from ezmsg.core.support.last_words import LastWords

LOOK_S = 0.5
"""Seconds between two looks at a loop that should end."""


class Orders(threading.Thread):
    """Hands what arrives to ``receive``, on the event loop, up to and including Stop.

    :param tell_what_runs: called now and then while the process should end and does not.
    :param closed: set when the event loop has ended.
    :param owner: the process that started this one for the units only, so that it may be ended; ``None``: this is
        the program's own.
    :param wishes: the signals that ask that process for its end.
    :param tell_signal: tells the supervisor of one.
    :param stop_limit_s: how long the end may take, in seconds.
    """

    def __init__(
        self,
        pipe: Connection,
        loop: asyncio.AbstractEventLoop,
        receive: Callable[[Order], None],
        tell_what_runs: Callable[[], None],
        closed: threading.Event,
        owner: int | None,
        wishes: Wishes | None,
        tell_signal: Callable[[Signalled], None],
        stop_limit_s: float,
    ) -> None:
        super().__init__(name="Orders", daemon=True)
        self._pipe = pipe
        self._parent = Parent(pipe, owner)
        self._loop = loop
        self._receive = receive
        self._tell_what_runs = tell_what_runs
        self._closed = closed
        self._owns_process = owner is not None
        self._wishes = [] if wishes is None else [wishes]
        self._tell_signal = tell_signal
        self._stop_limit_s = stop_limit_s

    def run(self) -> None:
        """The thread's own; in a process of the worker's own it goes on until that leaves."""
        orphaned_s = None if self._hand_on() else time.monotonic()
        while not self._closed.wait(LOOK_S) or self._owns_process:
            if self._closed.is_set():
                time.sleep(LOOK_S)
            self._tell_what_runs()
            if orphaned_s is None and self._supervisor_gone():
                orphaned_s = time.monotonic()
            if self._owns_process and orphaned_s is not None:
                self._end_if_late(time.monotonic() - orphaned_s)

    def _hand_on(self) -> bool:
        """Hand on what comes; return whether the supervisor said Stop, and is not just gone."""
        order: Order | None = None
        while not isinstance(order, Stop):
            try:
                order = self._next()
            except (EOFError, OSError):
                self._call(Stop(urgent=True))
                return False
            if isinstance(order, Look):
                self._tell_what_runs()
            else:
                self._call(order)
        return True

    def _next(self) -> Order:
        """Return the next order; the signals that come before it are handed on.

        :raises EOFError: if the supervisor is gone.
        """
        while True:
            if not self._parent.wait(unless=[each.fileno() for each in self._wishes]):
                raise EOFError
            for wishes in self._wishes:
                if wait([wishes.fileno()], 0):
                    self._tell_signal(Signalled(wishes.take()))
            if self._parent.has_spoken():
                order: Order = self._pipe.recv()
                return order

    def _end_if_late(self, orphaned_s: float) -> None:
        if orphaned_s > self._stop_limit_s:
            words = LastWords()
            words.say(
                logging.ERROR, "The program that started this process is gone, and units do not stop: it is ended."
            )
            words.finish()
            os._exit(1)

    def _supervisor_gone(self) -> bool:
        try:
            while self._pipe.poll():
                self._pipe.recv()
            return not self._parent.wait(0)
        except (EOFError, OSError):
            return True

    def _call(self, order: Order) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: there is nobody left to tell
            self._loop.call_soon_threadsafe(self._receive, order)
