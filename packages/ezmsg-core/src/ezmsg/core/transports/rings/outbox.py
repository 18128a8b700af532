"""What waits to be written into a ring: it takes what it can at once, and the rest when it has room again."""

from collections import deque
from collections.abc import Callable

from ezmsg.core.transports.outbox import Outbox, Piece
from ezmsg.core.transports.rings.ring import Ring


class RingOutbox:
    """Pieces of a stream, in order. ``waiting`` counts the bytes that the ring has had no room for.

    :param ring_bell: called when the other side sleeps.
    :param before: what goes through the socket before the first of these.
    """

    def __init__(self, ring: Ring, ring_bell: Callable[[], None], before: Outbox) -> None:
        self.waiting = 0
        self.broken = False
        self._ring = ring
        self._ring_bell = ring_bell
        self._before = before
        self._pieces: deque[Piece] = deque()

    def close(self) -> None:
        """Forget everything; nothing is written any more."""
        self.broken = True
        self.clear()
        self._before.close()

    def append(self, piece: bytes | memoryview) -> None:
        """Add a piece, which must not change any more."""
        self._pieces.append(piece)
        self.waiting += len(piece)

    def clear(self) -> None:
        """Forget everything that waits."""
        self._pieces.clear()
        self.waiting = 0

    @property
    def empty(self) -> bool:
        """Whether all of it can be read, even if this process ends now."""
        return not self._pieces and self._before.empty

    def flush(self) -> None:
        """Write until nothing waits or the ring is full.

        :raises RingError: if the other side's words say what cannot be.
        """
        if self.broken:
            self.clear()
        if not self._pieces:
            return
        self._write()
        if self._ring.must_wake():
            self._ring_bell()

    def _write(self) -> None:
        pieces, ring = self._pieces, self._ring
        while pieces:
            piece = pieces.popleft()
            taken = ring.write(piece)
            self.waiting -= taken
            if taken < len(piece):
                pieces.appendleft(memoryview(piece)[taken:])
                if ring.await_room():
                    return
