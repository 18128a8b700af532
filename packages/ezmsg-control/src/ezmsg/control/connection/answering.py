"""Requests that the server makes of a client: each is handed to its handler, in a task that belongs to somebody.

No socket here: an answer leaves by the line on which the request came, if that is still there.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Protocol

from ezmsg.protocol.errors import EzmsgError, UnknownMessage
from ezmsg.protocol.messages.sessions import Done

Handler = Callable[[Any], object]
"""Takes a request, returns the body of the reply, or ``None`` where ``Done`` is enough; or what to await first."""

CLOSE_TIMEOUT = 1.0
"""Seconds that a handler gets to end when its connection closes."""

logger = logging.getLogger(__name__)


class Asker(Protocol):
    """Where a request came from, and its answer goes; after its end, it drops them."""

    def reply(self, request_id: int, body: object) -> None: ...

    def fail(self, request_id: int, error: BaseException) -> None: ...


class Answers:
    """The handlers of one client, by the class of the request, and the answers that are being worked on.

    An answer that the server no longer waits for is finished all the same, as it may be about routes, and those
    must change however late; unless its handler was registered as ``abandonable``.
    """

    def __init__(self) -> None:
        self._handlers: dict[type, Handler] = {}
        self._abandonable: set[type] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._abandonable_tasks: dict[tuple[Asker, int], asyncio.Task[None]] = {}

    def register(self, message_class: type, handler: Handler | None, *, abandonable: bool = False) -> None:
        """Let ``handler`` answer requests of this class; ``None`` takes it away.

        :param abandonable: cancel it when the server no longer waits for its answer.
        """
        self._abandonable.discard(message_class)
        if handler is None:
            self._handlers.pop(message_class, None)
            return
        self._handlers[message_class] = handler
        if abandonable:
            self._abandonable.add(message_class)

    def start(self, asker: Asker, request_id: int, body: object) -> None:
        """Begin to answer a request, beside all others."""
        handler = self._handlers.get(type(body))
        if handler is None:
            asker.fail(request_id, UnknownMessage(tag=getattr(body, "TAG", type(body).__name__)))
            return
        try:
            result = handler(body)
            if not isinstance(result, Awaitable):  # no task for what takes no time
                _reply(asker, request_id, result)
                return
        except Exception as error:  # noqa: BLE001  protects the connection from a handler, see _fail
            _fail(asker, request_id, body, error)
            return
        task = asyncio.get_running_loop().create_task(_answer(asker, request_id, body, result))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        if isinstance(result, Coroutine):  # one that is cancelled before its first step is still to be closed
            task.add_done_callback(lambda _: result.close())
        if type(body) in self._abandonable:
            self._abandonable_tasks[asker, request_id] = task
            task.add_done_callback(lambda _: self._abandonable_tasks.pop((asker, request_id), None))

    def abandon(self, asker: Asker, request_id: int) -> None:
        """The server no longer waits for this answer."""
        task = self._abandonable_tasks.get((asker, request_id))
        if task is not None:
            task.cancel()

    async def close(self) -> None:
        """Cancel what is being worked on and wait for its end, but never for the task that calls this."""
        others = {task for task in self._tasks if task is not asyncio.current_task()}
        for task in others:
            task.cancel()
        if others:
            _, stubborn = await asyncio.wait(others, timeout=CLOSE_TIMEOUT)
            if stubborn:
                logger.warning("%d answers to the server did not end when told to.", len(stubborn))


async def _answer(asker: Asker, request_id: int, body: object, result: Awaitable[object]) -> None:
    try:
        _reply(asker, request_id, await result)
    except Exception as error:  # noqa: BLE001  protects the connection from a handler, see _fail
        _fail(asker, request_id, body, error)


def _reply(asker: Asker, request_id: int, result: object) -> None:
    asker.reply(request_id, Done() if result is None else result)


def _fail(asker: Asker, request_id: int, body: object, error: Exception) -> None:
    """Tell the server what happened; what is no error of ours is a fault, and goes to the log as well."""
    if not isinstance(error, EzmsgError):
        logger.error("The answer to the server's request %s failed.", type(body).__name__, exc_info=error)
    asker.fail(request_id, error)
