"""What other threads ask of an event loop, and wait for; every call ends, at the latest with its event loop."""

import asyncio
import contextlib
from collections.abc import Callable, Coroutine
from typing import Any, Generic, TypeVar

from ezmsg.core.blocking.waiting import Deadline, Sleeper
from ezmsg.core.errors import ContextNotOpen
from ezmsg.core.transports.mailbox import Mailbox
from ezmsg.protocol.errors import DeadlineExceeded

T = TypeVar("T")

CANCEL_LIMIT_S = 1.0
"""How long a call whose time is over may take to say whether it was done after all, in seconds."""

TRY_TURNS = 2
"""How many turns of the event loop a call gets although its time is over, so that a timeout of 0 is a try.

A publisher may let the others have one of them before it sends.
"""

Begin = Callable[[], Coroutine[Any, Any, T] | None]
"""Does something on the event loop at once and returns None, or returns what is to be awaited there."""


class Call(Generic[T]):
    """One thing that a thread waits for."""

    __slots__ = ("_begin", "_rest", "_sleeper", "_task", "done", "error", "result", "settled")

    def __init__(self, begin: Begin[T]) -> None:
        self._begin = begin
        self._sleeper = Sleeper()
        self._rest: Coroutine[Any, Any, T] | None = None
        self._task: asyncio.Task[None] | None = None
        self.done = False
        self.settled = True  # what was asked for is done, or never will be
        self.error: BaseException | None = None
        self.result: T | None = None

    def start(self) -> None:
        """Begin; on the event loop."""
        try:
            rest = self._begin()
        except BaseException as error:  # noqa: BLE001  it is raised in the thread that waits
            self.end(error)
            return
        if rest is None:
            self.end(None)
        else:
            self._rest = rest
            self._task = asyncio.get_running_loop().create_task(self._complete(rest))
            self._task.add_done_callback(self._ended)

    def cancel(self, _: object = None) -> None:
        """Do not go on; on the event loop."""
        if self._task is not None:
            self._task.cancel()

    def cancel_after_try(self, turns: int) -> None:
        """Do not go on after so many turns of the event loop; on the event loop."""
        if turns:
            asyncio.get_running_loop().call_soon(self.cancel_after_try, turns - 1)
        else:
            self.cancel()

    def end(self, error: BaseException | None) -> None:
        """Let the thread go on, unless it does already."""
        if not self.done:
            self.error = error
            self.done = True
            self._sleeper.wake()

    def wait(self, deadline: Deadline) -> bool:
        """Wait for the end, and return whether it came in time."""
        return self._sleeper.sleep(deadline)

    def _ended(self, _: "asyncio.Task[None]") -> None:
        """See to a task that was cancelled before its first step."""
        rest, self._rest = self._rest, None
        if rest is not None:
            rest.close()
        self.end(asyncio.CancelledError())

    async def _complete(self, rest: Coroutine[Any, Any, T]) -> None:
        try:
            self.result = await rest
        except BaseException as error:  # noqa: BLE001  also a cancellation: this task belongs to the call alone
            self.end(error)
        else:
            self.end(None)


class Calls:
    """The way from other threads into an event loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self._mailbox = Mailbox(loop)
        self._under_way: set[Call[Any]] = set()
        self._refusal: str | None = None

    def check(self, operation: str) -> None:
        """Return if calls are answered.

        :raises ContextNotOpen: if they are not any more, or cannot be, because this is the event loop itself.
        """
        reason = self._refusal
        if reason is None and asyncio._get_running_loop() is self.loop:
            reason = "is served by the event loop that calls it, so nobody could answer"
        if reason is not None:
            raise ContextNotOpen(operation=operation, reason=reason)

    def refuse(self, reason: str) -> None:
        """Take no more calls; ``reason`` completes a sentence about the context."""
        if self._refusal is None:
            self._refusal = reason

    def post(self, act: Callable[[Any], object], argument: Any) -> None:
        """Let ``act(argument)`` be called on the event loop, if it still turns."""
        with contextlib.suppress(RuntimeError):  # it is closed, and what it held is gone
            self._mailbox.post(act, argument)

    def run(
        self,
        begin: Begin[T],
        operation: str,
        timeout: float | None = None,
        late: Callable[[float, bool], Exception] | None = None,
    ) -> T:
        """Let something be done on the event loop, and return its result or raise its error.

        When the time is over it is cancelled. What was done in the very last moment counts as done.

        :param late: makes the error for that, of the seconds and whether it is certain that it will not be done
            later; else it is :class:`DeadlineExceeded`.
        :raises ContextNotOpen: if calls are not answered, or not any more before this one is done.
        """
        self.check(operation)
        call = Call(begin)
        self._under_way.add(call)
        try:
            self._start_and_wait(call, timeout)
            if isinstance(call.error, asyncio.CancelledError):
                self.check(operation)
                if timeout is not None and late is not None:
                    raise late(timeout, call.settled)
                if timeout is not None:
                    raise DeadlineExceeded(operation=operation, seconds=timeout)
            if call.error is not None:
                raise call.error
            return call.result  # type: ignore[return-value]  # it is there when there is no error
        finally:
            self._under_way.discard(call)
            del call  # an error knows this frame, which would know the error

    def _start(self, call: Call[Any]) -> None:
        if self._refusal is None:
            call.start()
        else:
            call.end(asyncio.CancelledError())

    def _start_and_wait(self, call: Call[Any], timeout: float | None) -> None:
        try:
            self.post(self._start, call)
            if self.loop.is_closed():
                self.refuse("lives on an event loop that is closed")
                self.abandon()
            if call.wait(Deadline(timeout)):
                return
        except BaseException:  # Ctrl-C
            self.post(call.cancel, None)
            raise
        self.post(call.cancel_after_try, TRY_TURNS)
        if not call.wait(Deadline(CANCEL_LIMIT_S)):
            call.settled = False
            call.end(asyncio.CancelledError())

    def cancel_all(self) -> None:
        """End every call that is under way; on the event loop."""
        for call in tuple(self._under_way):
            call.cancel()

    def abandon(self) -> None:
        """End every call whose event loop turns no more."""
        for call in tuple(self._under_way):
            call.end(asyncio.CancelledError())
