"""Pending operations: a request of one peer that waits for what others were asked because of it.

Each ends once: when every peer asked has answered or is gone, or when its deadline has passed. What comes of it is
said by its ``finish``, which is given how each question came out.
"""

import heapq
from collections.abc import Callable
from enum import Enum, auto
from itertools import count
from typing import Any

from attrs import Factory, define, field, frozen

from ezmsg.graphserver.deciding.effects import Call, Effect, Moment, PeerId, Reply, Uncall, Warn
from ezmsg.protocol.errors import EzmsgError


class Silence(Enum):
    """Why a question has no answer."""

    PEER_LEFT = auto()
    PEER_SILENT = auto()
    TOO_LATE = auto()


@frozen
class Unsent:
    """A question could not even be written to its peer."""

    error: EzmsgError


Answer = Any
"""What came of a question: the reply's body, the peer's error, a :class:`Silence`, or :class:`Unsent`."""


@frozen
class Question:
    """What to ask of one peer; ``names`` are those that stay unconfirmed if it does not answer.

    A question that is ``refusable`` is not sent, and ends as :class:`Unsent`, where the peer reads too slowly.
    """

    peer: PeerId
    body: Any
    names: list[str] = Factory(list)
    refusable: bool = False


@frozen
class Outcome:
    """A question, and what came of it."""

    question: Question
    answer: Answer


Finish = Callable[[list[Outcome], Moment], list[Effect]]
"""Says what to do at an operation's end."""

MakeBody = Callable[[list[str]], Any]
"""Makes a reply's body, given the names of those that did not confirm."""

NameMissing = Callable[[Answer], list[str]]
"""Names those who, as an answer says, did not take part."""


@define(eq=False)
class Operation:
    """A request that waits, or an errand of the server's own, which no peer has requested."""

    finish: Finish
    requester: PeerId | None = None
    request_id: int = 0
    is_open: bool = True
    is_routed: bool = False  # a client's request, handed on to one peer
    waiting: dict[int, Question] = field(factory=dict)
    outcomes: list[Outcome] = Factory(list)


class Operations:
    """Every call that is out, and what waits for it."""

    def __init__(self) -> None:
        self._call_ids = count(1)
        self._calls: dict[PeerId, dict[int, Operation]] = {}  # by call id: only those that something waits for
        self._requests: dict[PeerId, dict[int, Operation]] = {}
        self._deadlines: list[tuple[float, int, Operation]] = []

    # --- beginnings ---------------------------------------------------------------------------------------

    def ask(self, questions: list[Question]) -> list[Effect]:
        """Ask peers, and let nothing wait for the answers."""
        return [Call(question.peer, next(self._call_ids), question.body) for question in questions]

    def confirm(
        self,
        requester: PeerId,
        request_id: int,
        what: str,
        questions: list[Question],
        make_body: MakeBody,
        deadline: float | None,
        missing: NameMissing | None = None,
    ) -> list[Effect]:
        """Ask peers, and reply to a request when they have answered; at once if there are none.

        :param deadline: the monotonic time at which to reply in any case, or ``None``.
        :param missing: names those who, by an answer that came, did not take part.
        """

        def finish(outcomes: list[Outcome], _: Moment) -> list[Effect]:
            return _confirmation(requester, request_id, what, make_body, outcomes, missing)

        if not questions:
            return finish([], Moment(0.0, 0.0))
        operation = Operation(finish, requester, request_id)
        self._keep(operation, deadline)
        return [self._call(operation, question) for question in questions]

    def route(
        self, requester: PeerId, request_id: int, question: Question, finish: Finish, deadline: float
    ) -> list[Effect]:
        """Ask one peer because of a request."""
        operation = Operation(finish, requester, request_id, is_routed=True)
        self._keep(operation, deadline)
        return [self._call(operation, question)]

    def errand(self, question: Question, finish: Finish) -> list[Effect]:
        """Ask one peer, whether or not anybody still waits for it; it ends with the peer's answer or its going."""
        return [self._call(Operation(finish), question)]

    def survey(self, questions: list[Question], finish: Finish, now: Moment, deadline: float) -> list[Effect]:
        """Ask peers because the server itself wants to know; it ends at its deadline, at once if there are none."""
        operation = Operation(finish)
        if not questions:
            return finish([], now)
        heapq.heappush(self._deadlines, (deadline, next(self._call_ids), operation))
        return [self._call(operation, question) for question in questions]

    def hold(self, requester: PeerId, request_id: int, finish: Finish, deadline: float) -> Operation:
        """Let a request wait until :meth:`close`, or until its deadline."""
        operation = Operation(finish, requester, request_id)
        self._keep(operation, deadline)
        return operation

    # --- ends ---------------------------------------------------------------------------------------------

    def answered(self, peer: PeerId, call_id: int, answer: Answer, now: Moment) -> list[Effect]:
        """Take what came of a call; if nothing waits for it any more, there is no effect."""
        operation = self._calls.get(peer, {}).get(call_id)
        if operation is None:
            return []
        self._discard(self._calls, peer, call_id)
        operation.outcomes.append(Outcome(operation.waiting.pop(call_id), answer))
        return [] if operation.waiting else self._end(operation, now)

    def close(self, operation: Operation) -> None:
        """Let a request wait no more; whoever calls this answers it."""
        operation.is_open = False
        if operation.requester is not None:
            self._discard(self._requests, operation.requester, operation.request_id)

    def cancel(self, requester: PeerId, request_id: int) -> list[Effect] | None:
        """Forget a request whose answer is no longer wanted; return ``None`` if it was not waiting."""
        operation = self._requests.get(requester, {}).get(request_id)
        if operation is None:
            return None
        self.close(operation)
        return [*self._forget_calls(operation)]

    def drop_requests(self, peer: PeerId) -> list[Effect]:
        """Forget the requests of a peer that is gone."""
        effects: list[Effect] = []
        for operation in list(self._requests.get(peer, {}).values()):
            self.close(operation)
            effects += [uncall for uncall in self._forget_calls(operation) if uncall.peer != peer]
        return effects

    def drop_calls(self, peer: PeerId, now: Moment) -> list[Effect]:
        """No longer wait for the answers of a peer that is gone."""
        effects: list[Effect] = []
        for call_id in list(self._calls.get(peer, {})):
            effects += self.answered(peer, call_id, Silence.PEER_LEFT, now)
        return effects

    def give_up(self, peer: PeerId, now: Moment) -> list[Effect]:
        """No longer let requests that were handed to a peer wait for it, as it gives no sign of life.

        What the server itself wants to know it still waits for: the peer may come to itself, and has done it then.
        """
        effects: list[Effect] = []
        for call_id, operation in list(self._calls.get(peer, {}).items()):
            if operation.is_routed:
                effects += [*self.answered(peer, call_id, Silence.PEER_SILENT, now), Uncall(peer, call_id)]
        return effects

    def expire(self, now: Moment) -> list[Effect]:
        """End every operation whose deadline has passed."""
        effects: list[Effect] = []
        while self._deadlines and self._deadlines[0][0] <= now.monotonic:
            operation = heapq.heappop(self._deadlines)[2]
            if operation.is_open:
                questions = list(operation.waiting.values())
                forgotten = self._forget_calls(operation)
                operation.outcomes += [Outcome(question, Silence.TOO_LATE) for question in questions]
                effects += [*self._end(operation, now), *forgotten]
        return effects

    def next_deadline(self) -> float | None:
        """Return the monotonic time at which :meth:`expire` is due next, or ``None``."""
        while self._deadlines and not self._deadlines[0][2].is_open:
            heapq.heappop(self._deadlines)
        return self._deadlines[0][0] if self._deadlines else None

    def __len__(self) -> int:
        return sum(map(len, self._requests.values()))

    def validate(self) -> None:
        """Assert every invariant. For tests."""
        for peer, calls in self._calls.items():
            assert calls, "an empty entry"
            for call_id, operation in calls.items():
                assert operation.is_open
                assert operation.waiting[call_id].peer == peer
        for peer, requests in self._requests.items():
            assert requests, "an empty entry"
            for request_id, operation in requests.items():
                assert operation.is_open
                assert (operation.requester, operation.request_id) == (peer, request_id)
                assert all(call_id in self._calls[one.peer] for call_id, one in operation.waiting.items())

    # --- inside -------------------------------------------------------------------------------------------

    def _keep(self, operation: Operation, deadline: float | None) -> None:
        assert operation.requester is not None
        self._requests.setdefault(operation.requester, {})[operation.request_id] = operation
        if deadline is not None:
            heapq.heappush(self._deadlines, (deadline, next(self._call_ids), operation))

    def _call(self, operation: Operation, question: Question) -> Effect:
        call_id = next(self._call_ids)
        operation.waiting[call_id] = question
        self._calls.setdefault(question.peer, {})[call_id] = operation
        return Call(question.peer, call_id, question.body, question.refusable)

    def _end(self, operation: Operation, now: Moment) -> list[Effect]:
        self.close(operation)
        return operation.finish(operation.outcomes, now)

    def _forget_calls(self, operation: Operation) -> list[Uncall]:
        uncalls = [Uncall(question.peer, call_id) for call_id, question in operation.waiting.items()]
        for uncall in uncalls:
            self._discard(self._calls, uncall.peer, uncall.call_id)
        operation.waiting.clear()
        return uncalls

    @staticmethod
    def _discard(index: dict[PeerId, dict[int, Operation]], peer: PeerId, identity: int) -> None:
        entries = index.get(peer, {})
        entries.pop(identity, None)
        if not entries:
            index.pop(peer, None)


def _confirmation(
    requester: PeerId,
    request_id: int,
    what: str,
    make_body: MakeBody,
    outcomes: list[Outcome],
    missing: NameMissing | None,
) -> list[Effect]:
    """Reply with the names of those that did not confirm; whoever is gone has nothing left to confirm."""
    names: set[str] = set()
    for outcome in outcomes:
        if _is_missing(outcome):
            names.update(outcome.question.names)
        elif missing is not None:
            names.update(missing(outcome.answer))
    unconfirmed = sorted(names)
    effects: list[Effect] = [Reply(requester, request_id, make_body(unconfirmed))]
    if unconfirmed:
        effects.append(Warn("unconfirmed", f"{what} was not confirmed by {', '.join(unconfirmed)}"))
    return effects


def _is_missing(outcome: Outcome) -> bool:
    return isinstance(outcome.answer, EzmsgError | Unsent) or outcome.answer is Silence.TOO_LATE
