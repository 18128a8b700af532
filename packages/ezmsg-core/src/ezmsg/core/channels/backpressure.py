"""Back-pressure: a publisher may have only so many messages that somebody still holds."""

import asyncio
from collections import deque
from collections.abc import Callable

MAX_NUM_BUFFERS = 2**16
"""The largest window that there is."""


class Window:
    """``size`` tokens, one for each message under way. A token is also the number of a slot.

    A token comes back when everyone who was given its message has let go. The one freed last is taken next: its
    slot is still warm in the cache.
    """

    def __init__(self, size: int, on_free: Callable[[int], None] | None = None) -> None:
        self.size = size
        self.lent: set[int] = set()  # those taken for messages that are not sent yet, and perhaps never will be
        self._free = list(range(size - 1, -1, -1))
        self._holders = [0] * size
        self._freed_by: list[object] = [None] * size
        self._waiters: deque[asyncio.Future[int]] = deque()
        self._awaiting_return: dict[int, list[asyncio.Future[None]]] = {}
        self._on_free = on_free

    @property
    def busy(self) -> int:
        """How many tokens are taken."""
        return self.size - len(self._free)

    @property
    def waiting(self) -> bool:
        """Whether anybody waits for a token."""
        return bool(self._waiters)

    def try_take(self) -> int | None:
        """Take a token if one is free and nobody waits for it."""
        if not self._free or self._waiters:
            return None
        return self._free.pop()

    async def take(self) -> int:
        """Take a token, waiting in line until one is free."""
        token = self.try_take()
        if token is not None:
            return token
        waiter: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        try:
            return await waiter
        except asyncio.CancelledError:
            if waiter in self._waiters:
                self._waiters.remove(waiter)
            elif not waiter.cancelled() and waiter.exception() is None:  # it was handed over at the same moment
                self.give_back(waiter.result())
            raise

    def hold(self, token: int, holders: int) -> None:
        """Say how many hold the message of a token, before any of them can let go."""
        self._holders[token] = holders

    def release(self, token: int, holder: object = None) -> None:
        """One holder lets go."""
        self._holders[token] -= 1
        if self._holders[token] == 0:
            self.give_back(token, holder)

    def holders_of(self, token: int) -> int:
        """Return how many hold the message of a token."""
        return self._holders[token]

    def freed_by(self, token: int) -> object:
        """Return who was the last to let go of a token that was waited for, and forget it."""
        holder, self._freed_by[token] = self._freed_by[token], None
        return holder

    def give_back(self, token: int, holder: object = None) -> None:
        """Return a token whose message nobody holds, and who was the last to."""
        if self._on_free is not None:
            self._on_free(token)
        if self._awaiting_return:
            self._tell_returned(token)
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                self._freed_by[token] = holder
                waiter.set_result(token)
                return
        self._free.append(token)

    def _tell_returned(self, token: int) -> None:
        for returned in self._awaiting_return.pop(token, ()):
            if not returned.done():
                returned.set_result(None)

    def refuse(self, error: Exception) -> None:
        """Raise an error in everyone who waits for a token: there will be none."""
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_exception(error)

    async def wait_returned(self) -> None:
        """Wait until every token that is taken now has come back; those taken later do not count."""
        loop = asyncio.get_running_loop()
        waiting = []
        for token in set(range(self.size)).difference(self._free, self.lent):
            returned = loop.create_future()
            self._awaiting_return.setdefault(token, []).append(returned)
            waiting.append(returned)
        if waiting:
            await asyncio.wait(waiting)
