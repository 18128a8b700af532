"""The requests and streams of one connection that are still open, and how each of them ends.

No socket here: bytes are made by the sans-I/O connection and leave through the callable handed in.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine
from typing import Any

from ezmsg.control.connection.streaming import ItemLine
from ezmsg.protocol.errors import DeadlineExceeded, EzmsgError, InvalidMessage, ProtocolViolation
from ezmsg.protocol.wire.connection import (
    Connection,
    Event,
    FailureReceived,
    ItemReceived,
    ReplyReceived,
    StreamEnded,
)


class Requests:
    """Every request ends in exactly one reply or one error; every stream, in its end or one error."""

    def __init__(self, peer: str, connection: Connection, flush: Callable[[], None]) -> None:
        self._peer = peer
        self._connection = connection
        self._flush = flush
        self._loop = asyncio.get_running_loop()
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._lines: dict[int, ItemLine] = {}

    def request(self, body: object, timeout: float | None) -> Coroutine[Any, Any, Any]:
        """Ask at once, and return what waits for the answer; see :meth:`ControlConnection.request`."""
        return self._finish(*self._ask(body), body, timeout)

    async def stream(self, body: object, timeout: float | None) -> AsyncGenerator[Any, None]:
        """See :meth:`ControlConnection.stream`."""
        request_id, future = self._ask(body)
        line = self._lines[request_id] = ItemLine(type(body).__name__)
        try:
            await self._answer(body, future, timeout)
            async for item in line:
                yield item
        finally:
            del self._lines[request_id]
            self._forget(request_id)

    def receive(self, event: Event) -> None:
        """Take what the server says about one of them; what nobody waits for any more is dropped."""
        match event:
            case ReplyReceived(request_id, body):
                if (future := self._waiting.get(request_id)) is not None and not future.done():
                    future.set_result(body)
            case FailureReceived(request_id, error):
                self._fail(request_id, error)
            case ItemReceived(request_id, body):
                if (line := self._lines.get(request_id)) is not None:
                    line.put(body)
                    if line.ended:  # it is full, and says so to its reader
                        self._connection.cancel(request_id)
            case StreamEnded(request_id):
                if (line := self._lines.get(request_id)) is not None:
                    line.end()

    def fail_all(self, make_error: Callable[[], EzmsgError]) -> None:
        """Nothing more will come: end them all, each with an error of its own."""
        for request_id in {*self._waiting, *self._lines}:
            self._fail(request_id, make_error())

    def _ask(self, body: object) -> tuple[int, asyncio.Future[Any]]:
        if not hasattr(type(body), "REPLY"):
            raise TypeError(f"A {type(body).__name__} is not a request: its class has no REPLY.")
        try:
            request_id = self._connection.request(body)
        # What the codec or msgpack has against a value that the caller put into a message.
        except (TypeError, ValueError, AttributeError, OverflowError) as error:
            raise InvalidMessage(tag=str(getattr(body, "TAG", "")), reason=str(error)) from error
        future = self._waiting[request_id] = self._loop.create_future()
        self._flush()
        return request_id, future

    async def _finish(
        self, request_id: int, future: asyncio.Future[Any], body: object, timeout: float | None
    ) -> Any:
        try:
            return await self._answer(body, future, timeout)
        finally:
            self._forget(request_id)

    async def _answer(self, body: object, future: asyncio.Future[Any], timeout: float | None) -> Any:
        # A timer on the future, no task and no context manager: this is once per request.
        timer = None if timeout is None else self._loop.call_later(timeout, self._expire, future, body, timeout)
        try:
            reply = await future
        finally:
            if timer is not None:
                timer.cancel()
        if not isinstance(reply, type(body).REPLY):  # type: ignore[attr-defined]
            raise ProtocolViolation(reason=f"{type(reply).__name__} is no answer to {type(body).__name__}")
        return reply

    def _expire(self, future: asyncio.Future[Any], body: object, timeout: float) -> None:
        if not future.done():
            operation = f"{type(body).__name__} at the graph server {self._peer}"
            future.set_exception(DeadlineExceeded(operation=operation, seconds=timeout))

    def _forget(self, request_id: int) -> None:
        """Nobody waits any more; tell the server if it still works on it."""
        del self._waiting[request_id]
        self._connection.cancel(request_id)
        self._flush()

    def _fail(self, request_id: int, error: EzmsgError) -> None:
        future = self._waiting.get(request_id)
        if future is not None and not future.done():
            future.set_exception(error)
        elif (line := self._lines.get(request_id)) is not None:
            line.end(error)
