"""Subscribers that came back after they had lost the server, and the routes that they came with.

Those whom they hear may come back a moment later. So for a while their routes are only added to; what nobody has
confirmed by then is taken down.
"""

from collections.abc import Iterable
from uuid import UUID

from attrs import define


@define
class Claim:
    """The publishers to which a subscriber may still have routes that are none any more, and until when it may."""

    publishers: set[UUID]
    deadline: float


class Returning:
    """The claims of subscribers, at most one of each. Deadlines are monotonic times in seconds."""

    def __init__(self) -> None:
        self._claims: dict[UUID, Claim] = {}

    def claim(self, subscriber: UUID, publishers: Iterable[UUID], deadline: float) -> None:
        """Let a subscriber keep these routes until a deadline, in addition to what it claimed before."""
        claim = self._claims.pop(subscriber, None)
        before = set() if claim is None else claim.publishers
        self._claims[subscriber] = Claim(before | set(publishers), deadline)  # the last one has the latest deadline

    def keep(self, subscriber: UUID, publishers: set[UUID]) -> bool:
        """Let a subscriber keep routes that are to be removed, if it is coming back; return whether it is."""
        claim = self._claims.get(subscriber)
        if claim is not None:
            claim.publishers |= publishers
        return claim is not None

    def expire(self, now: float) -> dict[UUID, set[UUID]]:
        """End the claims whose deadline has passed, and return them, publishers by subscriber."""
        ended = {}
        for subscriber, claim in list(self._claims.items()):
            if claim.deadline > now:
                break
            ended[subscriber] = self._claims.pop(subscriber).publishers
        return ended

    def next_deadline(self) -> float | None:
        """Return the monotonic time at which :meth:`expire` is due next, or ``None``."""
        first = next(iter(self._claims.values()), None)
        return None if first is None else first.deadline

    def validate(self) -> None:
        """Assert every invariant. For tests."""
        deadlines = [claim.deadline for claim in self._claims.values()]
        assert deadlines == sorted(deadlines), "the first claim ends first"
