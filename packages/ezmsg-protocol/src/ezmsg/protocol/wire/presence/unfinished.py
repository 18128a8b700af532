"""Frames that have begun and are not whole yet: until when each has time, and how much all of them hold together.

A peer that has proved itself may still be out of order, or somebody's tool: half a frame of it shall not stay for
ever, and the halves of many peers shall not fill the memory.
"""

from collections.abc import Hashable
from typing import Generic, NamedTuple, TypeVar

P = TypeVar("P", bound=Hashable)

FRAME_TIMEOUT_S = 5.0
"""How long a small frame may take from its first byte to its last, in seconds ..."""

SLOWEST_BYTES_PER_S = 256 * 1024
"""... and a large one a second more for each time so many bytes, for there are slow networks."""

ALL_BYTES = 128 * 1024 * 1024
"""How much all frames together may hold that are not whole yet."""


class _Begun(NamedTuple):
    number: int
    deadline_s: float
    seconds: float


class Unfinished(Generic[P]):
    """The frames of many peers, at most one of each."""

    def __init__(self, all_bytes: int = ALL_BYTES) -> None:
        self._all_bytes = all_bytes
        self._begun: dict[P, _Begun] = {}  # the one that began first is the first
        self._held: dict[P, int] = {}
        self.held = 0
        """How many bytes all of them hold."""

    def __len__(self) -> int:
        return len(self._begun)

    def note(self, peer: P, number: int, held: int, size: int, now_s: float) -> None:
        """Take in that more bytes of a peer have come.

        :param number: tells this frame from the one before: how many were whole so far.
        :param held: how many bytes of it are there; 0 if none has begun.
        :param size: how many it announces.
        """
        self.held += held - self._held.pop(peer, 0)
        if not held:
            self._begun.pop(peer, None)
            return
        self._held[peer] = held
        begun = self._begun.get(peer)
        if begun is None or begun.number != number:
            self._begun.pop(peer, None)
            seconds = FRAME_TIMEOUT_S + size / SLOWEST_BYTES_PER_S
            self._begun[peer] = _Begun(number, now_s + seconds, seconds)

    def excess(self) -> P | None:
        """Return whose frame has to go if all of them hold too much: the one that began first."""
        return next(iter(self._begun)) if self.held > self._all_bytes else None

    def forget(self, peer: P) -> None:
        """A peer is gone, and what it had begun with it."""
        self.held -= self._held.pop(peer, 0)
        self._begun.pop(peer, None)

    def late(self, now_s: float) -> list[tuple[P, float]]:
        """Return whose frames have had their time, and how long that was in seconds."""
        return [(peer, begun.seconds) for peer, begun in self._begun.items() if begun.deadline_s <= now_s]
