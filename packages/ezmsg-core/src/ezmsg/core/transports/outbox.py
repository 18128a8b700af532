"""What waits to be written to one socket: it takes what it can at once, and the rest when it can take more.

Bodies are written from where they are, never joined or queued a second time. The transport is given a small piece
only so that it tells when the socket takes more.
"""

import asyncio
from collections import deque
from typing import Protocol

SMALL_BYTES = 16 * 1024
"""Pieces up to this size are joined with their neighbours, so that one call writes them."""

PIECE_BYTES = 64 * 1024
"""What the transport is given when the socket takes no more at this moment."""

Piece = bytes | bytearray | memoryview


class Sending(Protocol):
    """What bytes are written to: a socket, or TLS before it."""

    def send(self, data: Piece, /) -> int:
        """Take as many bytes as there is room for, and return how many that were."""


class Outbox:
    """Pieces of a stream, in order. ``waiting`` counts the bytes that the socket has not taken."""

    def __init__(self) -> None:
        self.waiting = 0
        self.broken = False  # the other end is gone; what it wrote before may still be read
        self._pieces: deque[Piece] = deque()
        self._transport: asyncio.Transport | None = None
        self._socket: Sending | None = None
        self._full = False

    def open(self, transport: asyncio.Transport, connection: Sending) -> None:
        """Write to this socket from now on; ``transport`` is the event loop's hold on it."""
        self._transport = transport
        self._socket = connection
        transport.set_write_buffer_limits(high=0)  # its pause_writing then means: the socket is full
        self.flush()

    def close(self) -> None:
        """Forget everything, and the socket; nothing is written any more."""
        self.broken = True
        self.clear()
        self._transport = None

    def append(self, piece: bytes | memoryview) -> None:
        """Add a piece, which must not change any more."""
        self._pieces.append(piece)
        self.waiting += len(piece)

    def clear(self) -> None:
        """Forget everything that waits."""
        self._pieces.clear()
        self.waiting = 0

    def paused(self) -> None:
        """The socket is full."""
        self._full = True

    def resumed(self) -> None:
        """The socket takes more."""
        self._full = False
        self.flush()

    @property
    def empty(self) -> bool:
        """Whether the operating system has everything."""
        return not self._pieces and not self._full

    def flush(self) -> None:
        """Write until nothing waits or the socket is full."""
        transport = self._transport
        if self.broken or (transport is not None and transport.is_closing()):
            self.clear()
            return
        if transport is None:
            return
        while self._pieces and not self._full:
            piece = self._pieces.popleft() if len(self._pieces) == 1 else self._next_piece()
            sent = self._send(piece)
            self.waiting -= sent
            if sent < len(piece) and not self.broken:
                rest = memoryview(piece)[sent:]
                if len(rest) > PIECE_BYTES:
                    self._pieces.appendleft(rest[PIECE_BYTES:])
                self.waiting -= min(len(rest), PIECE_BYTES)
                transport.write(bytes(rest[:PIECE_BYTES]))

    def _next_piece(self) -> Piece:
        first = self._pieces.popleft()
        if len(first) > SMALL_BYTES or len(self._pieces[0]) > SMALL_BYTES:
            return first
        joined = bytearray(first)
        while self._pieces and len(self._pieces[0]) <= SMALL_BYTES and len(joined) < PIECE_BYTES:
            joined += self._pieces.popleft()
        return joined

    def _send(self, piece: Piece) -> int:
        """Give the socket what it takes at once, which saves the transport's round; return how much that was."""
        assert self._socket is not None
        try:
            return self._socket.send(piece)
        except (BlockingIOError, InterruptedError):
            return 0
        except OSError:
            # The other end is gone. What it wrote before is still to be read, so reading goes on to its end.
            self.broken = True
            self.clear()
            return 0
