"""Calls from one thread's event loop to another's, as cheap as one wake-up for many."""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any


class Mailbox:
    """Runs posted calls on its event loop, in order."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._calls: deque[tuple[Callable[[Any], object], Any]] = deque()
        self._woken = False

    @property
    def closed(self) -> bool:
        """Whether its event loop is closed, so that nothing posted would ever run."""
        return self._loop.is_closed()

    def post(self, call: Callable[[Any], object], argument: Any) -> None:
        """Run ``call(argument)`` on the loop; safe from any thread.

        :raises RuntimeError: if the loop is closed; what it never ran is dropped.
        """
        if self._loop.is_closed():
            self._calls.clear()
            raise RuntimeError("the event loop is closed")
        self._calls.append((call, argument))
        if not self._woken:
            # Set before the wake-up is sent: a poster that sees it may rely on a drain that is still to come.
            self._woken = True
            self._loop.call_soon_threadsafe(self._drain)

    def _drain(self) -> None:
        self._woken = False
        calls = self._calls
        while calls:
            call, argument = calls.popleft()
            call(argument)
