"""The client's end of one stream: a bounded line of items, from the connection to whoever iterates.

No socket here. When the line is full the stream ends with an error, never with a silent drop: the server's
streams are cursors, so the reader can follow again from where it was.
"""

import asyncio
from collections import deque
from typing import Any

from ezmsg.control.errors import StreamOverrun
from ezmsg.protocol.errors import EzmsgError

ITEM_LIMIT = 10_000
"""How many items may wait to be read."""


class ItemLine:
    """Items in order, then an end, which is an error or the regular one."""

    def __init__(self, name: str, limit: int = ITEM_LIMIT) -> None:
        self._name = name
        self._limit = limit
        self._items: deque[Any] = deque()
        self._ended = False
        self._error: EzmsgError | None = None
        self._arrival: asyncio.Future[None] | None = None

    @property
    def ended(self) -> bool:
        """Whether nothing more will be taken in."""
        return self._ended

    def put(self, item: object) -> None:
        """Append an item; one more than the limit ends the line."""
        if self._ended:
            return
        if len(self._items) >= self._limit:
            self.end(StreamOverrun(stream=self._name, limit=self._limit))
            return
        self._items.append(item)
        self._wake()

    def end(self, error: EzmsgError | None = None) -> None:
        """Say that nothing more will come; what already waits can still be read."""
        if not self._ended:
            self._ended = True
            self._error = error
            self._wake()

    def __aiter__(self) -> "ItemLine":
        return self

    async def __anext__(self) -> Any:
        """Take the next item; at the end raise the error with which the line ended, if there is one."""
        while not self._items:
            if self._error is not None:
                raise self._error
            if self._ended:
                raise StopAsyncIteration
            self._arrival = asyncio.get_running_loop().create_future()
            await self._arrival
        return self._items.popleft()

    def _wake(self) -> None:
        if self._arrival is not None and not self._arrival.done():
            self._arrival.set_result(None)
