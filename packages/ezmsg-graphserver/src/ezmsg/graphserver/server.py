"""The server's life: it listens and announces itself, admits clients, and ends in order."""

import asyncio
import contextlib
import logging
import math
import os
import secrets
import socket
import time
from collections.abc import Callable
from functools import partial
from itertools import count
from typing import TYPE_CHECKING, cast
from uuid import uuid4

from ezmsg.graphserver.deciding.configuration import Configuration
from ezmsg.graphserver.deciding.effects import PeerId
from ezmsg.graphserver.deciding.graph import Graph
from ezmsg.graphserver.files.announcement import AnnouncementFile, program_name
from ezmsg.graphserver.files.left_behind import sweep
from ezmsg.graphserver.performer import Performer
from ezmsg.graphserver.sockets.binding import bound_address, reachable
from ezmsg.graphserver.sockets.link import Link
from ezmsg.graphserver.sockets.listener import Listener
from ezmsg.graphserver.sockets.log_limiter import AddressLimiter, LogLimiter, Repetitions, one_line
from ezmsg.graphserver.sockets.ways import Served, serve
from ezmsg.protocol.addresses import Address
from ezmsg.protocol.announcement import Announcement
from ezmsg.protocol.errors import (
    AuthenticationFailed,
    ConnectionLost,
    DeadlineExceeded,
    EzmsgError,
    LeaseExpired,
    ProtocolViolation,
    ServerOverloaded,
    StateUnusable,
    TlsFailed,
    TlsRequired,
    UnsafeFolder,
    VersionMismatch,
)
from ezmsg.protocol.messages.handshake import Hello
from ezmsg.protocol.wire import connection as protocol
from ezmsg.protocol.wire.auth import NONCE_SIZE
from ezmsg.protocol.wire.handshake import ServerHandshake
from ezmsg.protocol.wire.presence.awake import AwakeClock
from ezmsg.protocol.wire.presence.strangers import Strangers, origin_of
from ezmsg.protocol.wire.presence.unfinished import Unfinished

if TYPE_CHECKING:
    from ezmsg.graphserver.deciding.effects import KeepEdge, KeepSettings
    from ezmsg.graphserver.files.state import StateFile
    from ezmsg.graphserver.metrics.page import MetricsPage
    from ezmsg.graphserver.sockets.tls_door import TlsDoor

logger = logging.getLogger(__name__)

SILENT_LIMIT = 36
GREETED_LIMIT = 64
"""How many connections may be in their handshake at a time: without, and with a hello that makes sense.

They count apart, so that those that never say a word, which cost nothing, are in nobody's way who does.
"""


_OF_STRANGERS = (AuthenticationFailed, VersionMismatch, TlsRequired, TlsFailed)
"""Why somebody is turned away who may belong to another graph, or may lack something here."""

LOOKS = 3
"""How many times less often it is looked who is there while nobody is quiet."""

STOP_TIMEOUT_S = 0.25
"""How long clients have to close their ends when the server stops; it has told them why by then."""


ANNOUNCE_AGAIN_S = 1.0
"""Seconds between two looks at the announcement."""


class Server:
    """A graph server on a socket that is bound already.

    :param token: what clients must prove to hold; the empty one lets everybody in.
    :param metrics: a second bound socket, on which everybody may read what is counted, or ``None``.
    :param state: what is to survive this server, and what an earlier one has kept; it is closed with the server.
    :param door: lets clients in by TLS, and by nothing else; ``None`` lets them speak openly.
    :param also: a name by which clients find it, too, such as ``zenoh:lab``.
    """

    def __init__(
        self,
        sock: socket.socket,
        token: str,
        configuration: Configuration,
        metrics: socket.socket | None = None,
        state: "StateFile | None" = None,
        door: "TlsDoor | None" = None,
        also: Address | None = None,
    ) -> None:
        self.also = also
        self._served: Served | None = None
        self.address = bound_address(sock)
        self._door = door
        self._sock = sock
        self._token = token
        self._epoch = uuid4()
        graph = Graph(self._epoch, configuration)
        self._state = state
        self._limiter = LogLimiter()
        self._performer = Performer(graph, self.stop, self._warn, self._keep)
        if state is not None:
            self._performer.perform(graph.restore(state.kept.edges, state.kept.settings))
        self._page = None if metrics is None else self._metrics_page(metrics, graph)
        self._sockets: set[Link] = set()
        self._silent: Strangers[Link] = Strangers(SILENT_LIMIT)
        self._greeted: Strangers[Link] = Strangers(GREETED_LIMIT)
        self._unfinished: Unfinished[Link] = Unfinished()
        self._look_s = configuration.look_s
        self._awake = AwakeClock(time.monotonic(), 2 * LOOKS * self._look_s)
        self._peer_ids = count(1)
        self._stopped = asyncio.Event()
        self._gone = asyncio.Event()
        self._strangers = Repetitions()
        self._addresses = AddressLimiter()
        self._listener: Listener | None = None
        self._announcement = AnnouncementFile(
            Announcement(
                *(reachable(self.address), token, os.getpid(), time.time(), program_name()),
                authority="" if door is None else door.authority,
            )
        )
        self._keeping: asyncio.Task[None] | None = None
        self._looking: asyncio.Task[None] | None = None

    # --- its life -----------------------------------------------------------------------------------------

    async def start(self, must_announce: bool = True) -> None:
        """Listen, and announce it.

        :param must_announce: whether clients can learn the token in no other way.
        :raises UnsafeFolder: if it cannot be announced but must.
        :raises EzmsgError: if clients cannot find it by its name.
        """
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(self._loop_failed)
        try:
            self._announcement.write()  # before anybody is let in: clients look for it when they were
        except UnsafeFolder as error:
            if must_announce:
                await self.close()
                raise
            logger.warning("The server is not announced: %s", error)
        if self._announcement.path is not None:
            for left in sweep(self._announcement.path.parent):
                logger.info("Removed %s: the server that it belonged to runs no more.", left)
        self._keeping = loop.create_task(self._keep_announced())
        self._looking = loop.create_task(self._look_on())
        self._say_what_travels_openly()
        self._listener = Listener(self._sock, self._new_protocol, self._accept_failed)
        self._listener.start()
        if self.also is not None:
            self._served = await serve(self.also, self._new_link, self._token.encode())
        if self._page is not None:
            self._page.start()

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
        try:
            await self._say_goodbye()
        finally:
            # Last of all: who is at the door looks there for the token, and would take its want for the reason.
            self._announcement.remove()
            if self._state is not None:
                self._state.close()
        await asyncio.sleep(0)  # one turn of the loop, in which the aborted transports close their sockets

    async def _say_goodbye(self) -> None:
        self._stopped.set()
        own = [task for task in (self._keeping, self._looking) if task is not None]
        for task in own:
            task.cancel()
        if own:
            await asyncio.wait(own)
        if self._page is not None:
            await self._page.close()
        listener, self._listener = self._listener, None
        if listener is not None:
            await listener.close()
        self._sock.close()
        self._performer.close()
        self._tell_left_out(math.inf)
        for link in list(self._sockets):
            link.close(ConnectionLost(address=str(self.address), reason="the graph server was stopped"))
        if self._sockets:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._gone.wait(), STOP_TIMEOUT_S)
        for link in list(self._sockets):
            link.abort()
        served, self._served = self._served, None
        if served is not None:
            await served.close()

    async def _keep_announced(self) -> None:
        """Look now and then whether the announcement is there and true; a last logout may remove its folder."""
        told = False
        while True:
            await asyncio.sleep(ANNOUNCE_AGAIN_S)
            self._tell_left_out(time.monotonic())
            if self._state is not None and self._state.is_behind:
                self._write_state(self._state.catch_up)
            try:
                self._announcement.keep(self._performer.units)
                told = False
            except UnsafeFolder as error:
                if not told:
                    told = True
                    logger.warning("The server is no longer announced, and this is tried again: %s", error)

    async def _look_on(self) -> None:
        """Look again and again who is there, and whose frames take too long."""
        pause_s = self._look_s
        while True:
            await asyncio.sleep(pause_s)
            try:
                is_close = self._look(self._awake.look(time.monotonic()))
            except Exception:  # protects everybody from a fault in what is decided about one
                logger.exception("Who is there could not be looked at, and this is tried again")
            else:
                pause_s = self._look_s if is_close else LOOKS * self._look_s

    def _look(self, awake_s: float) -> bool:
        """Look once; return whether it is time to look more closely."""
        for link, seconds in self._unfinished.late(awake_s):
            link.close(DeadlineExceeded(operation="The rest of a frame", seconds=seconds))
        return self._performer.look(awake_s) or len(self._unfinished) > 0

    # --- what links tell ----------------------------------------------------------------------------------

    def link_made(self, link: Link) -> EzmsgError | None:
        """Admit a client to the handshake; if too many are in it, the oldest of them has to go."""
        self._sockets.add(link)
        if self._stopped.is_set():
            return ConnectionLost(address=str(self.address), reason="the graph server was stopped")
        self._turn_away(self._silent.enter(link, origin_of(link.route.client)))
        return None

    def link_greeted(self, link: Link) -> None:
        """Count a client among those that have said who they are."""
        if self._silent.leave(link):
            self._turn_away(self._greeted.enter(link, origin_of(link.route.client)))

    def link_opened(self, link: Link, hello: Hello) -> None:
        """Let a client in."""
        self._greeted.leave(link)
        self._performer.join(link, hello)

    def link_received(self, link: Link, event: protocol.Event) -> None:
        """Hand on what a client says."""
        self._performer.receive(link, event)

    def link_unfinished(self, link: Link) -> None:
        """See that the beginnings of frames do not fill the memory."""
        now_s = self._awake.look(time.monotonic())
        self._unfinished.note(link, *link.connection.unfinished, now_s)
        while (oldest := self._unfinished.excess()) is not None:
            reason = f"{self._unfinished.held} bytes of frames that are not whole are too many"
            self._unfinished.forget(oldest)
            oldest.close(ServerOverloaded(reason=reason))

    def link_heard(self) -> None:
        """Write what there is to say to anybody."""
        self._performer.flush()

    def link_closed(self, link: Link, error: EzmsgError | None) -> None:
        """Take a client out of the graph."""
        self._forget_stranger(link)
        self._unfinished.forget(link)
        if isinstance(error, ProtocolViolation | DeadlineExceeded) and not link.heard:
            logger.debug("%s connected and said nothing.", link.address)  # it asks whether somebody listens
        elif error is None or self._stopped.is_set():
            pass
        elif isinstance(error, _OF_STRANGERS):
            self._warn_of_stranger(link, error)
        elif link.opened or self._may_tell_of(link):
            self._warn(error.code, f"The connection of {link.address} was closed: {error}")
        self._performer.leave(link, lost=isinstance(error, LeaseExpired))

    def link_gone(self, link: Link) -> None:
        """Forget a socket."""
        self._sockets.discard(link)
        if not self._sockets:
            self._gone.set()

    # --- inside -------------------------------------------------------------------------------------------

    def _turn_away(self, stranger: Link | None) -> None:
        if stranger is not None:
            stranger.turn_away(ServerOverloaded(reason="too many others are in their handshake, too"))

    def _forget_stranger(self, link: Link) -> None:
        self._silent.leave(link)
        self._greeted.leave(link)

    def _metrics_page(self, listening: socket.socket, graph: Graph) -> "MetricsPage":
        """Make the page on which everybody may read what is counted; few servers have one."""
        from ezmsg.graphserver.metrics.page import MetricsPage
        from ezmsg.graphserver.metrics.scraping import Scraping

        scraping = Scraping(graph.state, self._performer.survey, lambda: self._performer.late_replies)
        return MetricsPage(listening, scraping, self._accept_failed)

    def _say_what_travels_openly(self) -> None:
        """Say by what others are kept from reading and changing what goes over the network, or that nothing
        does.
        """
        if self._door is not None:
            ours = self._door.credentials
            logger.info(
                "Clients are let in by TLS 1.3 alone, with the certificate of %s, which is valid until %s",
                *(", ".join(ours.names) or ours.files.certificate, ours.valid_until),
            )
        elif not self.address.is_loopback:
            logger.warning(
                "Everything to and from %s travels openly but the token: whoever reads the network reads the "
                "graph, its settings and all messages. Where that matters, give it certificates: ezmsg server "
                "certificates",
                self.address,
            )

    def _new_protocol(self) -> asyncio.BaseProtocol:
        link = self._new_link()
        # It has all that loops call, and needs none of them.
        return link if self._door is None else cast(asyncio.BaseProtocol, self._door.before(link, self.address))

    def _new_link(self) -> Link:
        handshake = ServerHandshake(
            self._token.encode(), secrets.token_bytes(NONCE_SIZE), self._epoch, listens_on=self.address.host
        )
        self._gone.clear()
        return Link(PeerId(next(self._peer_ids)), handshake, self)

    def _warn(self, kind: str, text: str, cause: BaseException | None = None) -> None:
        held_back = self._limiter.admit(kind, time.monotonic())
        if held_back is not None:
            more = f" ({held_back} more like it before)" if held_back else ""
            logger.warning("%s%s", one_line(text), more, exc_info=cause)

    def _warn_of_stranger(self, link: Link, error: EzmsgError) -> None:
        """Say who is turned away, once: a client that lost another server may come for as long as it lives."""
        who = f"{link.calls_itself} at {link.route.client or link.address}"
        before = self._strangers.admit(f"{error.code} {who}", time.monotonic())
        if before is not None and self._may_tell_of(link):
            again = f" It has come {before} more times since the last word of it." if before else ""
            self._warn(
                error.code,
                f"{who} was turned away. {error} If it belongs to this graph, give it what it lacks; if it looks "
                f"for a server that was here before, end it. This is told ever more rarely.{again}",
            )

    def _keep(self, change: "KeepEdge | KeepSettings") -> None:
        """Write a change into the state file, before anybody hears that it was made."""
        if self._state is not None:
            self._write_state(partial(self._state.keep, change))

    def _write_state(self, write: Callable[[], None]) -> None:
        try:
            write()
        except StateUnusable as error:
            self._warn("state", f"What is to survive this server is not written yet, and tried again. {error}")

    def _may_tell_of(self, link: Link) -> bool:
        """Whether the log has room for another line on a stranger; those that it has none for are counted."""
        return self._addresses.admit(link.route.client or link.address, time.monotonic())

    def _tell_left_out(self, now: float) -> None:
        for address, number in self._addresses.folded(now):
            logger.warning("%d more lines on strangers at %s were left out.", number, address)

    def _accept_failed(self, error: OSError) -> None:
        self._warn("accept", f"A client could not be let in: {error.strerror}. Those that are in go on.")

    def _loop_failed(self, _loop: asyncio.AbstractEventLoop, context: dict[str, object]) -> None:
        """Log what the loop caught; it goes on."""
        error = context.get("exception")
        cause = error if isinstance(error, BaseException) and not isinstance(error, OSError) else None
        self._warn(f"loop {type(error).__name__}", f"{context.get('message')}: {error!r}", cause)
