"""A unit's ``main``: user code on the main thread of a process, beside the event loop in its thread.

It ends by returning. Where that cannot be waited for, KeyboardInterrupt is raised in it, by a SIGINT that this
process sends to its own main thread, so that system calls are interrupted too.
"""

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator

from ezmsg.core.graph.unit import Unit


class MainCall:
    """The ``main`` of a process's units, if one has it; ``name`` is for logs.

    ``decided`` is set when it is known whether it is to be called; then ``allowed`` says so. ``over`` is set when
    it has returned.
    """

    def __init__(self, units: list[Unit]) -> None:
        self.name = ""
        self.function: Callable[[], object] | None = None
        for unit in units:
            if unit.main is not None:
                self.name = f"{unit.address}:{unit.main.__name__}"
                self.function = unit.main.__get__(unit)
        self.decided = threading.Event()
        self.allowed = False
        self.over = threading.Event()
        self._thread = threading.current_thread()
        self._inside = False
        self._requested = False

    def decide(self, allowed: bool) -> None:
        """Say whether ``main`` is to be called, if there is one; only the first word counts. From any thread."""
        if not self.decided.is_set():
            self.allowed = allowed and self.function is not None
            self.decided.set()

    def leave_behind(self) -> None:
        """Give the thread that ``main`` runs on back to its owner; from any thread."""
        self.decide(False)
        self.interrupt()

    @contextlib.contextmanager
    def interruptible(self) -> Iterator[None]:
        """Inside, :meth:`interrupt` has an effect."""
        self._inside = True
        try:
            yield
        finally:
            self._inside = False
            self.over.set()

    def interrupt(self) -> None:
        """Raise KeyboardInterrupt in ``main`` if it runs; from any thread."""
        on_main_thread = self._thread is threading.main_thread()
        if self._inside and on_main_thread and self._thread.ident and hasattr(signal, "pthread_kill"):
            self._requested = True
            signal.pthread_kill(self._thread.ident, signal.SIGINT)

    @property
    def interrupt_pending(self) -> bool:
        """Whether ``main`` was interrupted and has not noticed yet."""
        return self._requested

    def handle_sigint(self) -> bool:
        """Act on a SIGINT if it is one of ours; return whether it was.

        :raises KeyboardInterrupt: in ``main``, as was asked for.
        """
        if not self._requested:
            return False
        self._requested = False
        if self._inside:
            raise KeyboardInterrupt
        return True
