"""How a worker hears its supervisor: on a thread of its own, so that no unit can keep a Stop from being heard.

When it has been heard and the event loop does not come to an end, this thread says what keeps it; and where the
process is the worker's own, and its supervisor is gone, it ends the process, because nobody else would.
"""

import asyncio
import logging
import os
import threading
import time
from collections.abc import Callable
from multiprocessing.connection import Connection

from ezmsg.core.runtime.words import Order, Stop

logger = logging.getLogger("ezmsg")

STOP_LIMIT_S = 10.0
"""How long the workers have to stop, in seconds; whoever is still there is named and ended."""

LOOK_S = 0.5
"""Seconds between two looks at a loop that should end."""


class Orders(threading.Thread):
    """Hands what arrives to ``receive``, on the event loop, up to and including Stop.

    :param tell_what_runs: called now and then while the loop should end and does not.
    :param owns_process: whether the process is there for the units only, and may be ended.
    """

    def __init__(
        self,
        pipe: Connection,
        loop: asyncio.AbstractEventLoop,
        receive: Callable[[Order], None],
        tell_what_runs: Callable[[], None],
        owns_process: bool,
    ) -> None:
        super().__init__(name="Orders", daemon=True)
        self.ended = threading.Event()
        self._pipe = pipe
        self._loop = loop
        self._receive = receive
        self._tell_what_runs = tell_what_runs
        self._owns_process = owns_process

    def run(self) -> None:
        """The thread's own."""
        orphaned = self._hand_on()
        began_s = time.monotonic()
        while not self.ended.wait(LOOK_S):
            self._tell_what_runs()
            if orphaned and self._owns_process and time.monotonic() - began_s > STOP_LIMIT_S:
                logger.error("The program that started this process is gone, and units do not stop: it is ended.")
                os._exit(1)

    def _hand_on(self) -> bool:
        """Return whether the supervisor is gone."""
        order: Order | None = None
        while not isinstance(order, Stop):
            try:
                order = self._pipe.recv()
            except (EOFError, OSError):
                self._call(Stop(urgent=True))
                return not self.ended.is_set()
            self._call(order)
        return False

    def _call(self, order: Order) -> None:
        try:
            self._loop.call_soon_threadsafe(self._receive, order)
        except RuntimeError:  # the loop is closed: there is nobody left to tell
            self.ended.set()
