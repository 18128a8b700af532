"""Bytes in order over words that may be lost, come twice or overtake one another. Pure: it sends nothing itself."""

from collections import deque

PIECE_BYTES = 64 * 1024
"""How many bytes one word carries at most."""

WINDOW = 32
"""How many pieces may be under way in each direction."""

Piece = tuple[int, bytes]
"""A number, which counts from 0 on, and bytes; none of them end the stream."""


class Flow:
    """One end of a stream, with both its directions."""

    def __init__(self) -> None:
        self.heard = 0
        """All pieces before this one have come; the next one to come has this number."""
        self.waiting_bytes = 0
        """How much has yet to come to the other end, as far as is known."""
        self._unsent: deque[bytes] = deque()
        self._under_way: dict[int, bytes] = {}
        self._next = 0
        self._early: dict[int, bytes] = {}

    @property
    def is_settled(self) -> bool:
        """Whether all has come to the other end."""
        return not (self._unsent or self._under_way)

    def write(self, data: bytes) -> None:
        """Send bytes."""
        self.waiting_bytes += len(data)
        self._unsent.extend(data[at : at + PIECE_BYTES] for at in range(0, len(data), PIECE_BYTES))

    def end(self) -> None:
        """Send nothing after what was written."""
        self._unsent.append(b"")

    def due(self) -> list[Piece]:
        """Return what is to be sent now, once."""
        found = []
        while self._unsent and len(self._under_way) < WINDOW:
            self._under_way[self._next] = self._unsent.popleft()
            found.append((self._next, self._under_way[self._next]))
            self._next += 1
        return found

    @property
    def sent(self) -> int:
        """The number of the next piece to be sent for the first time."""
        return self._next

    def again(self, before: int) -> list[Piece]:
        """Return what was sent with smaller numbers, and has not come, as far as is known."""
        return [(number, data) for number, data in self._under_way.items() if number < before]

    def learn(self, heard: int) -> bool:
        """Learn what has come to the other end; return whether that is news."""
        known = [number for number in self._under_way if number < heard]
        for number in known:
            self.waiting_bytes -= len(self._under_way.pop(number))
        return bool(known)

    def hear(self, number: int, data: bytes) -> list[bytes]:
        """Take a piece; return what is to be delivered now, in order."""
        if not self.heard <= number < self.heard + WINDOW:
            return []
        self._early[number] = data
        due = []
        while self.heard in self._early:
            due.append(self._early.pop(self.heard))
            self.heard += 1
        return due
