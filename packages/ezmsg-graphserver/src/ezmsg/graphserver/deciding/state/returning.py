"""Endpoints whose clients have lost the server, or the server them, and the routes that they may find again.

Subscribers come back with the routes that they have, and those whom they hear may come back a moment later. So for
a while their routes are only added to; what nobody has confirmed by then is taken down. A publisher whose client
dropped may be alive all the same: for as long, those who heard it keep their routes to it, and no message is lost
if it returns. If it is dead, their channels to it have ended by themselves.
"""

from collections import OrderedDict, defaultdict
from collections.abc import Iterable
from typing import TypeVar
from uuid import UUID

from attrs import define

from ezmsg.protocol.messages.endpoints import DeclarePublisher


@define
class Claim:
    """The publishers to which a subscriber may still have routes that are none any more, and until when it may."""

    publishers: set[UUID]
    deadline: float


@define
class Away:
    """How a publisher was declared, who may still have a route to it, and until when."""

    declared: DeclarePublisher
    subscribers: set[UUID]
    deadline: float


T = TypeVar("T", Claim, Away)


class Returning:
    """The claims of subscribers, at most one of each, and publishers away. Deadlines are monotonic, in seconds."""

    def __init__(self) -> None:
        # Ordered by deadline; a plain dict would look for its first entry past all that were taken out before it.
        self._claims: OrderedDict[UUID, Claim] = OrderedDict()
        self._away: OrderedDict[UUID, Away] = OrderedDict()

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

    def hold(self, declared: DeclarePublisher, subscribers: Iterable[UUID], deadline: float) -> None:
        """Let subscribers keep their routes to a publisher until a deadline, as it has dropped."""
        away = self._away.pop(declared.publisher_id, None)
        before = set() if away is None else away.subscribers
        self._away[declared.publisher_id] = Away(declared, before | set(subscribers), deadline)

    def stale(self, declared: DeclarePublisher) -> set[UUID]:
        """Return those that must let go of a publisher, as it comes back and is declared differently.

        If it is as it was, its routes are still good, also those through edges that are to be said again.
        """
        away = self._away.get(declared.publisher_id)
        if away is None or away.declared == declared:
            return set()
        return self._away.pop(declared.publisher_id).subscribers

    def let_go(self, subscriber: UUID, publishers: Iterable[UUID]) -> None:
        """A subscriber is told to hear publishers no more, away or not."""
        for publisher in publishers if self._away else ():
            if publisher in self._away:
                self._away[publisher].subscribers.discard(subscriber)

    def expire(self, now: float) -> dict[UUID, set[UUID]]:
        """End what is kept until now, and return it, publishers by subscriber."""
        ended: dict[UUID, set[UUID]] = defaultdict(set)
        while self._claims and _first(self._claims).deadline <= now:
            subscriber, claim = self._claims.popitem(last=False)
            ended[subscriber] |= claim.publishers
        while self._away and _first(self._away).deadline <= now:
            publisher, away = self._away.popitem(last=False)
            for subscriber in away.subscribers:
                ended[subscriber].add(publisher)
        return ended

    def next_deadline(self) -> float | None:
        """Return the monotonic time at which :meth:`expire` is due next, or ``None``."""
        firsts = [_first(self._claims).deadline] if self._claims else []
        firsts += [_first(self._away).deadline] if self._away else []
        return min(firsts, default=None)

    def validate(self) -> None:
        """Assert every invariant. For tests."""
        for kept in (self._claims.values(), self._away.values()):
            deadlines = [each.deadline for each in kept]
            assert deadlines == sorted(deadlines), "the first to begin ends first"


def _first(kept: OrderedDict[UUID, T]) -> T:
    return next(iter(kept.values()))
