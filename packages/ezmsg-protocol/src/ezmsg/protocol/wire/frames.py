"""Frames: a little-endian u32 length, then that many bytes of body. Bytes in, bodies out; no meaning here."""

import struct

from ezmsg.protocol.errors import FrameTooLarge, MalformedFrame

_LENGTH = struct.Struct("<I")
_HTTP = (b"HTTP", b"<!DO", b"<!do", b"<htm", b"<HTM")
"""How an answer of HTTP begins: with its status, or, to what is no request at all, with the page that says so."""

_TLS = b"\x16\x03"
"""How a client begins that speaks TLS."""

HANDSHAKE_LIMIT = 64 * 1024
"""The largest body, in bytes, that an unauthenticated peer may send."""

FRAME_LIMIT = 64 * 1024 * 1024
"""The largest body, in bytes, after authentication, unless set otherwise."""


def frame(body: bytes, limit: int = FRAME_LIMIT) -> bytes:
    """Return a body with its length in front.

    :raises FrameTooLarge: if the body is larger than ``limit`` bytes.
    """
    if len(body) > limit:
        raise FrameTooLarge(size=len(body), limit=limit)
    return _LENGTH.pack(len(body)) + body


class FrameParser:
    """Collects chunks of any size and gives back whole bodies.

    Memory is taken as bytes arrive, never because a length announced them.
    """

    def __init__(self, limit: int = HANDSHAKE_LIMIT) -> None:
        self.limit = limit
        self.number = 0
        """How many bodies were whole."""
        self._buffer = bytearray()

    def feed(self, data: bytes | bytearray | memoryview) -> None:
        """Append a chunk of the stream."""
        self._buffer += data

    def next_body(self) -> bytes | None:
        """Take the next whole body, or return ``None`` until more bytes have arrived.

        :raises FrameTooLarge: if the next frame announces more than ``limit`` bytes.
        :raises MalformedFrame: if what comes is an answer of HTTP, of which the first letters are a large number,
            or the beginning of TLS.
        """
        buffer = self._buffer
        if len(buffer) < _LENGTH.size:
            return None
        (size,) = _LENGTH.unpack_from(buffer)
        if size > self.limit and buffer.startswith(_HTTP):
            raise MalformedFrame(reason="it answers in HTTP")
        if size > self.limit and not self.number and buffer.startswith(_TLS):
            raise MalformedFrame(reason="it speaks TLS, for which no certificate was given here (--tls-cert)")
        if size > self.limit:
            raise FrameTooLarge(size=size, limit=self.limit)
        end = _LENGTH.size + size
        if len(buffer) < end:
            return None
        body = bytes(buffer[_LENGTH.size : end])
        del buffer[:end]
        self.number += 1
        return body

    def forget(self) -> None:
        """Give back what was kept; nothing more is wanted of this stream."""
        self._buffer = bytearray()

    @property
    def pending(self) -> int:
        """How many bytes wait for the rest of their frame."""
        return len(self._buffer)

    @property
    def announced(self) -> int:
        """How many bytes the body that has begun is to have, as far as that is known."""
        return _LENGTH.unpack_from(self._buffer)[0] if len(self._buffer) >= _LENGTH.size else 0
