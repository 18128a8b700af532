"""One socket: the bytes of a client, through the sans-I/O connection, to the server and back.

It waits for nothing and decides nothing about the graph. What a client does not read is kept up to a limit, then
the client is cut off; streams of events are not even kept, their cursors rest until the client reads on.
"""

import asyncio
import contextlib
import logging
import socket
from collections.abc import Callable
from typing import Any, Protocol, cast

from ezmsg.graphserver.deciding.contacts import NOWHERE, Route, plain_host
from ezmsg.graphserver.deciding.effects import PeerId
from ezmsg.graphserver.deciding.state.event_log import Cursor
from ezmsg.graphserver.sockets.acknowledging import unacknowledged_s
from ezmsg.graphserver.sockets.forks import keep_from_forks
from ezmsg.protocol.errors import (
    DeadlineExceeded,
    EzmsgError,
    FrameTooLarge,
    InternalError,
    LeaseExpired,
    ServerOverloaded,
)
from ezmsg.protocol.messages.events import Gap
from ezmsg.protocol.messages.handshake import Hello
from ezmsg.protocol.messages.presence import Beat
from ezmsg.protocol.wire import connection as protocol
from ezmsg.protocol.wire.frames import FRAME_LIMIT
from ezmsg.protocol.wire.handshake import ServerHandshake
from ezmsg.protocol.wire.presence.lease import LEASE_S
from ezmsg.protocol.wire.presence.strangers import PROOF_TIMEOUT_S
from ezmsg.protocol.wire.roles import Role

logger = logging.getLogger(__name__)

HANDSHAKE_TIMEOUT_S = PROOF_TIMEOUT_S
"""How long a client may take to prove itself."""

FAREWELL_TIMEOUT_S = 1.0
"""How long a closed connection stays half open, so that the peer can read why it was closed."""

OUTBOX_LIMIT = FRAME_LIMIT + 1024 * 1024
"""How many unread bytes a client may leave: one largest frame, and some."""

CALLS_LIMIT = 10_000
"""How many questions a client may leave unanswered, as nothing waits for some of the answers."""

_ITEMS_PER_BATCH = 64
_BYTES_PER_BATCH = 64 * 1024
"""What streams may send to one client in one turn of the loop: these many items, or the item that passes these
bytes. The others are to have their turn, and a client that reads shall never have left much unread."""

_SILENCE_OPTIONS = (("TCP_KEEPIDLE", 1), ("TCP_KEEPINTVL", 1), ("TCP_KEEPCNT", 2))
"""A host that acknowledges nothing is taken for gone after 3 s: by the operating system while nothing waits to be
acknowledged, else see :meth:`Link.host_gone`. One whose process reads slowly or is stopped acknowledges."""


class Owner(Protocol):
    """What a link tells its server."""

    def link_made(self, link: "Link") -> EzmsgError | None:
        """A client has connected; an error refuses it."""

    def link_greeted(self, link: "Link") -> None:
        """The client has said a hello that makes sense, and has yet to prove itself."""

    def link_opened(self, link: "Link", hello: Hello) -> None:
        """The client has proved itself."""

    def link_received(self, link: "Link", event: protocol.Event) -> None:
        """The client asks, answers or cancels."""

    def link_unfinished(self, link: "Link") -> None:
        """A frame of the client has begun, and is not whole yet, or is whole now."""

    def link_heard(self) -> None:
        """All that has come from a client for now was told."""

    def link_closed(self, link: "Link", error: EzmsgError | None) -> None:
        """The connection is over; nothing more comes. Told once."""

    def link_gone(self, link: "Link") -> None:
        """The socket is closed too."""


class Link(asyncio.Protocol):
    """One client's connection to the server."""

    def __init__(self, peer: PeerId, handshake: ServerHandshake, owner: Owner) -> None:
        self.peer = peer
        self.address = "?"
        self.route = NOWHERE
        self.opened = False
        self.heard = False
        self._heard_lately = False
        self.connection = protocol.Connection(handshake)
        self._calls: dict[int, int] = {}  # from the connection's request ids to the graph's call ids
        self._asked: dict[int, int] = {}  # and back
        self._handshake = handshake
        self._owner = owner
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._cursors: dict[int, Cursor[Any]] = {}
        self._next_batch: asyncio.Handle | None = None
        self._paused = False
        self._over = False
        self._greeted = False
        self._has_begun = False  # a frame of the client, as its owner knows
        self._said_farewell = False

    # --- what asyncio calls -------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Start the clock of the handshake."""
        self._transport = cast(asyncio.Transport, transport)
        sock = transport.get_extra_info("socket")
        if sock is None:  # it has found the server by its name
            self.address = transport.get_extra_info("peer", "?")
        else:
            self._see_addresses(transport, sock)
        self._timer = self._loop.call_later(HANDSHAKE_TIMEOUT_S, self._handshake_expired)
        refusal = self._owner.link_made(self)
        if refusal is not None:
            self.close(refusal)

    def data_received(self, data: bytes) -> None:
        """Hand bytes to the protocol, and what they mean to the server."""
        self.heard = self._heard_lately = True
        self.connection.receive_data(data)
        if not self._greeted and self._handshake.hello is not None:
            self._greeted = True
            self._owner.link_greeted(self)
        self._pump_events()
        self._note_unfinished()

    def eof_received(self) -> None:
        """The client will send no more, so the connection ends."""
        self.connection.receive_eof()
        self._pump_events()

    def pause_writing(self) -> None:
        """The client reads too slowly: its streams rest."""
        self._paused = True

    def resume_writing(self) -> None:
        """The client has read on: so do its streams."""
        self._paused = False
        self.feed()

    def connection_lost(self, exc: Exception | None) -> None:
        """The socket is closed."""
        if isinstance(exc, TimeoutError) and not self._over:  # the operating system has given its host up
            self._end(LeaseExpired(peer=self.calls_itself, seconds=LEASE_S))
        if isinstance(exc, EzmsgError):  # TLS has ended it
            self._end(exc)
        self.connection.receive_eof()
        self._pump_events()
        if self._timer is not None:
            self._timer.cancel()
        self._transport = None
        self._owner.link_gone(self)

    @property
    def role(self) -> Role:
        """What the client may do, by the token that it has proved to hold."""
        return self._handshake.role or Role.OBSERVER

    @property
    def calls_itself(self) -> str:
        """What the client says that it is, proved or not; for a log."""
        hello = self._handshake.hello
        if hello is None or hello.pid is None:
            return "A client"
        return f"Process {hello.pid} of {hello.host or 'a host without a name'}"

    # --- what the server calls ----------------------------------------------------------------------------

    def reply(self, request_id: int, body: Any) -> None:
        """Answer a request."""
        if not self.connection.closed:
            self.connection.reply(request_id, body)

    def fail(self, request_id: int, error: EzmsgError) -> None:
        """Answer a request with a failure."""
        if not self.connection.closed:
            self.connection.fail(request_id, error)

    def call(self, call_id: int, body: Any, *, refusable: bool = False) -> None:
        """Ask the client; one that leaves too much unread or unanswered is cut off.

        :param refusable: whether that shall rather cost this question than the connection.
        :raises FrameTooLarge: if the question is larger than a frame may be, or than there is room for.
        :raises ServerOverloaded: if a refusable question would be one too many.
        """
        if self.connection.closed:
            return
        if len(self._calls) >= CALLS_LIMIT:
            overload = ServerOverloaded(reason=f"the client left {CALLS_LIMIT} questions unanswered")
            if refusable:
                raise overload
            self.close(overload)
            return
        request_id = self.connection.request(body, self._room() if refusable else None)
        self._calls[request_id] = call_id
        self._asked[call_id] = request_id

    def uncall(self, call_id: int) -> None:
        """Tell the client that an answer is no longer wanted, and expect it no more."""
        request_id = self._asked.get(call_id)
        if request_id is not None and not self.connection.closed:
            self.take_call(request_id)
            self.connection.cancel(request_id)

    def take_call(self, request_id: int) -> int | None:
        """Return the id of the call that was answered, once, or ``None`` if it is expected no more."""
        call_id = self._calls.pop(request_id, None)
        if call_id is not None:
            del self._asked[call_id]
        return call_id

    def follow(self, request_id: int, cursor: Cursor[Any]) -> None:
        """Begin to send what a cursor finds."""
        self._cursors[request_id] = cursor
        self.feed()

    def unfollow(self, request_id: int) -> None:
        """Stop sending what a cursor finds."""
        self._cursors.pop(request_id, None)

    def feed(self) -> None:
        """Let the cursors go on for as long as the client reads, by one batch in each turn of the loop."""
        if self._next_batch is None:
            self._feed_batch()

    def flush(self) -> None:
        """Write what there is to send."""
        if self._transport is None or not self.connection.unsent_bytes:
            return
        self._transport.write(self.connection.data_to_send())
        size = self._transport.get_write_buffer_size()
        if size > OUTBOX_LIMIT and not self._over:
            self._end(ServerOverloaded(reason=f"the client left {size} bytes unread"))
            self.abort()

    def close(self, error: EzmsgError | None = None) -> None:
        """End the connection, and tell the client why."""
        self.connection.close(error)
        self._pump_events()

    def abort(self) -> None:
        """Close the socket at once."""
        if self._transport is not None:
            self._transport.abort()

    def take_heard(self) -> bool:
        """Return whether anything has come since this was asked last."""
        heard, self._heard_lately = self._heard_lately, False
        return heard

    def beat(self, lease_s: float) -> None:
        """Say that the server is there."""
        if not self.connection.closed:
            self.connection.notify(Beat(lease_s=lease_s))

    def host_gone(self, silence_s: float) -> bool:
        """Return whether the client's host has acknowledged nothing for so long, of what waits for it."""
        if self._transport is None:
            return False
        silence: Callable[[], float] | None = self._transport.get_extra_info("silence")
        if silence is not None:
            return silence() >= silence_s
        if self.route.client == self.route.server:
            return False
        return (unacknowledged_s(self._transport.get_extra_info("socket")) or 0.0) >= silence_s

    def turn_away(self, error: EzmsgError) -> None:
        """End the connection of a stranger at once: its socket is needed."""
        self.close(error)
        self.abort()

    # --- inside -------------------------------------------------------------------------------------------

    def _see_addresses(self, transport: asyncio.BaseTransport, sock: socket.socket) -> None:
        keep_from_forks(sock.fileno())
        peername = transport.get_extra_info("peername")
        self.address = f"{peername[0]}:{peername[1]}" if peername else "?"
        sockname = transport.get_extra_info("sockname")
        if peername and sockname:
            self.route = Route(plain_host(peername[0]), plain_host(sockname[0]))
            if peername[0] != sockname[0]:  # its host may be lost, other than this one
                _watch_for_silence(sock)

    def _note_unfinished(self) -> None:
        has_begun = self.connection.unfinished[1] > 0
        if has_begun or self._has_begun:
            self._has_begun = has_begun
            self._owner.link_unfinished(self)

    def _room(self) -> int:
        """How many bytes a refusable question may have, so that there is room left for what must be said."""
        unread = self._transport.get_write_buffer_size() if self._transport is not None else 0
        return max(FRAME_LIMIT - unread - self.connection.unsent_bytes, 0)

    def _feed_batch(self) -> None:
        self._next_batch = None
        if self._paused or self.connection.closed:
            return
        try:
            if self._send_batch():
                self._next_batch = self._loop.call_soon(self._feed_batch)
        except Exception as error:
            # Protects whoever has caused an event, and its other followers, from a fault of ours in this stream.
            logger.exception("A stream to %s failed", self.address)
            self.close(InternalError(reason=f"{type(error).__name__}: {error}"))
        else:
            self.flush()

    def _send_batch(self) -> bool:
        """Send a few items; return whether there may be more of them."""
        sent = 0
        for request_id, cursor in list(self._cursors.items()):
            while (item := cursor.take()) is not None:
                self._send_item(request_id, item)
                sent += 1
                if sent == _ITEMS_PER_BATCH or self.connection.unsent_bytes > _BYTES_PER_BATCH:
                    self._cursors[request_id] = self._cursors.pop(request_id)  # the other streams are next
                    return True
        return False

    def _send_item(self, request_id: int, item: Any) -> None:
        """Send one item; an event that no frame holds is one that its followers have to do without."""
        try:
            self.connection.item(request_id, item)
        except FrameTooLarge:
            seq = item.event.seq
            self.connection.item(request_id, Gap(seq, seq))

    def _pump_events(self) -> None:
        try:
            for event in self.connection.events_received():
                match event:
                    case protocol.Opened():
                        self._open()
                    case protocol.Closed(error=error):
                        self._end(error)
                    case _:
                        self._owner.link_received(self, event)
        finally:
            self._owner.link_heard()
        self.flush()
        if self._over:
            self._say_farewell()

    def _open(self) -> None:
        assert self._handshake.hello is not None, "the handshake is over"
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self.opened = True
        self._owner.link_opened(self, self._handshake.hello)

    def _end(self, error: EzmsgError | None) -> None:
        if not self._over:
            self._over = True
            self._cursors.clear()
            self._owner.link_closed(self, error)

    def _say_farewell(self) -> None:
        """Close our half and let the peer close its own.

        Closing the socket while there are unread bytes in it would reset the connection, and the peer might
        never read why it was refused.
        """
        transport = self._transport
        if transport is None or transport.is_closing() or self._said_farewell:
            return
        self._said_farewell = True
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_later(FAREWELL_TIMEOUT_S, self.abort)
        with contextlib.suppress(OSError):  # the peer is gone already
            transport.write_eof()

    def _handshake_expired(self) -> None:
        self.close(DeadlineExceeded(operation="The handshake", seconds=HANDSHAKE_TIMEOUT_S))


def _watch_for_silence(sock: socket.socket) -> None:
    with contextlib.suppress(OSError):  # the peer is gone already
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, value in _SILENCE_OPTIONS:
            if hasattr(socket, name):
                sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
