"""Two streams of bytes between two processes, in memory of which each side writes only its own half.

A half holds what its side writes, and four words: how many bytes it has written, how many of the other side's it
has read, and two that say whether the other side is to ring the bell: when it has written something, because
nobody looks here, and when it has read something, because there was no room. These two count up: odd means to ring,
once for each number. So a bell that finds nothing arms the next one with a new number, and none is lost.

No side believes the other: counts that cannot be are an error. What a side has done it knows by itself, and does
not read back from memory.
"""

from collections.abc import Callable
from typing import Protocol

from ezmsg.core.transports.rings.fence import IN_ORDER, in_order_already, make_fence

RING_BYTES = 32 * 1024
"""How many bytes may be in a ring: two thousand records, or sixteen thousand messages in lists."""

LINE_WORDS = 8
"""A word has a cache line of its own, so that nobody who looks at it slows down who writes another."""

WRITTEN, READ, ASLEEP, FULL = (number * LINE_WORDS for number in range(4))
"""Where the words of a half are."""

HEAD_BYTES = 4096
"""Where the bytes of a half begin, behind its words."""

HALF_BYTES = HEAD_BYTES + RING_BYTES


class RingError(ValueError):
    """The other side's words say what cannot be."""


class Words(Protocol):
    """Numbers in shared memory."""

    def __getitem__(self, place: int, /) -> int: ...
    def __setitem__(self, place: int, value: int, /) -> None: ...


class Half:
    """One side's memory: its words, and its bytes."""

    __slots__ = ("data", "words")

    def __init__(self, memory: memoryview) -> None:
        self.words: Words = memory[:HEAD_BYTES].cast("Q")
        self.data = memory[HEAD_BYTES:HALF_BYTES]


class Ring:
    """One side's view of both streams.

    :param fence: what :func:`make_fence` returns.
    """

    def __init__(self, own: Half, theirs: Half, fence: Callable[[], None] | None = None) -> None:
        self._own, self._out = own.words, own.data
        self._theirs, self._in = theirs.words, theirs.data
        self._size = len(own.data)
        self._fence = fence or make_fence()
        self._settle = in_order_already if IN_ORDER and fence is None else self._fence
        self._written = 0
        self._read = 0
        self._asleep = 0
        self._full = 0
        self._rung_asleep = 0  # for which numbers of theirs the bell was rung
        self._rung_full = 0

    # --- writing ------------------------------------------------------------------------------------------

    def write(self, piece: bytes | bytearray | memoryview) -> int:
        """Append what there is room for; return how many bytes that was.

        :raises RingError: if the other side says that it has read what was never written.
        """
        size = len(piece)
        room = self._room()
        if size > room:
            piece, size = memoryview(piece)[:room], room
        start = self._written % self._size
        end = start + size
        if end <= self._size:
            self._out[start:end] = piece
        else:
            until_end = self._size - start
            self._out[start:] = memoryview(piece)[:until_end]
            self._out[: size - until_end] = memoryview(piece)[until_end:]
        self._settle()  # the bytes first, then the word that says so
        self._written += size
        self._own[WRITTEN] = self._written
        return size

    def must_wake(self) -> bool:
        """Return whether the bell is to be rung, now that something was written."""
        self._fence()  # first say that there is something, then look whether somebody waits: never the other way
        asleep = self._theirs[ASLEEP]
        if asleep % 2 == 0 or asleep == self._rung_asleep:
            return False
        self._rung_asleep = asleep
        return True

    def await_room(self) -> bool:
        """Let the bell be rung when there is room again; return False if there is already."""
        self._full = _next_odd(self._full)
        self._own[FULL] = self._full
        self._fence()
        if not self._room():
            return True
        self._full += 1
        self._own[FULL] = self._full
        return False

    def _room(self) -> int:
        read = self._theirs[READ]
        room = read + self._size - self._written
        if not 0 <= room <= self._size:
            raise RingError(f"of {self._written} bytes that were written, {read} are said to have been read")
        return room

    # --- reading ------------------------------------------------------------------------------------------

    def read_into(self, memory: memoryview) -> int:
        """Take the oldest bytes, as many as there are and fit; return how many.

        :raises RingError: if the other side says that it has written more than there is room for.
        """
        waiting = self._theirs[WRITTEN] - self._read
        if not waiting:
            return 0
        if not 0 < waiting <= self._size:
            raise RingError(f"{waiting} bytes are said to be in a ring of {self._size}")
        self._settle()  # the word first, then the bytes that it speaks of
        size = min(waiting, len(memory))
        start = self._read % self._size
        end = start + size
        if end <= self._size:
            memory[:size] = self._in[start:end]
        else:
            until_end = self._size - start
            memory[:until_end] = self._in[start:]
            memory[until_end:size] = self._in[: size - until_end]
        self._settle()  # the bytes first, then the word that lets others take their place
        self._read += size
        self._own[READ] = self._read
        return size

    def must_tell_room(self) -> bool:
        """Return whether the bell is to be rung, now that something was read."""
        self._fence()
        full = self._theirs[FULL]
        if full % 2 == 0 or full == self._rung_full:
            return False
        self._rung_full = full
        return True

    def sleep(self) -> bool:
        """Let the bell be rung when something is written; return False if something is there already."""
        self._asleep = _next_odd(self._asleep)
        self._own[ASLEEP] = self._asleep
        self._fence()
        if self._theirs[WRITTEN] == self._read:
            return True
        self.wake()
        return False

    def wake(self) -> None:
        """No bell need be rung: somebody looks here."""
        if self._asleep % 2:
            self._asleep += 1
            self._own[ASLEEP] = self._asleep


def _next_odd(number: int) -> int:
    """Return a number for which no bell was rung so far."""
    return number + 1 + number % 2
