"""Endpoints are declared at the graph server: those of one turn of the event loop together, in one request."""

import asyncio
import contextlib
import copy
import logging
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any
from uuid import UUID

from ezmsg.protocol.declared import declared
from ezmsg.protocol.errors import ConnectionLost, DeadlineExceeded, EzmsgError
from ezmsg.protocol.messages.endpoints import (
    DeclareEndpoints,
    DeclarePublisher,
    DeclareSubscriber,
    Joined,
    Withdraw,
)

TOGETHER = 64
"""How many go in one request: the server has other clients, and each may bring many routes."""

NAMED = 3
"""Of how many topics a warning names each."""

Declaration = DeclarePublisher | DeclareSubscriber
Ask = Callable[[object], Awaitable[Any]]

logger = logging.getLogger("ezmsg")


@declared(frozen=False, eq=False)
class _Waiting:
    """A declaration, and who waits for the answer."""

    body: Declaration
    joined: asyncio.Future[None]

    @property
    def endpoint_id(self) -> UUID:
        body = self.body
        return body.publisher_id if isinstance(body, DeclarePublisher) else body.subscriber_id


class Declaring:
    """What is about to be declared.

    :param ask: sends a request to the graph server, and returns its reply.
    """

    def __init__(self, ask: Ask) -> None:
        self._ask = ask
        self._waiting: list[_Waiting] = []
        self._sending: set[asyncio.Task[None]] = set()

    async def declare(self, body: Declaration) -> None:
        """Declare an endpoint; return when those who are to hear each other do, or the log says who does not yet.

        :raises EzmsgError: if the server refuses it, or is lost.
        """
        loop = asyncio.get_running_loop()
        waiting = _Waiting(body, loop.create_future())
        self._waiting.append(waiting)
        if len(self._waiting) == 1:
            loop.call_soon(self._send)  # when all of this turn have been here
        await waiting.joined

    def _send(self) -> None:
        waiting, self._waiting = self._waiting, []
        waiting = [each for each in waiting if not each.joined.done()]  # else it was cancelled
        for first in range(0, len(waiting), TOGETHER):
            some = waiting[first : first + TOGETHER]
            task = asyncio.ensure_future(self._declare(some))
            self._sending.add(task)
            task.add_done_callback(partial(self._sent, some))

    def _sent(self, waiting: list[_Waiting], task: asyncio.Task[None]) -> None:
        """Leave nobody waiting, whatever has ended the task."""
        self._sending.discard(task)
        error = asyncio.CancelledError() if task.cancelled() else task.exception()
        if error is not None:
            _fail(waiting, error)

    async def _declare(self, waiting: list[_Waiting]) -> None:
        if len(waiting) == 1:
            await self._declare_one(waiting[0])
            return
        bodies = [each.body for each in waiting]
        publishers = [body for body in bodies if isinstance(body, DeclarePublisher)]
        subscribers = [body for body in bodies if isinstance(body, DeclareSubscriber)]
        try:
            reply = await self._ask(DeclareEndpoints(publishers, subscribers))
        except (ConnectionLost, DeadlineExceeded) as error:
            _fail(waiting, error)
        except EzmsgError:  # none has joined, and each is to learn what is wrong with itself
            await asyncio.gather(*map(self._declare_one, waiting))
        else:
            await self._settle(waiting, reply)

    async def _declare_one(self, waiting: _Waiting) -> None:
        if waiting.joined.done():
            return
        try:
            reply = await self._ask(waiting.body)
        except EzmsgError as error:
            _fail([waiting], error)
        else:
            await self._settle([waiting], reply)

    async def _settle(self, waiting: list[_Waiting], reply: Joined) -> None:
        _warn_unconfirmed([each.body.topic for each in waiting], reply.unconfirmed)
        left = [each for each in waiting if each.joined.done()]
        for each in waiting:
            if not each.joined.done():
                each.joined.set_result(None)
        for each in left:  # if it gave up while the server was lost, it could not say so before it was declared
            with contextlib.suppress(EzmsgError):
                await self._ask(Withdraw(each.endpoint_id))


def _fail(waiting: list[_Waiting], error: BaseException) -> None:
    for each in waiting:
        if each.joined.done():
            continue
        if isinstance(error, asyncio.CancelledError):
            each.joined.cancel()
        else:
            each.joined.set_exception(copy.copy(error))  # each is raised where it is awaited


def _warn_unconfirmed(topics: list[str], unconfirmed: list[str]) -> None:
    if not unconfirmed:
        return
    if len(topics) == 1:
        joined = f"{topics[0]} joined"
    else:
        more = f" and {len(topics) - NAMED} more" if len(topics) > NAMED else ""
        joined = f"{', '.join(topics[:NAMED])}{more} joined together"
    logger.warning(
        "%s, but these did not answer in time: %s. What is sent between them and it is missed until "
        "they do; see what keeps their event loops busy with: ezmsg process",
        *(joined, ", ".join(unconfirmed)),
    )
