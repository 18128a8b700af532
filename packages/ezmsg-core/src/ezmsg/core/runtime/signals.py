"""SIGINT and SIGTERM, while a graph runs on the main thread: they end the run in good order.

A handler only says what has happened; the supervisor acts, on its thread. Handlers of the program's own stay.
"""

import contextlib
import multiprocessing
import signal
import threading
from collections.abc import Iterator
from multiprocessing import resource_tracker
from types import FrameType

from ezmsg.core.runtime.lifecycle import Cause
from ezmsg.core.runtime.main_call import MainCall
from ezmsg.core.runtime.supervisor import Supervisor

SIGINT_STATUS = 128 + signal.SIGINT
SIGTERM_STATUS = 128 + signal.SIGTERM


class Signals:
    """What came while a run went on; the second signal ends it with force."""

    def __init__(self, main_call: MainCall) -> None:
        self.count = 0
        self._cause: Cause | None = None
        self._main_call = main_call
        self._supervisor: Supervisor | None = None

    def hand_to(self, supervisor: Supervisor) -> None:
        """Let ``supervisor`` act on signals, those included that came before."""
        self._supervisor = supervisor
        if self._cause is not None:
            supervisor.stop(self._cause)

    @contextlib.contextmanager
    def handled(self) -> Iterator[None]:
        """Inside, signals are taken. Only the main thread can do that; on others this does nothing."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {}
        if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            before[signal.SIGINT] = signal.signal(signal.SIGINT, self._on_sigint)
        if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
            before[signal.SIGTERM] = signal.signal(signal.SIGTERM, self._on_sigterm)
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _on_sigint(self, _number: int, _frame: FrameType | None) -> None:
        if not self._main_call.handle_sigint():
            self._end(Cause.INTERRUPTED)

    def _on_sigterm(self, _number: int, _frame: FrameType | None) -> None:
        self._end(Cause.TERMINATED)

    def _end(self, cause: Cause) -> None:
        self.count += 1
        self._cause = self._cause or cause
        if self._supervisor is None:
            return
        if self.count == 1:
            self._supervisor.stop(cause)
        else:
            self._supervisor.abort()
            self._main_call.interrupt()


@contextlib.contextmanager
def held_back() -> Iterator[None]:
    """Hold SIGINT and SIGTERM back while processes are started, so that none gets them before it is prepared.

    A child inherits this; it calls :func:`let_in`.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    if multiprocessing.get_start_method() != "fork":
        resource_tracker.ensure_running()  # when it starts, it lets both signals in, whoever held them back
    before = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT, signal.SIGTERM))
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def let_in(main_call: MainCall) -> None:
    """Prepare a worker process: a terminal sends it SIGINT too, but the supervisor's is the one that counts."""

    def on_sigint(_number: int, _frame: FrameType | None) -> None:
        main_call.handle_sigint()

    signal.signal(signal.SIGINT, on_sigint)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, (signal.SIGINT, signal.SIGTERM))
