"""The asyncio shell round the graph: it listens, feeds the graph, performs its effects, keeps its one timer."""

import asyncio
import contextlib
import logging
import os
import secrets
import socket
import time
from collections import deque
from collections.abc import Iterable
from itertools import count
from uuid import uuid4

from ezmsg.graphserver import effects
from ezmsg.graphserver.announcement_file import AnnouncementFile
from ezmsg.graphserver.binding import bound_address, reachable
from ezmsg.graphserver.configuration import Configuration
from ezmsg.graphserver.effects import Effect, Moment, PeerId
from ezmsg.graphserver.graph import Graph
from ezmsg.graphserver.link import FAREWELL_TIMEOUT_S, Link
from ezmsg.graphserver.log_limiter import LogLimiter
from ezmsg.protocol import connection as protocol
from ezmsg.protocol.announcement import Announcement
from ezmsg.protocol.auth import NONCE_SIZE
from ezmsg.protocol.errors import (
    ConnectionLost,
    EzmsgError,
    FrameTooLarge,
    InternalError,
    ServerOverloaded,
    UnsafeFolder,
)
from ezmsg.protocol.handshake import ServerHandshake
from ezmsg.protocol.messages.handshake import Hello

logger = logging.getLogger(__name__)

MAX_UNAUTHENTICATED = 100
"""How many connections may be in their handshake at a time."""


class Server:
    """A graph server on a socket that is bound already.

    :param token: what clients must prove to hold; the empty one lets everybody in.
    """

    def __init__(self, sock: socket.socket, token: str, configuration: Configuration) -> None:
        self.address = bound_address(sock)
        self._sock = sock
        self._token = token
        self._epoch = uuid4()
        self._graph = Graph(self._epoch, configuration)
        self._links: dict[PeerId, Link] = {}
        self._sockets: set[Link] = set()
        self._unauthenticated: set[Link] = set()
        self._peer_ids = count(1)
        self._followers: set[Link] = set()
        self._to_flush: set[Link] = set()
        self._agenda: deque[Effect] = deque()
        self._performing = False
        self._timer: asyncio.TimerHandle | None = None
        self._stopped = asyncio.Event()
        self._gone = asyncio.Event()
        self._limiter = LogLimiter()
        self._listener: asyncio.Server | None = None
        self._announcement = AnnouncementFile(
            Announcement(reachable(self.address), token, os.getpid(), time.time())
        )

    # --- its life -----------------------------------------------------------------------------------------

    async def start(self, must_announce: bool = True) -> None:
        """Listen, and announce it.

        :param must_announce: whether clients can learn the token in no other way.
        :raises UnsafeFolder: if it cannot be announced but must.
        """
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(self._loop_failed)
        self._listener = await loop.create_server(self._new_link, sock=self._sock, backlog=512)
        try:
            self._announcement.write()
        except UnsafeFolder as error:
            if must_announce:
                await self.close()
                raise
            logger.warning("The server is not announced: %s", error)

    async def run(self) -> None:
        """Serve until :meth:`stop` is called or a client asks for the end, then close everything."""
        try:
            await self._stopped.wait()
        finally:
            await self.close()

    def stop(self) -> None:
        """Ask for the end."""
        self._stopped.set()

    async def close(self) -> None:
        """Stop listening, say goodbye to everybody, take the announcement away. Bounded and idempotent."""
        self._stopped.set()
        self._announcement.remove()
        if self._listener is not None:
            self._listener.close()  # and the socket with it
        self._sock.close()
        if self._timer is not None:
            self._timer.cancel()
        for link in list(self._sockets):
            link.close(ConnectionLost(address=str(self.address), reason="the graph server was stopped"))
        if self._sockets:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._gone.wait(), FAREWELL_TIMEOUT_S)
        for link in list(self._sockets):
            link.abort()
        await asyncio.sleep(0)  # one turn of the loop, in which the aborted transports close their sockets

    # --- what links tell ----------------------------------------------------------------------------------

    def link_made(self, link: Link) -> EzmsgError | None:
        """Admit a client to the handshake, unless too many are in it."""
        self._sockets.add(link)
        if self._stopped.is_set():
            return ConnectionLost(address=str(self.address), reason="the graph server was stopped")
        if len(self._unauthenticated) >= MAX_UNAUTHENTICATED:
            return ServerOverloaded(reason=f"{MAX_UNAUTHENTICATED} connections are in their handshake already")
        self._unauthenticated.add(link)
        return None

    def link_opened(self, link: Link, hello: Hello) -> None:
        """Let a client in."""
        self._unauthenticated.discard(link)
        self._links[link.peer] = link
        self._perform(self._graph.peer_joined(link.peer, hello, _now()))

    def link_received(self, link: Link, event: protocol.Event) -> None:
        """Feed the graph."""
        match event:
            case protocol.RequestReceived(id=request_id, body=body):
                self._perform(self._handled(link, request_id, body))
            case protocol.ReplyReceived(id=request_id, body=answer):
                self._answered(link, request_id, answer)
            case protocol.FailureReceived(id=request_id, error=error):
                self._answered(link, request_id, error)
            case protocol.CancelReceived(id=request_id):
                self._perform(self._graph.request_cancelled(link.peer, request_id))
            case _:
                pass  # no notice and no stream leads to a server in this revision

    def link_closed(self, link: Link, error: EzmsgError | None) -> None:
        """Take a client out of the graph."""
        self._unauthenticated.discard(link)
        self._followers.discard(link)
        if error is not None and not self._stopped.is_set():
            self._warn(error.code, f"The connection of {link.address} was closed: {error}")
        if self._links.pop(link.peer, None) is not None:
            self._perform(self._graph.peer_left(link.peer, _now()))

    def link_gone(self, link: Link) -> None:
        """Forget a socket."""
        self._sockets.discard(link)
        if not self._sockets:
            self._gone.set()

    # --- inside -------------------------------------------------------------------------------------------

    def _new_link(self) -> Link:
        handshake = ServerHandshake(self._token.encode(), secrets.token_bytes(NONCE_SIZE), self._epoch)
        self._gone.clear()
        return Link(PeerId(next(self._peer_ids)), handshake, self)

    def _handled(self, link: Link, request_id: int, body: object) -> list[Effect]:
        try:
            return self._graph.request_received(link.peer, request_id, body, _now())
        except Exception as error:
            # Protects every other client from a fault of ours that one client's request has found.
            logger.exception("The request %s of %s failed", type(body).__name__, link.address)
            reason = f"{type(error).__name__}: {error}"
            return [effects.Fail(link.peer, request_id, InternalError(reason=reason))]

    def _answered(self, link: Link, request_id: int, answer: object) -> None:
        call_id = link.calls.pop(request_id, None)
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
            case effects.StopServer():
                self.stop()
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
            case effects.Call(call_id=call_id, body=body):
                try:
                    link.call(call_id, body)
                except FrameTooLarge as error:
                    self._agenda.extend(self._graph.reply_received(link.peer, call_id, error, _now()))

    def _flush_soon(self, link: Link) -> None:
        """Write once for all that this turn of the loop has to say to a client."""
        if not self._to_flush:
            asyncio.get_running_loop().call_soon(self._flush)
        self._to_flush.add(link)

    def _flush(self) -> None:
        links, self._to_flush = self._to_flush, set()
        for link in links:
            link.flush()

    def _set_timer(self) -> None:
        deadline = self._graph.next_deadline()
        if deadline is None or self._stopped.is_set():
            return
        if self._timer is not None:
            if self._timer.when() <= deadline:
                return  # it comes early enough, and then looks again
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_at(deadline, self._tick)

    def _tick(self) -> None:
        self._timer = None
        self._perform(self._graph.tick(_now()))

    def _warn(self, kind: str, text: str, cause: BaseException | None = None) -> None:
        held_back = self._limiter.admit(kind, time.monotonic())
        if held_back is not None:
            more = f" ({held_back} more like it before)" if held_back else ""
            logger.warning("%s%s", text, more, exc_info=cause)

    def _loop_failed(self, _loop: asyncio.AbstractEventLoop, context: dict[str, object]) -> None:
        """Log what the loop caught, such as an accept that failed for want of file descriptors; it goes on."""
        error = context.get("exception")
        cause = error if isinstance(error, BaseException) and not isinstance(error, OSError) else None
        self._warn(f"loop {type(error).__name__}", f"{context.get('message')}: {error!r}", cause)


def _now() -> Moment:
    return Moment(time.monotonic(), time.time())
