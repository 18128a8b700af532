"""The end of the program's own process, in which a run's units may have left something that never ends.

Threads that are no daemons keep an interpreter from leaving, those of executors too, and a ``main`` can refuse to
return. Neither may make a run endless: it is given its time, named, and the process ended.

A run in a thread of its own gets no signals, and keeps the interpreter from leaving, too; so when Ctrl-C has ended
the program's main thread, the run is stopped.
"""

import atexit
import contextlib
import functools
import logging
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator

from ezmsg.core.runtime.main_call import MainCall
from ezmsg.core.runtime.whereabouts import lasting_threads, whereabouts

logger = logging.getLogger("ezmsg")

RETURN_LIMIT_S = 1.0
"""How long ``main`` has to return after it was interrupted for the last time, in seconds."""

EXIT_LIMIT_S = 2.0
"""How long the program's exit functions have where the process is ended with force, in seconds."""

_stops: dict[object, tuple[int, Callable[[], None]]] = {}
"""What stops each run in a thread, and in which process that is: a forked one has the same table, but other runs.
"""

_interrupted = threading.Event()
"""Set when Ctrl-C has ended the program's main thread."""


@contextlib.contextmanager
def stopped_with_program(stop: Callable[[], None]) -> Iterator[None]:
    """Inside, ``stop`` is called if Ctrl-C ends the program's main thread, and this is another one.

    :raises SystemExit: if it has done so before.
    """
    if threading.current_thread() is threading.main_thread():
        yield
        return
    key = object()
    _stops[key] = (os.getpid(), stop)
    try:
        _watch_main_thread()
        if _interrupted.is_set():  # else a thread that makes one run after the other would never end
            raise SystemExit(130)
        yield
    finally:
        del _stops[key]


@functools.cache
def _watch_main_thread() -> None:
    _call_before_leaving(_stop_if_interrupted)


def _stop_if_interrupted() -> None:
    if isinstance(getattr(sys, "last_value", None), KeyboardInterrupt):  # what the main thread ended with
        _interrupted.set()
        for pid, stop in list(_stops.values()):
            if pid == os.getpid():
                stop()


class OwnProcess:
    """The program's own process during a run; make it before the run's first thread.

    :param status: returns the exit status that is due when the process has to be ended.
    """

    def __init__(self, status: Callable[[], int]) -> None:
        self._status = status
        self._before = frozenset(threading.enumerate())
        self._leaving = threading.Event()

    def expect_return(self, main_call: MainCall) -> None:
        """The run is over, and ``main`` was interrupted; end the process if it goes on."""
        if main_call.allowed:
            _start_daemon(self._await_return, main_call)

    def returned(self, limit_s: float) -> None:
        """The run returns; what it left has ``limit_s`` seconds from when the interpreter wants to leave."""
        if left := lasting_threads(self._before):
            _call_before_leaving(self._leaving.set)
            _start_daemon(self._await_leave, left, limit_s)

    def _await_return(self, main_call: MainCall) -> None:
        if not main_call.over.wait(RETURN_LIMIT_S):
            logger.error("%s does not return, though it was interrupted: this process is ended.", main_call.name)
            self._end()

    def _await_leave(self, left: list[threading.Thread], limit_s: float) -> None:
        self._leaving.wait()
        deadline_s = time.monotonic() + limit_s
        for thread in left:
            thread.join(max(0.0, deadline_s - time.monotonic()))
        stuck = [thread for thread in left if thread.is_alive()]
        if not stuck:
            return
        where = whereabouts(stuck)
        for thread in lasting_threads({*left, *self._before}):
            thread.join()  # one that the program started after its run is the program's own matter
        logger.error("The run is over, and threads that it left do not end (%s): this process is ended.", where)
        self._end()

    def _end(self) -> None:
        status = self._status()
        with contextlib.suppress(RuntimeError):  # too late for one more thread
            _start_daemon(_call_exit_functions).join(EXIT_LIMIT_S)
        os._exit(status)


def _call_before_leaving(function: Callable[[], None]) -> None:
    """Have a function called before the interpreter waits for threads; what ``atexit`` has comes after that."""
    try:
        threading._register_atexit(function)  # type: ignore[attr-defined]
    except RuntimeError:  # it waits for them already
        function()


def _call_exit_functions() -> None:
    """Do what the interpreter would have done, had it been able to leave."""
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):  # closed, or a stand-in that cannot
            stream.flush()


def _start_daemon(target: Callable[..., None], *args: object) -> threading.Thread:
    thread = threading.Thread(target=target, args=args, name=target.__name__.strip("_"), daemon=True)
    thread.start()
    return thread
