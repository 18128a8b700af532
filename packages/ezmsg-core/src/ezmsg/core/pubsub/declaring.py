"""Endpoints are declared at the graph server: those of one turn of the event loop together, in one request."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from ezmsg.protocol.declared import declared
from ezmsg.protocol.errors import ConnectionLost, DeadlineExceeded, EzmsgError
from ezmsg.protocol.messages.endpoints import DeclareEndpoints, DeclarePublisher, DeclareSubscriber, Joined

TOGETHER = 256
"""How many go in one request: the server has other clients, too."""

NAMED = 3
"""Of how many topics a warning names each."""

Declaration = DeclarePublisher | DeclareSubscriber
Ask = Callable[[object], Awaitable[Joined]]

logger = logging.getLogger("ezmsg")


@declared(frozen=False, eq=False)
class _Waiting:
    """A declaration, and who waits for the answer."""

    body: Declaration
    joined: asyncio.Future[None]


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
        waiting = _Waiting(body, asyncio.get_running_loop().create_future())
        self._waiting.append(waiting)
        if len(self._waiting) == 1:
            task = asyncio.ensure_future(self._send())  # it begins when all of this turn have been here
            self._sending.add(task)
            task.add_done_callback(self._sending.discard)
        await waiting.joined

    async def _send(self) -> None:
        waiting, self._waiting = self._waiting, []
        waiting = [each for each in waiting if not each.joined.done()]  # else it was cancelled
        some = [waiting[first : first + TOGETHER] for first in range(0, len(waiting), TOGETHER)]
        await asyncio.gather(*map(self._declare_together, some))

    async def _declare_together(self, waiting: list[_Waiting]) -> None:
        if len(waiting) == 1:
            await self._declare_one(waiting[0])
            return
        bodies = [each.body for each in waiting]
        publishers = [body for body in bodies if isinstance(body, DeclarePublisher)]
        subscribers = [body for body in bodies if isinstance(body, DeclareSubscriber)]
        try:
            reply = await self._ask(DeclareEndpoints(publishers, subscribers))
        except (ConnectionLost, DeadlineExceeded) as error:
            for each in waiting:
                _fail(each, error)
        except EzmsgError:  # none has joined, and each is to learn what is wrong with itself
            await asyncio.gather(*map(self._declare_one, waiting))
        except BaseException as error:
            for each in waiting:
                _fail(each, error)
            raise
        else:
            _settle(waiting, reply)

    async def _declare_one(self, waiting: _Waiting) -> None:
        if waiting.joined.done():
            return
        try:
            reply = await self._ask(waiting.body)
        except BaseException as error:
            _fail(waiting, error)
            if not isinstance(error, EzmsgError):
                raise
        else:
            _settle([waiting], reply)


def _settle(waiting: list[_Waiting], reply: Joined) -> None:
    if reply.unconfirmed:
        topics = [each.body.topic for each in waiting]
        more = f" and {len(topics) - NAMED} more" if len(topics) > NAMED else ""
        logger.warning(
            "%s joined, but these did not answer in time: %s. What is sent between them and it is missed until "
            "they do; see what keeps their event loops busy with: ezmsg process",
            *(", ".join(topics[:NAMED]) + more, ", ".join(reply.unconfirmed)),
        )
    for each in waiting:
        if not each.joined.done():
            each.joined.set_result(None)


def _fail(waiting: _Waiting, error: BaseException) -> None:
    if waiting.joined.done():
        return
    if isinstance(error, asyncio.CancelledError):
        waiting.joined.cancel()
    else:
        waiting.joined.set_exception(error)
