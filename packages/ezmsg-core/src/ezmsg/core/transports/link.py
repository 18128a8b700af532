"""One socket of the data plane: the link between two processes of one host, or the connection of a TCP channel.

It reads records and hands each to whom it is for; it gathers notices and releases and writes them together. A
notice is written at once, unless another one was a moment ago: the notices of a burst go together, at the end of
this turn of the event loop. Releases ride on the next notice, or go by themselves a moment later.

Processes of one host that know each other write the same bytes into rings of shared memory, from one moment on. The
socket is then the bell that wakes who sleeps, and its end is still the end of the link.
"""

import asyncio
import contextlib
import errno
import logging
import os
import socket
from collections.abc import Callable, Sequence
from time import monotonic
from typing import TYPE_CHECKING, Any, Protocol, cast

from ezmsg.control.connection.acknowledging import unacknowledged_s
from ezmsg.control.connection.forks import keep_from_forks
from ezmsg.core.transports import records
from ezmsg.core.transports.busy_wait import BusyWait
from ezmsg.core.transports.gathering import Gathering
from ezmsg.core.transports.listening import OTHER_USER, same_user
from ezmsg.core.transports.liveness import pid_at, unresponsive
from ezmsg.core.transports.outbox import Outbox
from ezmsg.core.transports.records import CONTROL, NOTICES, RELEASE, RELEASES, RecordReader
from ezmsg.core.transports.rings.outbox import RingOutbox
from ezmsg.core.transports.rings.ring import RING_BYTES, Ring, RingError
from ezmsg.core.transports.rings.watch import RingWatch
from ezmsg.core.transports.sender import Sender
from ezmsg.protocol.errors import EzmsgError
from ezmsg.protocol.messages import CHANNELS
from ezmsg.protocol.messages.channels import LinkHello, MemoryNotShared, RingFollows
from ezmsg.protocol.wire.codec import body_from_wire, encode, unpack_map
from ezmsg.protocol.wire.presence.strangers import PROOF_TIMEOUT_S, origin_of

if TYPE_CHECKING:
    from ezmsg.protocol.wire.tls.transport import TlsTransport

logger = logging.getLogger("ezmsg")

BURST_S = 0.00005
"""Notices that follow each other within this time, in seconds, are a burst and are written together."""

OUTBOX_BYTES = 16 * 1024
"""With as much waiting to be written, a link is full for those that need not be sent everything."""

STRANGER_BYTES = 64 * 1024
UNPROVEN_BYTES = 2**20
"""How much may wait to be read by a peer that has proved nothing, and by one that knows a publisher of ours; more
than that, and the socket is closed."""

ANSWER_TIMEOUT_S = 10.0
"""The same, in seconds, for a peer that we came to, or that knows a publisher of ours: loops may be busy."""

SECOND_LOOK_S = 0.05
"""How long a link whose time is up is read on, in seconds."""

BELL_AGAIN_S = 0.01
"""After how long a bell is rung again for which the operating system had no memory, in seconds."""

TLS_REST_BYTES = 256 * 1024
"""How much is read at a time of what is left in a socket with TLS."""

RELEASE_DELAY_S = 0.001
"""How long a release may wait for a notice to ride on, in seconds."""


_SILENCE_OPTIONS = (("TCP_KEEPIDLE", 1), ("TCP_KEEPINTVL", 1), ("TCP_KEEPCNT", 2))
"""A host that acknowledges nothing is taken for gone after 3 s, by the operating system, where nothing waits to be
acknowledged; else :meth:`Link.host_gone` tells. A process that is slow or stopped is no matter."""


class Hearing(Protocol):
    """A channel that was opened from this end."""

    def receive(self, message: int, segment: int, slot: int, size: int, body: bytes | memoryview) -> None:
        """Take a NOTICE or DATA record: the message's number, where it lies, or the message itself."""

    def receive_listed(self, first: int, segment: int, slots: Sequence[int], size: int) -> None:
        """Take a NOTICES record: the number of the first message, where they lie, and the bytes of each."""


class Link(asyncio.BufferedProtocol):
    """A socket, the channels that this end opened on it, and those that the other end opened."""

    def __init__(
        self,
        on_control: "Callable[[Link, Any], None]",
        on_lost: "Callable[[Link], None]",
        *,
        same_host: bool,
        busy_wait_s: float,
        on_stranger: "Callable[[Link], None] | None" = None,
    ) -> None:
        self.same_host = same_host
        self.peer: LinkHello | None = None
        self.apart = ""  # why the other end shares no memory with this one
        self.proven = False  # the other end holds the key of a channel
        self.refused: EzmsgError | None = None  # why this end did not believe the other one by TLS
        self.heard: dict[int, Hearing] = {}
        self.fed: dict[int, Sender] = {}
        self.reader = RecordReader(self._receive, strange=True)
        self.get_buffer = self.reader.get_buffer  # type: ignore[assignment,method-assign]
        self.closed = asyncio.get_running_loop().create_future()
        self._on_control = on_control
        self._on_lost = on_lost
        self._on_stranger = on_stranger  # for a peer that came to us
        self._proof_timer: asyncio.TimerHandle | None = None
        self._unread_limit = UNPROVEN_BYTES if on_stranger is None else STRANGER_BYTES
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._socket: socket.socket | None = None
        self._tls: TlsTransport | None = None  # what stands before the socket, if anything does
        self._numbers = 0
        self._socket_outbox = Outbox()
        self._outbox: Outbox | RingOutbox = self._socket_outbox
        self._ring: Ring | None = None
        self._reads_ring = False
        self._gathering = Gathering()
        self._when_writable: list[Callable[[], None]] = []
        self._busy_wait_s = busy_wait_s
        self._busy_wait: BusyWait | RingWatch = BusyWait(self._loop, busy_wait_s)
        self._written_s = 0.0
        self._turn_end_scheduled = False
        self._release_timer = False
        self._closing = False
        self._broken = False
        self._drained: asyncio.Future[None] | None = None

    def next_number(self) -> int:
        """Return a number for a channel that this end opens."""
        self._numbers += 1
        return self._numbers

    def trust(self) -> None:
        """The other end holds the key of a channel."""
        if not self.proven:
            self.proven = True
            self._stop_proof_timer()
            self.reader.trust()

    def be_patient(self) -> None:
        """The other end knows something that strangers do not, and gets more time to prove itself."""
        if not self.proven:
            self._unread_limit = UNPROVEN_BYTES
            self._start_proof_timer(ANSWER_TIMEOUT_S)

    def stop_feeding(self, number: int) -> None:
        """A channel that the other end opened is over; a TCP connection is over with its only channel."""
        self.fed.pop(number, None)
        if not self.same_host and not self.fed:
            self.close()

    # --- rings --------------------------------------------------------------------------------------------

    def write_ring(self, ring: Ring) -> None:
        """Write into a ring from now on."""
        self.control(RingFollows())
        self._ring = ring
        self._outbox = RingOutbox(ring, self._ring_bell, self._socket_outbox)

    def read_ring(self, ring: Ring) -> None:
        """Read a ring from now on; what comes through the socket is the bell."""
        self._ring = ring
        self._reads_ring = True
        self._busy_wait = RingWatch(self._loop, self._busy_wait_s, ring, self._look)
        self._loop.call_soon(self._busy_wait.heard)

    def _ring_bell(self) -> None:
        if self._socket is None or not self._socket_outbox.empty:
            return  # what waits there wakes the other side; amidst it, a bell would be a part of some record
        try:
            self._socket.send(b"\0")
        except BlockingIOError:
            pass  # it is full of bells
        except OSError as error:  # the end of a socket that is gone is heard where it is read
            if error.errno in (errno.ENOBUFS, errno.ENOMEM):
                self._loop.call_later(BELL_AGAIN_S, self._ring_bell)

    def _look(self) -> bool:
        """Read what is in the ring, and write what it had no room for; return whether there was anything."""
        ring = self._ring
        if self._broken or ring is None:
            return False
        try:
            size = ring.read_into(self.reader.get_buffer())
            if size:
                self._written_s = 0.0  # what is sent now is an answer, not a burst
                if ring.must_tell_room():
                    self._ring_bell()
                self.reader.buffer_updated(size)
        except (ValueError, EzmsgError) as error:
            self._break_off(str(error))
            return False
        except Exception:  # protects the publisher at the other end, which would wait for ever for a link gone deaf
            logger.exception("A link of the data plane was closed, as what came could not be received")
            self.abort()
            return False
        if self._outbox.waiting or self._when_writable:
            self._resume()
        return size > 0

    # --- writing ------------------------------------------------------------------------------------------

    def control(self, message: object) -> None:
        """Send a message of the channel conversation."""
        body = encode(message)
        self._empty_gathering()
        self._outbox.append(records.pack(records.CONTROL, 0, size=len(body)))
        self._outbox.append(body)
        self._flush()

    def notice(self, channel: int, number: int, segment: int, slot: int, size: int) -> None:
        """Say that a message lies in a slot."""
        if not self._gathering.notice(channel, number, segment, slot, size):
            self._write_soon()

    def data(self, channel: int, number: int, token: int, body: Sequence[bytes | memoryview]) -> None:
        """Send a message itself, which comes in parts. They must not change afterwards."""
        self._outbox.append(records.pack(records.DATA, channel, number, 0, token, sum(map(len, body))))
        for part in body:
            self._outbox.append(part)
        self._write_soon()

    def release(self, channel: int, token: int, *, prompt: bool) -> None:
        """Say that nobody here holds a message any more; ``prompt`` if its publisher may be waiting for it."""
        self._gathering.release(channel, token)
        if prompt:
            self._write_soon()
        elif not self._release_timer:
            self._release_timer = True
            self._loop.call_later(RELEASE_DELAY_S, self._release_timer_fired)

    async def flushed(self) -> None:
        """Wait until the operating system has taken everything that was sent."""
        self._flush()
        if self._outbox.empty or self.closed.done():
            return
        if self._drained is None:
            self._drained = self._loop.create_future()
        await asyncio.shield(self._drained)

    @property
    def writable(self) -> bool:
        """Whether the operating system takes what is sent now."""
        return self._outbox.waiting < OUTBOX_BYTES

    def when_writable(self, call: Callable[[], None]) -> None:
        """Call back once when the socket takes more."""
        self._when_writable.append(call)

    def close(self) -> None:
        """Write what waits, then close the socket."""
        self._closing = True
        self._flush()

    def abort(self) -> None:
        """Close the socket, whatever waits, and read no more of it."""
        self._broken = True
        if self._transport is not None:
            self._transport.abort()

    def _empty_gathering(self) -> None:
        """Let what was gathered be written before what follows."""
        if self._gathering:
            for piece in self._gathering.pieces():
                self._outbox.append(piece)

    def _write_soon(self) -> None:
        if self._turn_end_scheduled:
            return
        now_s = monotonic()
        if now_s - self._written_s > BURST_S:
            self._write(now_s)
        else:
            self._turn_end_scheduled = True
            self._loop.call_soon(self._turn_over)

    def _turn_over(self) -> None:
        self._turn_end_scheduled = False
        self._write(monotonic())

    def _write(self, now_s: float) -> None:
        """Write what waits, and wait awake for what may come back."""
        self._written_s = now_s
        self._flush()
        self._busy_wait.sent(now_s)

    def _release_timer_fired(self) -> None:
        self._release_timer = False
        self._flush()

    def _flush(self) -> None:
        self._empty_gathering()
        try:
            self._outbox.flush()
        except RingError as error:
            self._break_off(str(error))
        self._check_outbox()

    def _check_outbox(self) -> None:
        """See whether somebody waits for an empty outbox, and whether a stranger lets it grow."""
        if self._outbox.empty:
            if self._drained is not None:
                self._drained.set_result(None)
                self._drained = None
            if self._closing and self._transport is not None:
                self._transport.close()
        elif not self.proven and self._outbox.waiting > self._unread_limit:
            logger.debug("A link was closed: its peer proved nothing and does not read what it asks for.")
            self.abort()

    def host_gone(self, silence_s: float) -> bool:
        """Return whether the other end's host has acknowledged nothing for so long, of what waits for it."""
        if self._socket is None or self._socket.family == socket.AF_UNIX or self.closed.done():
            return False
        return (unacknowledged_s(self._socket) or 0.0) >= silence_s

    @property
    def peer_pid(self) -> int | None:
        """The other end's process, as the operating system or it itself says."""
        pid = None if self.peer is None else self.peer.pid
        return pid if self._socket is None else pid_at(self._socket, pid)

    def unresponsive(self, silence_s: float) -> str:
        """Return why the other end surely does not answer; nothing if it may, however slow it is."""
        if self._socket is None or self.closed.done():
            return ""
        pid = None if self.peer is None else self.peer.pid
        return unresponsive(self._socket, pid, silence_s)

    # --- reading ------------------------------------------------------------------------------------------

    def buffer_updated(self, nbytes: int) -> None:
        self._written_s = 0.0  # what is sent now is an answer, not a burst
        self._busy_wait.heard()
        if self._reads_ring:
            return
        try:
            self.reader.buffer_updated(nbytes)
        except (ValueError, EzmsgError) as error:
            self._break_off(str(error))

    def _break_off(self, reason: str) -> None:
        """Close the link, since the other end broke the rules."""
        # A stranger may break them as often as it likes; only a peer of ours is worth a warning.
        level = logging.WARNING if self.proven else logging.DEBUG
        logger.log(level, "A link of the data plane was closed, because its peer broke the rules: %s", reason)
        self._outbox.clear()
        self.abort()

    def _receive(
        self, kind: int, channel: int, message: int, segment: int, slot: int, size: int, body: bytes | memoryview
    ) -> bool:
        """Take a record; return whether what came with it is none."""
        if kind == RELEASE:
            sender = self.fed.get(channel)
            if sender is not None:
                sender.released(slot)
                if sender.closing and not sender.held:
                    self.stop_feeding(channel)
        elif kind == RELEASES:
            sender = self.fed.get(channel)
            if sender is not None:
                sender.released_all(records.slots_in(body))
                if sender.closing and not sender.held:
                    self.stop_feeding(channel)
        elif kind == CONTROL:
            read_ring = self._reads_ring
            self._on_control(self, body_from_wire(unpack_map(bytes(body)), CHANNELS))
            return self._reads_ring is not read_ring  # what came behind it, at the same time, are bells
        elif (hearing := self.heard.get(channel)) is None:
            if not self.proven:
                raise ValueError(f"a message on channel {channel}, and there was none so far")
            # It crossed our CloseChannel.
            for each in records.slots_in(body) if kind == NOTICES else (slot % records.MOST_SLOTS,):
                self.release(channel, each, prompt=False)
        elif kind == NOTICES:
            hearing.receive_listed(message, segment, records.slots_in(body), slot)
        else:
            hearing.receive(message, segment, slot, size, body)
        return False

    # --- the socket's life --------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        try:
            # A socket object of our own, to write without a detour and to read what is left after the peer's death.
            shared = transport.get_extra_info("socket").fileno()
            self._socket = socket.socket(fileno=os.dup(shared))
            keep_from_forks(shared)
            keep_from_forks(self._socket.fileno())
        except OSError as error:
            logger.warning("A link of the data plane was closed at once: %s", error)
            self.abort()
            return
        self._socket.setblocking(False)
        if self._socket.family in (socket.AF_INET, socket.AF_INET6):
            # Else a notice may wait for the acknowledgement of the last one, which takes 40 ms. Event loops see to
            # it only for sockets that say that they are TCP's, and those that come from our listeners do not.
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            _watch_for_silence(self._socket)
        if self._socket.family == socket.AF_UNIX and not same_user(self._socket):
            self._socket_outbox.open(self._transport, self._socket)
            self.control(MemoryNotShared(0, OTHER_USER))
            self.close()
            return
        self._start_proof_timer(ANSWER_TIMEOUT_S if self._on_stranger is None else PROOF_TIMEOUT_S)
        self._tls = transport.get_extra_info("tls")
        self._socket_outbox.open(self._transport, self._socket if self._tls is None else self._tls)
        self._check_outbox()
        if self._on_stranger is not None:
            self._on_stranger(self)

    @property
    def origin(self) -> str:
        """Where a stranger comes from: its process, or its host."""
        assert self._transport is not None
        assert self._socket is not None
        if self._socket.family == socket.AF_UNIX:
            return f"process {pid_at(self._socket, None)}"
        peername = self._transport.get_extra_info("peername")
        return origin_of(peername[0]) if peername else "?"

    def _start_proof_timer(self, seconds: float) -> None:
        self._stop_proof_timer()
        self._proof_timer = self._loop.call_later(seconds, self._proof_due, seconds)

    def _stop_proof_timer(self) -> None:
        if self._proof_timer is not None:
            self._proof_timer.cancel()
            self._proof_timer = None

    def _proof_due(self, seconds: float) -> None:
        """Look once more a moment later: if this loop was busy, what the peer said meanwhile is still unread."""
        self._proof_timer = self._loop.call_later(SECOND_LOOK_S, self._proof_missing, seconds)

    def _proof_missing(self, seconds: float) -> None:
        logger.debug("A link was closed: its peer proved nothing within %g s.", seconds)
        self.abort()

    def pause_writing(self) -> None:
        """The socket is full; windows bound how much can wait."""
        self._socket_outbox.paused()

    def resume_writing(self) -> None:
        """The socket takes more."""
        self._socket_outbox.resumed()
        self._resume()

    def _resume(self) -> None:
        """Write what there was no room for, and let those go on who wait for room."""
        self._flush()
        if not self.writable:
            return
        calls, self._when_writable = self._when_writable, []
        for call in calls:
            call()
        self._check_outbox()

    def eof_received(self) -> bool:
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self._outbox.broken = True
        self._stop_proof_timer()
        if isinstance(exc, EzmsgError):
            self.refused = exc
            logger.debug("A link of the data plane was closed: %s", exc)
        if self._socket is not None:
            if self.proven and not self._broken and not self._closing:
                self._read_rest(self._socket)
            self._socket.close()
        if self._drained is not None:
            self._drained.set_result(None)
            self._drained = None
        if not self.closed.done():
            self.closed.set_result(None)
        self._on_lost(self)
        self._let_go()

    def _let_go(self) -> None:
        """Leave no circle behind: else the memory of each peer that comes and goes waits for the collector."""
        self.reader.close()
        self.heard.clear()
        if isinstance(self._busy_wait, RingWatch):
            self._busy_wait.close()
        self._transport = self._tls = None
        self._outbox.close()
        # Nothing of this end keeps the ring: its memory has a descriptor.
        self._busy_wait, self._outbox, self._ring = BusyWait(self._loop, 0), self._socket_outbox, None
        del self.get_buffer

    def _read_rest(self, rest: socket.socket) -> None:
        """A failed write ends the transport, but not what the peer had written before it went."""
        if self._tls is not None:
            with contextlib.suppress(OSError):
                while data := rest.recv(TLS_REST_BYTES):
                    self._tls.data_received(data)
            return
        with contextlib.suppress(OSError, ValueError, EzmsgError):
            while not self._reads_ring and (size := rest.recv_into(self.reader.get_buffer())):
                self.reader.buffer_updated(size)
        if self._reads_ring:
            self._read_rest_of_ring()

    def _read_rest_of_ring(self) -> None:
        """Read what the peer had written into the ring, which is no more than that holds."""
        read = 0
        with contextlib.suppress(ValueError, EzmsgError):
            while self._ring is not None and read <= RING_BYTES:
                size = self._ring.read_into(self.reader.get_buffer())
                if not size:
                    return
                read += size
                self.reader.buffer_updated(size)


def _watch_for_silence(sock: socket.socket) -> None:
    with contextlib.suppress(OSError):  # the peer is gone already
        if sock.getpeername()[0] == sock.getsockname()[0]:
            return  # it is on this host
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, value in _SILENCE_OPTIONS:
            if hasattr(socket, name):
                sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
