"""When a unit that publishes lets the others of its event loop have their turn.

A turn after each message costs more than the message; none at all would let a unit keep the loop for itself.
"""

from time import monotonic

BURST_MESSAGES = 16
BURST_S = 0.0001
"""After so many messages, or so long, in seconds, the others have their turn; what comes first."""


class Turns:
    """Counts the messages of one unit, and the time, since the others had their turn."""

    __slots__ = ("_left", "_since_s")

    def __init__(self) -> None:
        self._left = BURST_MESSAGES
        self._since_s = 0.0

    def due(self) -> bool:
        """Whether the others are to have their turn after this message."""
        self._left -= 1
        return self._left <= 0 or monotonic() - self._since_s > BURST_S

    def taken(self) -> None:
        """The others have had their turn."""
        self._left = BURST_MESSAGES
        self._since_s = monotonic()
