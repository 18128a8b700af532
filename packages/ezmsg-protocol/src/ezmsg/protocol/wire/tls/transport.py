"""Between a socket's transport and a protocol that wants plain bytes: to the one a protocol, to the other a
transport.

The event loops have such a thing of their own, and it says nothing of a connection before its handshake is over.
Here the protocol knows it from its first moment, as without TLS: so it counts it among its strangers, gives it as
long as any other to prove itself, and closes it as it closes others. See ``docs/decisions/0033-tls.md``.

It awaits nothing, and works with any loop's transport.
"""

from collections.abc import Callable
from typing import Any, Protocol

from ezmsg.protocol.errors import EzmsgError, TlsFailed
from ezmsg.protocol.wire.tls.session import TlsSession, is_tls

CHUNK_BYTES = 256 * 1024
"""How much is encrypted at a time: what waits to be written stays as small as without TLS."""

READ_BYTES = 16 * 1024
"""As much as one record of TLS holds, and how much is decrypted at a time."""

MOST_FOR_EACH_BYTE, MOST_FOR_NOTHING = 4, 32 * 1024
"""How much may come for each plain byte in it, and beside that: an honest record has 22 bytes of its own for 32 or
more of ours. Records of one byte, or of new keys, would take this side's time instead."""


class Lower(Protocol):
    """A socket's transport, of whichever event loop."""

    def write(self, data: bytes) -> None: ...
    def write_eof(self) -> None: ...
    def close(self) -> None: ...
    def abort(self) -> None: ...
    def is_closing(self) -> bool: ...
    def get_extra_info(self, name: str, default: Any = None) -> Any: ...
    def get_write_buffer_size(self) -> int: ...
    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None: ...
    def pause_reading(self) -> None: ...
    def resume_reading(self) -> None: ...


class TlsTransport:
    """One connection.

    :param protocol: what is to have the plain bytes, an ``asyncio.Protocol`` or ``BufferedProtocol``. Its
        ``connection_lost`` is told an :class:`EzmsgError` if TLS is what ended the connection.
    :param session: makes the session when it is needed: a stranger that says nothing costs none.
    :param on_open: looks at the session when the handshake is over; what it raises ends the connection.
    :param on_plain: is told that the other end speaks no TLS, and returns why to end; or nothing, if the protocol
        says so itself in its own language, as what it writes from then on goes out plain.
    """

    def __init__(
        self,
        protocol: Any,
        session: Callable[[], TlsSession],
        *,
        serves: bool,
        on_plain: Callable[[], EzmsgError | None],
        on_open: Callable[[TlsSession], None] | None = None,
    ) -> None:
        self._protocol = protocol
        self._make_session = session
        self._serves = serves
        self._on_plain = on_plain
        self._on_open = on_open
        self._buffered = hasattr(protocol, "get_buffer")
        self._session: TlsSession | None = None
        self._lower: Lower | None = None
        self._start: bytes | None = b""  # the first bytes of the other end, while there are fewer than three
        self._waiting: list[bytes] = []  # what was written before the handshake was over
        self._failure: EzmsgError | None = None
        self._plain = False
        self._closing = False
        self._ended = False  # this end has said that it sends no more
        self._told_end = False
        self._came = 0  # of the network, since the handshake
        self._plain_came = 0

    # --- what the event loop calls --------------------------------------------------------------------------

    def connection_made(self, transport: Any) -> None:
        """The socket is there; who comes begins to shake hands."""
        self._lower = transport
        self._protocol.connection_made(self)
        if not self._serves and not self._closing:
            self._shake_hands()

    def data_received(self, data: bytes) -> None:
        """Take bytes of the network."""
        if self._start is not None:
            data = self._start + data
            self._start = data
            if len(data) < 3 and is_tls(data):
                return
            self._start = None
            if not is_tls(data):
                self._hear_plain()
                return
        if self._plain or self._failure is not None or self._ended:
            return
        session = self._session_made()
        view = memoryview(data)
        for start in range(0, len(view), READ_BYTES):
            piece = view[start : start + READ_BYTES]
            if session.open:
                self._came += len(piece)
            session.receive(piece)
            if session.open or self._shake_hands():
                self._give_out(session)
            if self._failure is not None or self._closing or self._ended:
                return

    def eof_received(self) -> bool | None:
        """The other end will send no more."""
        self._note_broken_handshake()
        return False if self._failure is not None else self._tell_end()

    def connection_lost(self, exc: Exception | None) -> None:
        """The socket is closed; nothing of this stays."""
        if exc is None:
            self._note_broken_handshake()
        self._protocol.connection_lost(self._failure or exc)
        self._protocol = self._session = self._lower = self._failure = None
        self._waiting.clear()
        del self._make_session, self._on_plain, self._on_open

    def pause_writing(self) -> None:
        """The socket is full."""
        self._protocol.pause_writing()

    def resume_writing(self) -> None:
        """The socket takes more."""
        self._protocol.resume_writing()

    # --- what the protocol calls ----------------------------------------------------------------------------

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Send bytes; before the handshake is over, they wait for it."""
        lower = self._lower
        if lower is None or self._ended or self._failure is not None or lower.is_closing():
            return
        if self._plain:
            lower.write(bytes(data))
        elif self._session is None or not self._session.open:
            self._waiting.append(bytes(data))
        else:
            view = memoryview(data)
            for start in range(0, len(view), CHUNK_BYTES):
                self._session.write(view[start : start + CHUNK_BYTES])
                lower.write(self._session.data_to_send())

    def send(self, data: bytes | bytearray | memoryview) -> int:
        """Send what may go at once; return how many bytes that were, as a socket does."""
        piece = memoryview(data)[:CHUNK_BYTES]
        self.write(piece)
        return len(piece)

    def write_eof(self) -> None:
        """Say that no more will come; what the other end says from now on is not heard."""
        self._say_end()
        if self._lower is not None:
            self._lower.write_eof()

    def can_write_eof(self) -> bool:
        """Say that one side of a connection can end before the other."""
        return True

    def close(self) -> None:
        """Close the socket when all is written."""
        self._closing = True
        self._say_end()
        if self._lower is not None:
            self._lower.close()

    def abort(self) -> None:
        """Close the socket, whatever waits."""
        self._closing = True
        if self._lower is not None:
            self._lower.abort()

    def is_closing(self) -> bool:
        """Whether nothing can be written any more."""
        return self._closing or self._lower is None or self._lower.is_closing()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """Return what the socket's transport knows; ``"tls"`` is this transport itself."""
        if name == "tls":
            return self
        return default if self._lower is None else self._lower.get_extra_info(name, default)

    def get_write_buffer_size(self) -> int:
        """Return how many bytes wait."""
        return sum(map(len, self._waiting)) + (0 if self._lower is None else self._lower.get_write_buffer_size())

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Say with how many bytes that wait the socket counts as full."""
        if self._lower is not None:
            self._lower.set_write_buffer_limits(high, low)

    def pause_reading(self) -> None:
        """Read nothing for a while."""
        if self._lower is not None:
            self._lower.pause_reading()

    def resume_reading(self) -> None:
        """Read on."""
        if self._lower is not None:
            self._lower.resume_reading()

    # --- inside ---------------------------------------------------------------------------------------------

    def _session_made(self) -> TlsSession:
        if self._session is None:
            self._session = self._make_session()
        return self._session

    def _shake_hands(self) -> bool:
        """Go on with the handshake; return whether it is over and good."""
        session = self._session_made()
        try:
            done = session.shake_hands()
            if done and self._on_open is not None:
                self._on_open(session)
        except EzmsgError as error:
            self._fail(error)
            return False
        self._flush()
        if done:
            waiting, self._waiting = self._waiting, []
            for data in waiting:
                self.write(data)
        return done

    def _give_out(self, session: TlsSession) -> None:
        """Hand on all plain bytes that there are, to a protocol without a buffer of its own in one piece."""
        memory = None if self._buffered else bytearray(READ_BYTES)
        parts: list[bytes] = []
        while not (self._told_end or self._closing or self._ended):
            buffer = self._protocol.get_buffer(READ_BYTES) if memory is None else memory
            try:
                size = session.read_into(buffer)
            except EzmsgError as error:
                self._fail(error)
                return
            if not size:
                break
            self._plain_came += size
            if memory is None:
                self._protocol.buffer_updated(size)
            else:
                parts.append(bytes(memory[:size]))
        if parts:
            self._protocol.data_received(b"".join(parts))
        if self._came > MOST_FOR_EACH_BYTE * self._plain_came + MOST_FOR_NOTHING:
            self._fail(TlsFailed(peer=session.peer, reason="it sends far more than it says"))
            return
        if not self._closing:
            self._flush()  # the keys may have been changed, which wants an answer
        if session.over and not self._tell_end():
            self.close()

    def _hear_plain(self) -> None:
        self._plain = True
        self._waiting.clear()
        self._fail(self._on_plain())

    def _note_broken_handshake(self) -> None:
        """Say so if the other end has left before this one could believe it."""
        session = self._session
        if session is not None and not (self._serves or session.open or self._closing or self._failure):
            self._failure = TlsFailed(
                peer=session.peer, reason="it closed the connection while both shook hands, or speaks an older TLS"
            )

    def _tell_end(self) -> bool | None:
        if self._told_end:
            return False
        self._told_end = True
        stays: bool | None = self._protocol.eof_received()
        return stays

    def _say_end(self) -> None:
        if not self._ended and self._session is not None and self._failure is None:
            self._session.end()
            self._flush()
        self._ended = True

    def _flush(self) -> None:
        if self._session is not None and self._lower is not None:
            data = self._session.data_to_send()
            if data and not self._lower.is_closing():
                self._lower.write(data)

    def _fail(self, error: EzmsgError | None) -> None:
        """End the connection because of TLS, and let the other end know what TLS says of that."""
        if error is None:  # the protocol says it itself
            return
        self._failure = error
        self._flush()
        self._closing = True
        if self._lower is not None:
            self._lower.close()
