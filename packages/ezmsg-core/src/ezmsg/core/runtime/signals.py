"""SIGINT, SIGTERM and SIGHUP, while a graph runs on the main thread: they end the run in good order.

A handler only says what has happened; the supervisor acts, on its thread. Handlers of the program's own stay. In
a worker's process SIGTERM and SIGHUP are wishes that it hands on: a whole group of processes may have got them, and
no unit may lose its ``shutdown()`` because its process heard of the end first.
"""

import contextlib
import multiprocessing
import signal
import threading
import time
from collections.abc import Iterator
from multiprocessing import resource_tracker
from types import FrameType
from typing import TYPE_CHECKING

from ezmsg.core.runtime.lifecycle import SIGNALS, Cause
from ezmsg.core.runtime.main_call import MainCall
from ezmsg.core.runtime.wishes import Wishes

if TYPE_CHECKING:
    from ezmsg.core.runtime.supervisor import Supervisor

STATUSES = {cause: 128 + number for number, cause in SIGNALS.items()}
"""The exit status of a program that a signal ended."""

SAME_WISH_S = 0.5
"""Signals within so many seconds are one: a terminal and a launcher both send one for the same Ctrl-C."""


class Signals:
    """What came while a run went on; a second wish ends it with force."""

    def __init__(self, main_call: MainCall) -> None:
        self.wishes = 0
        self.cause: Cause | None = None
        self._last_s = 0.0
        self._main_call = main_call
        self._supervisor: Supervisor | None = None

    def hand_to(self, supervisor: "Supervisor") -> None:
        """Let ``supervisor`` act on signals, those included that came before."""
        self._supervisor = supervisor
        if self.cause is not None:
            supervisor.stop(self.cause)

    @contextlib.contextmanager
    def handled(self) -> Iterator[None]:
        """Inside, signals are taken. Only the main thread can do that; on others this does nothing."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        free = {signal.SIGINT: signal.default_int_handler}
        before = {
            number: signal.signal(number, self._on_signal)
            for number in SIGNALS
            if signal.getsignal(number) is free.get(number, signal.SIG_DFL)
        }
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        if number == signal.SIGINT and self._main_call.handle_sigint():
            return
        now_s = time.monotonic()
        is_new = not self.wishes or now_s - self._last_s > SAME_WISH_S
        self._last_s = now_s
        if is_new:
            self._wish(SIGNALS[signal.Signals(number)])

    def _wish(self, cause: Cause) -> None:
        self.wishes += 1
        self.cause = self.cause or cause
        if self._supervisor is None:
            return
        if self.wishes == 1:
            self._supervisor.stop(cause)
        else:
            self._supervisor.abort()
            self._main_call.interrupt()


@contextlib.contextmanager
def held_back() -> Iterator[None]:
    """Hold signals back while processes are started, so that none gets them before it is prepared.

    A child inherits this; it calls :func:`let_in`. So do the helpers of :mod:`multiprocessing`, which never let
    them in, and outlive what is meant for the run.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        if multiprocessing.get_start_method() != "fork":
            resource_tracker.ensure_running()  # it lets SIGINT and SIGTERM in, here too, whoever held them back
            signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def let_in(main_call: MainCall, wishes: Wishes) -> None:
    """Prepare a worker process: a terminal sends it SIGINT too, but the supervisor's is the one that counts."""

    def on_sigint(_number: int, _frame: FrameType | None) -> None:
        main_call.handle_sigint()

    signal.signal(signal.SIGINT, on_sigint)
    for number in set(SIGNALS) - {signal.SIGINT}:
        if signal.getsignal(number) is not signal.SIG_IGN:  # as under nohup
            signal.signal(number, wishes.put)
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
