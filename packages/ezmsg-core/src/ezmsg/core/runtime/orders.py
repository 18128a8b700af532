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
from multiprocessing.connection import Connection

from ezmsg.core.runtime.deaths import Parent
from ezmsg.core.runtime.words import Order, Stop

logger = logging.getLogger("ezmsg")

STOP_LIMIT_S = 10.0
"""How long the workers have to stop, in seconds; whoever is still there is named and ended."""

LOOK_S = 0.5
"""Seconds between two looks at a loop that should end."""


class Orders(threading.Thread):
    """Hands what arrives to ``receive``, on the event loop, up to and including Stop.

    :param tell_what_runs: called now and then while the process should end and does not.
    :param closed: set when the event loop has ended.
    :param owner: the process that started this one for the units only, so that it may be ended; ``None``: this is
        the program's own.
    """

    def __init__(
        self,
        pipe: Connection,
        loop: asyncio.AbstractEventLoop,
        receive: Callable[[Order], None],
        tell_what_runs: Callable[[], None],
        closed: threading.Event,
        owner: int | None,
    ) -> None:
        super().__init__(name="Orders", daemon=True)
        self._pipe = pipe
        self._parent = Parent(pipe, owner)
        self._loop = loop
        self._receive = receive
        self._tell_what_runs = tell_what_runs
        self._closed = closed
        self._owns_process = owner is not None

    def run(self) -> None:
        """The thread's own; in a process of the worker's own it goes on until that leaves."""
        orphaned_s = None if self._hand_on() else time.monotonic()
        while not self._closed.wait(LOOK_S) or self._owns_process:
            if self._closed.is_set():
                time.sleep(LOOK_S)
            self._tell_what_runs()
            if orphaned_s is None and self._supervisor_gone():
                orphaned_s = time.monotonic()
            if self._owns_process and orphaned_s is not None and time.monotonic() - orphaned_s > STOP_LIMIT_S:
                logger.error("The program that started this process is gone, and units do not stop: it is ended.")
                os._exit(1)

    def _hand_on(self) -> bool:
        """Hand on what comes; return whether the supervisor said Stop, and is not just gone."""
        order: Order | None = None
        while not isinstance(order, Stop):
            try:
                if not self._parent.wait():
                    raise EOFError
                order = self._pipe.recv()
            except (EOFError, OSError):
                self._call(Stop(urgent=True))
                return False
            self._call(order)
        return True

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
