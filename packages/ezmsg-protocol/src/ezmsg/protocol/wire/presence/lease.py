"""For how long a peer is believed to be there without a sign of it, and what it is believed to be after that.

Pure, with the time as an argument: seconds on a clock that stands still while this end does (:mod:`.awake`).
"""

from ezmsg.protocol.model.snapshot import ProcessState

LEASE_S = 3.0
"""For how long a peer may be silent, in seconds, unless a server says otherwise."""

BEATS = 4
"""How many beats there are in a lease."""

LONGEST_S = 3600.0
SHORTEST_S = 0.1
"""What a lease may be, in seconds."""


class Lease:
    """The lease of one peer, from its first beat on: a peer that never beats, as an older one, is not judged.

    :param margin_s: how late somebody may look.
    """

    def __init__(self, lease_s: float = LEASE_S, margin_s: float = 0.0) -> None:
        self._margin_s = margin_s
        self._lease_s = lease_s
        self._heard_s: float | None = None
        self._blocked_s = 0.0

    @property
    def lease_s(self) -> float:
        """How long it is, in seconds."""
        return self._lease_s

    @property
    def interval_s(self) -> float:
        """After how many seconds to beat again."""
        return self._lease_s / BEATS

    def agree(self, lease_s: float) -> None:
        """Take the length that the other side names, within reason."""
        self._lease_s = min(max(lease_s, SHORTEST_S), LONGEST_S)

    def beaten(self, now_s: float, blocked_s: float = 0.0) -> None:
        """The peer beats, and says for how long its units have not moved."""
        self._heard_s = now_s
        self._blocked_s = blocked_s

    def heard(self, now_s: float) -> None:
        """Anything else came from the peer."""
        if self._heard_s is not None:
            self._heard_s = now_s

    def silent_s(self, now_s: float) -> float:
        """Return for how long nothing came; nothing of a peer that never beats."""
        return 0.0 if self._heard_s is None else max(0.0, now_s - self._heard_s)

    def wants_word(self, now_s: float) -> bool:
        """Whether to say something to the peer, so that its host has something to acknowledge."""
        return self.silent_s(now_s) >= self._lease_s / 2

    def is_over(self, now_s: float) -> bool:
        """Whether the peer has been silent for too long."""
        return self.silent_s(now_s) >= self._lease_s - self._margin_s

    def judge(self, now_s: float, *, host_answers: bool) -> ProcessState:
        """Return what the peer is.

        :param host_answers: whether the operating system at the other end acknowledges what is said; it matters
            only when the lease is over.
        """
        if self.is_over(now_s):
            return ProcessState.UNRESPONSIVE if host_answers else ProcessState.DEAD
        return ProcessState.STALLED if self._blocked_s >= self._lease_s else ProcessState.ALIVE
