"""A thread with an event loop on which one graph context is open."""

import asyncio
import logging
import os
import threading
from weakref import WeakSet

from ezmsg.core.blocking.calls import Calls
from ezmsg.core.blocking.waiting import Deadline
from ezmsg.core.context.graph_context import GraphContext
from ezmsg.core.runtime.loops import new_event_loop
from ezmsg.core.runtime.main_thread import join, wait_for

logger = logging.getLogger("ezmsg")

END_LIMIT_S = 10.0
"""How long everything may take to be delivered and closed, in seconds."""

_started: WeakSet["LoopThread"] = WeakSet()


class LoopThread(threading.Thread):
    """Opens a graph context, keeps it open until :meth:`end`, and closes it.

    It is a daemon thread: a context that nobody closes does not keep the interpreter from ending.
    """

    def __init__(self, context: GraphContext) -> None:
        super().__init__(name="ezmsg-sync", daemon=True)
        self.calls = Calls(new_event_loop())
        self._context = context
        self._life: asyncio.Task[None] | None = None
        self._settled = threading.Event()
        self._error: BaseException | None = None
        self._process = os.getpid()
        self._limit: Deadline | None = None

    def start(self) -> None:
        """Start, and return when the context is open.

        :raises EzmsgError: if it cannot be opened.
        """
        _started.add(self)
        try:
            super().start()
            wait_for(self._settled)
        except RuntimeError:  # there may be no more threads
            self.calls.loop.close()
            raise
        except BaseException:  # Ctrl-C
            self.end()
            self.leave()
            raise
        if self._error is not None:
            join(self)
            try:
                raise self._error
            finally:
                self._error = None  # it knows this frame, which knows this thread

    def run(self) -> None:
        """Live; this is the thread's own."""
        try:
            with asyncio.Runner(loop_factory=lambda: self.calls.loop) as runner:
                runner.run(self._live())
        except asyncio.CancelledError:
            pass  # by end()
        except BaseException as error:  # noqa: BLE001  it goes to who waits in start(), else to the log
            self._fail(error)
        finally:
            self.calls.refuse("was shut down")
            self.calls.abandon()
            self._settled.set()

    def end(self) -> None:
        """Begin to deliver what is under way and to close everything; from any thread, and any number of times."""
        if self._limit is None:
            self._limit = Deadline(END_LIMIT_S)
            self.calls.refuse("was shut down")
            self.calls.post(self._end, None)

    def leave(self) -> None:
        """Wait until everything is closed, for at most ten seconds since :meth:`end`."""
        if self._limit is None or self._process != os.getpid() or threading.current_thread() is self:
            return
        if self.is_alive():
            join(self, self._limit.left_s())
        if self.is_alive():
            logger.warning(
                "A SyncContext did not close within %g s and was left behind; somebody may still hold a message",
                END_LIMIT_S,
            )

    def forked(self) -> None:
        """Be of no use: this is a forked process, and the thread is in the other one."""
        self._limit = Deadline(0)
        self.calls.refuse(f"belongs to process {self._process}, from which this one was forked")

    async def _live(self) -> None:
        self._life = asyncio.current_task()
        if self._limit is not None:
            return  # it was to end before it began
        async with self._context:
            self._settled.set()
            await asyncio.get_running_loop().create_future()

    def _end(self, _: None) -> None:
        self.calls.cancel_all()
        if self._life is not None:
            self._life.cancel()

    def _fail(self, error: BaseException) -> None:
        if self._settled.is_set():
            logger.error("A SyncContext did not close in good order", exc_info=error)
        else:
            self._error = error


def _after_fork() -> None:
    for thread in tuple(_started):
        thread.forked()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
