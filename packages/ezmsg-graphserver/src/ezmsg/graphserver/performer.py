"""The graph at work on live links: what clients say goes in, the effects are performed, the one timer is kept."""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Collection, Iterable
from itertools import count

from ezmsg.graphserver.deciding import effects
from ezmsg.graphserver.deciding.effects import Effect, Moment, PeerId
from ezmsg.graphserver.deciding.graph import Graph
from ezmsg.graphserver.sockets.link import Link
from ezmsg.protocol.errors import FrameTooLarge, InternalError, ServerOverloaded
from ezmsg.protocol.messages.handshake import Hello
from ezmsg.protocol.messages.presence import Beat
from ezmsg.protocol.wire import connection as protocol

logger = logging.getLogger(__name__)


class Performer:
    """Feeds one graph from the links of clients that are let in, and performs its effects on them.

    :param stop: ends the server.
    :param warn: logs a warning, given its kind and its text.
    :param keep: writes what is to survive the server.
    """

    def __init__(
        self,
        graph: Graph,
        stop: Callable[[], None],
        warn: Callable[[str, str], None],
        keep: Callable[[effects.KeepEdge | effects.KeepSettings], None],
    ) -> None:
        self._graph = graph
        self._keep = keep
        self._stop = stop
        self._warn = warn
        self._links: dict[PeerId, Link] = {}
        self._followers: set[Link] = set()
        self._to_flush: set[Link] = set()
        self._agenda: deque[Effect] = deque()
        self._performing = False
        self._hearing = False
        self._timer: asyncio.Handle | None = None
        self._timer_due_s = 0.0
        self._survey_ids = count(1)
        self._surveys: dict[int, asyncio.Future[effects.Surveyed]] = {}
        self._closed = False
        self._late_replies = 0  # of those that have left
        self._awake_s = 0.0

    @property
    def late_replies(self) -> int:
        """How many answers came to questions that waited no more, and were dropped."""
        return self._late_replies + sum(link.connection.late_replies for link in self._links.values())

    @property
    def units(self) -> Collection[str]:
        """The addresses of all units that processes own."""
        return self._graph.state.processes.units

    def join(self, link: Link, hello: Hello) -> None:
        """Let a client in."""
        self._links[link.peer] = link
        self._perform(self._graph.peer_joined(link.peer, hello, _now(), link.route, link.role))

    def receive(self, link: Link, event: protocol.Event) -> None:
        """Feed the graph with what a client says; :meth:`flush` is called when all of it was heard."""
        self._hearing = True
        match event:
            case protocol.RequestReceived(id=request_id, body=body):
                self._perform(self._handled(link, request_id, body))
            case protocol.ReplyReceived(id=request_id, body=answer):
                self._answered(link, request_id, answer)
            case protocol.FailureReceived(id=request_id, error=error):
                self._answered(link, request_id, error)
            case protocol.NoticeReceived(body=Beat() as beat):
                self._graph.peer_beaten(link.peer, beat, self._awake_s)
                if beat.asks:
                    self._beat(link)
            case protocol.CancelReceived(id=request_id):
                self._perform(self._graph.request_cancelled(link.peer, request_id))
            case _:
                pass  # no other notice and no stream leads to a server in this revision

    def look(self, awake_s: float) -> bool:
        """See who is there, and return whether somebody is quiet, so that it is time to look more closely.

        :param awake_s: the time on a clock that stands still while the server does.
        """
        self._awake_s = awake_s
        heard = [peer for peer, link in self._links.items() if link.take_heard()]
        gone = [peer for peer, link in self._links.items() if link.host_gone(self._graph.state.leases.patience_s)]
        self._perform(self._graph.looked(heard, gone, awake_s, _now()))
        quiet = [link for peer in self._graph.quiet(awake_s) if (link := self._links.get(peer)) is not None]
        for link in quiet:
            self._beat(link)
        return bool(quiet)

    def flush(self) -> None:
        """Write once for all that one client's bytes have made of messages to clients.

        At once, and not in the next turn of the loop, which would delay each hop of a request by that turn.
        """
        self._hearing = False
        links, self._to_flush = self._to_flush, set()
        for link in links:
            link.flush()

    def leave(self, link: Link, *, lost: bool = False) -> None:
        """Take a client out of the graph, if it was let in.

        :param lost: whether its host is gone, too.

        Not once the server ends: everybody leaves then, and nobody shall take down a route because of it.
        """
        self._followers.discard(link)
        if self._links.pop(link.peer, None) is None:
            return
        self._late_replies += link.connection.late_replies
        if not self._closed:
            self._perform(self._graph.peer_left(link.peer, _now(), lost=lost))

    def perform(self, more: Iterable[Effect]) -> None:
        """Perform what was decided without a client."""
        self._perform(more)

    async def survey(self, timeout_s: float) -> effects.Surveyed:
        """Ask every process what it has counted, and return what all of them said."""
        survey_id = next(self._survey_ids)
        done: asyncio.Future[effects.Surveyed] = asyncio.get_running_loop().create_future()
        self._surveys[survey_id] = done
        try:
            self._perform(self._graph.survey_begun(survey_id, timeout_s, _now()))
            return await done
        finally:
            del self._surveys[survey_id]

    def close(self) -> None:
        """Stop the timer."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()

    # --- inside -------------------------------------------------------------------------------------------

    def _handled(self, link: Link, request_id: int, body: object) -> list[Effect]:
        try:
            return self._graph.request_received(link.peer, request_id, body, _now())
        except Exception as error:
            # Protects every other client from a fault of ours that one client's request has found.
            logger.exception("The request %s of %s failed", type(body).__name__, link.address)
            reason = f"{type(error).__name__}: {error}"
            return [effects.Fail(link.peer, request_id, InternalError(reason=reason))]

    def _answered(self, link: Link, request_id: int, answer: object) -> None:
        call_id = link.take_call(request_id)
        if call_id is not None:
            self._perform(self._graph.reply_received(link.peer, call_id, answer, _now()))

    def _perform(self, more: Iterable[Effect]) -> None:
        """Perform effects in their order, also those that come of performing them."""
        self._agenda.extend(more)
        if self._performing:
            return
        self._performing = True
        try:
            while self._agenda:
                self._perform_one(self._agenda.popleft())
        finally:
            self._performing = False
        self._set_timer()

    def _perform_one(self, effect: Effect) -> None:
        match effect:
            case effects.Feed():
                for follower in list(self._followers):
                    follower.feed()
            case effects.Warn(reason=reason, text=text):
                self._warn(reason, text)
            case effects.Cut(peer=peer, error=error):
                if (link := self._links.get(peer)) is not None:
                    link.turn_away(error)
            case effects.StopServer():
                self._stop()
            case effects.KeepEdge() | effects.KeepSettings():
                self._keep(effect)
            case effects.Surveyed(survey_id=survey_id):
                if (done := self._surveys.get(survey_id)) is not None and not done.done():
                    done.set_result(effect)
            case _:
                if (link := self._links.get(effect.peer)) is not None:
                    self._tell(link, effect)
                    self._flush_soon(link)

    def _tell(self, link: Link, effect: Effect) -> None:
        match effect:
            case effects.Reply(request_id=request_id, body=body):
                link.reply(request_id, body)
            case effects.Fail(request_id=request_id, error=error):
                link.fail(request_id, error)
            case effects.Follow(request_id=request_id, cursor=cursor):
                self._followers.add(link)
                link.follow(request_id, cursor)
            case effects.Unfollow(request_id=request_id):
                link.unfollow(request_id)
            case effects.Uncall(call_id=call_id):
                link.uncall(call_id)
            case effects.Call(call_id=call_id, body=body, refusable=refusable):
                try:
                    link.call(call_id, body, refusable=refusable)
                except (FrameTooLarge, ServerOverloaded) as error:
                    self._agenda.extend(self._graph.call_unsent(link.peer, call_id, error, _now()))

    def _beat(self, link: Link) -> None:
        link.beat(self._graph.state.leases.lease_s)
        self._flush_soon(link)

    def _flush_soon(self, link: Link) -> None:
        """Write once for all that this turn of the loop has to say to a client, or sooner, see :meth:`flush`."""
        if not self._to_flush and not self._hearing:
            asyncio.get_running_loop().call_soon(self.flush)
        self._to_flush.add(link)

    def _set_timer(self) -> None:
        deadline = self._graph.next_deadline()
        if deadline is None or self._closed:
            return
        if self._timer is not None:
            if self._timer_due_s <= deadline:
                return  # it comes early enough, and then looks again
            self._timer.cancel()
        # Kept here, as uvloop's handles of what is due already cannot tell when that was.
        self._timer_due_s = deadline
        self._timer = asyncio.get_running_loop().call_at(deadline, self._tick)

    def _tick(self) -> None:
        self._timer = None
        self._perform(self._graph.tick(_now()))


def _now() -> Moment:
    return Moment(time.monotonic(), time.time())
