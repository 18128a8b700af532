"""Pending operations: each request is answered once, in time, and what did not happen is named."""

from typing import Any

import pytest

from ezmsg.graphserver.deciding.effects import Call, Effect, Moment, PeerId, Reply, Uncall, Warn
from ezmsg.graphserver.deciding.state.operations import Operations, Question
from ezmsg.protocol.errors import InternalError
from ezmsg.protocol.messages.sessions import Done

ASKER, ONE, TWO = PeerId(1), PeerId(2), PeerId(3)
NOW = Moment(1.0, 0.0)
QUESTIONS = [Question(ONE, "body", ["host/1 A"]), Question(TWO, "body", ["host/2 B", "host/2 C"])]


@pytest.fixture
def operations() -> Operations:
    return Operations()


def begin(operations: Operations, deadline: float | None = 5.0, questions: Any = QUESTIONS) -> list[Effect]:
    return operations.confirm(ASKER, 7, "The edge", questions, tuple, deadline)


def calls(effects: list[Effect]) -> list[int]:
    return [effect.call_id for effect in effects if isinstance(effect, Call)]


def test_nobody_to_ask_is_answered_at_once(operations: Operations) -> None:
    assert begin(operations, questions=[]) == [Reply(ASKER, 7, ())]
    assert operations.next_deadline() is None


def test_the_last_answer_ends_it(operations: Operations) -> None:
    first, second = calls(begin(operations))
    assert operations.next_deadline() == 5.0
    assert operations.answered(TWO, second, Done(), NOW) == []
    assert operations.answered(ONE, first, Done(), NOW) == [Reply(ASKER, 7, ())]
    assert operations.next_deadline() is None
    assert operations.expire(Moment(99.0, 0.0)) == []


def test_who_fails_is_named(operations: Operations) -> None:
    first, second = calls(begin(operations))
    operations.answered(TWO, second, InternalError(reason="x"), NOW)
    reply, warning = operations.answered(ONE, first, Done(), NOW)
    assert reply == Reply(ASKER, 7, ("host/2 B", "host/2 C"))
    assert warning == Warn("unconfirmed", "The edge was not confirmed by host/2 B, host/2 C")


def test_the_deadline_ends_it_and_names_the_silent(operations: Operations) -> None:
    first, second = calls(begin(operations))
    operations.answered(TWO, second, Done(), NOW)
    assert operations.expire(Moment(4.9, 0.0)) == []
    reply, _, uncall = operations.expire(Moment(5.0, 0.0))
    assert reply == Reply(ASKER, 7, ("host/1 A",))
    assert uncall == Uncall(ONE, first)
    assert operations.answered(ONE, first, Done(), NOW) == [], "too late"
    assert len(operations) == 0


def test_who_leaves_needs_not_confirm(operations: Operations) -> None:
    first, _ = calls(begin(operations))
    assert operations.drop_calls(TWO, NOW) == []
    assert operations.answered(ONE, first, Done(), NOW) == [Reply(ASKER, 7, ())]


def test_the_asker_who_leaves_is_not_answered(operations: Operations) -> None:
    first, second = calls(begin(operations))
    assert operations.drop_requests(ASKER) == [Uncall(ONE, first), Uncall(TWO, second)]
    assert operations.answered(ONE, first, Done(), NOW) == []
    assert operations.answered(TWO, second, Done(), NOW) == []
    assert operations.expire(Moment(99.0, 0.0)) == []


def test_a_cancelled_request_is_not_answered(operations: Operations) -> None:
    first, second = calls(begin(operations))
    assert operations.cancel(ASKER, 7) == [Uncall(ONE, first), Uncall(TWO, second)]
    assert operations.cancel(ASKER, 7) is None
    assert operations.answered(ONE, first, Done(), NOW) == []
    assert operations.next_deadline() is None


def test_only_who_was_asked_can_answer(operations: Operations) -> None:
    first, _ = calls(begin(operations))
    assert operations.answered(TWO, first, Done(), NOW) == []
    assert operations.answered(ONE, 12345, Done(), NOW) == []
    assert len(operations) == 1


def test_without_a_deadline_it_waits(operations: Operations) -> None:
    begin(operations, deadline=None)
    assert operations.next_deadline() is None
    assert operations.expire(1e9) == []


def test_deadlines_come_in_their_order(operations: Operations) -> None:
    for request_id, deadline in ((1, 9.0), (2, 3.0), (3, 6.0)):
        operations.confirm(ASKER, request_id, "It", QUESTIONS, tuple, deadline)
    ended = []
    while (deadline := operations.next_deadline()) is not None:
        ended += [
            effect.request_id for effect in operations.expire(Moment(deadline, 0.0)) if isinstance(effect, Reply)
        ]
    assert ended == [2, 3, 1]
