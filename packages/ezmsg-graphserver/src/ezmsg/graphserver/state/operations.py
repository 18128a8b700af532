"""Pending operations: a request of one peer that waits for what others were asked because of it.

Each ends once: when every peer asked has answered or is gone, or when its deadline has passed. What did not
happen is named in the reply.
"""

import heapq
from collections.abc import Callable
from itertools import count
from typing import Any

from attrs import Factory, define, field, frozen

from ezmsg.graphserver.effects import Call, Effect, PeerId, Reply, Uncall, Warn

Finish = Callable[[list[str]], Any]
"""Makes the reply's body, given the names of those that did not confirm."""


@frozen
class Question:
    """What to ask of one peer; ``names`` are those that stay unconfirmed if it does not answer."""

    peer: PeerId
    body: Any
    names: list[str]


@define(eq=False)
class Operation:
    """One request that waits."""

    requester: PeerId
    request_id: int
    what: str
    finish: Finish
    waiting: dict[int, Question] = field(factory=dict)
    unconfirmed: list[str] = Factory(list)


class Operations:
    """Every call that is out, and what waits for it."""

    def __init__(self) -> None:
        self._call_ids = count(1)
        self._calls: dict[int, Operation] = {}  # by call id: only those that something waits for
        self._requests: dict[tuple[PeerId, int], Operation] = {}
        self._deadlines: list[tuple[float, int, Operation]] = []

    def ask(self, questions: list[Question]) -> list[Effect]:
        """Ask peers, and let nothing wait for the answers."""
        return [Call(question.peer, next(self._call_ids), question.body) for question in questions]

    def begin(
        self,
        requester: PeerId,
        request_id: int,
        what: str,
        questions: list[Question],
        finish: Finish,
        deadline: float | None,
    ) -> list[Effect]:
        """Ask peers, and reply to a request when they have answered; at once if there are none.

        :param deadline: the monotonic time at which to reply in any case, or ``None``.
        """
        operation = Operation(requester, request_id, what, finish)
        if not questions:
            return self._end(operation)
        effects: list[Effect] = []
        for question in questions:
            call_id = next(self._call_ids)
            operation.waiting[call_id] = question
            self._calls[call_id] = operation
            effects.append(Call(question.peer, call_id, question.body))
        self._requests[requester, request_id] = operation
        if deadline is not None:
            heapq.heappush(self._deadlines, (deadline, next(self._call_ids), operation))
        return effects

    def answered(self, peer: PeerId, call_id: int, error: Exception | None) -> list[Effect]:
        """Take a peer's answer; one that nothing waits for any more has no effect."""
        operation = self._calls.get(call_id)
        if operation is None or operation.waiting[call_id].peer != peer:
            return []
        del self._calls[call_id]
        question = operation.waiting.pop(call_id)
        if error is not None:
            operation.unconfirmed += question.names
        return [] if operation.waiting else self._end(operation)

    def cancel(self, requester: PeerId, request_id: int) -> list[Effect]:
        """Forget a request whose answer is no longer wanted; there are no effects if it was not waiting."""
        operation = self._requests.pop((requester, request_id), None)
        return [] if operation is None else [*self._forget_calls(operation)]

    def drop_peer(self, peer: PeerId) -> list[Effect]:
        """Forget the requests of a peer that is gone, and no longer wait for its answers; it is told nothing."""
        effects: list[Effect] = []
        for operation in [operation for key, operation in self._requests.items() if key[0] == peer]:
            del self._requests[peer, operation.request_id]
            effects += [uncall for uncall in self._forget_calls(operation) if uncall.peer != peer]
        calls = [call_id for call_id, operation in self._calls.items() if operation.waiting[call_id].peer == peer]
        for call_id in calls:
            effects += self.answered(peer, call_id, None)  # whoever is gone has nothing left to confirm
        return effects

    def expire(self, now: float) -> list[Effect]:
        """End every operation whose deadline has passed."""
        effects: list[Effect] = []
        while self._deadlines and self._deadlines[0][0] <= now:
            operation = heapq.heappop(self._deadlines)[2]
            if operation.waiting:
                for question in operation.waiting.values():
                    operation.unconfirmed += question.names
                forgotten = self._forget_calls(operation)
                effects += [*self._end(operation), *forgotten]
        return effects

    def next_deadline(self) -> float | None:
        """Return the monotonic time at which :meth:`expire` is due next, or ``None``."""
        while self._deadlines and not self._deadlines[0][2].waiting:
            heapq.heappop(self._deadlines)
        return self._deadlines[0][0] if self._deadlines else None

    def __len__(self) -> int:
        return len(self._requests)

    def validate(self) -> None:
        """Assert every invariant. For tests."""
        for call_id, operation in self._calls.items():
            assert call_id in operation.waiting
        for operation in self._requests.values():
            assert operation.waiting, "an operation that waits for nobody"
            assert operation.waiting.keys() <= self._calls.keys()

    def _forget_calls(self, operation: Operation) -> list[Uncall]:
        uncalls = [Uncall(question.peer, call_id) for call_id, question in operation.waiting.items()]
        for uncall in uncalls:
            del self._calls[uncall.call_id]
        operation.waiting.clear()
        return uncalls

    def _end(self, operation: Operation) -> list[Effect]:
        self._requests.pop((operation.requester, operation.request_id), None)
        unconfirmed = sorted(operation.unconfirmed)
        effects: list[Effect] = [Reply(operation.requester, operation.request_id, operation.finish(unconfirmed))]
        if unconfirmed:
            text = f"{operation.what} was not confirmed by {', '.join(unconfirmed)}"
            effects.append(Warn("unconfirmed", text))
        return effects
