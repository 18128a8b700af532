"""Routed requests and settings over real sockets: who is asked, what comes back, what everybody hears of it."""

from typing import Any
from uuid import UUID, uuid4

import pytest
from tests.graphserver.conftest import RawClient
from tests.graphserver.deciding.descriptions import program, reported

from ezmsg.protocol import errors
from ezmsg.protocol.messages.events import Reset
from ezmsg.protocol.messages.processes import RegisterProcess
from ezmsg.protocol.messages.requests import EndTraces, HandleRequest, Responded, RouteRequest
from ezmsg.protocol.messages.sessions import CloseSession, Done, OpenSession, RegisterMetadata, TakeSnapshot
from ezmsg.protocol.messages.settings import (
    FollowSettings,
    ReportSettings,
    SettingApplied,
    SettingsEvent,
    SettingsRecorded,
    TakeSettings,
    UpdateSetting,
)
from ezmsg.protocol.model.process_control import (
    ProcessControlErrorCode,
    ProcessControlResponse,
    ProcessRegistration,
    ProcessSettingsUpdate,
)
from ezmsg.protocol.model.settings import SettingsEventType
from ezmsg.protocol.wire import connection as protocol

PROCESS, SESSION = uuid4(), uuid4()
LONG_S = 30.0
"""Longer than anything here takes."""


class Owner:
    """A process that owns the unit ``A``, and answers when the test says so."""

    def __init__(self, client: RawClient) -> None:
        self.client = client
        self.asked: list[protocol.RequestReceived] = []
        take_events = client.connection.events_received
        client.acknowledge = False

        def keep_requests() -> list[protocol.Event]:
            events = take_events()
            self.asked += [event for event in events if isinstance(event, protocol.RequestReceived)]
            return events

        client.connection.events_received = keep_requests  # type: ignore[method-assign]
        client.ask(RegisterProcess(PROCESS, ProcessRegistration(1, "host", ["A"])))

    def next_question(self) -> protocol.RequestReceived:
        """Wait for what the server asks."""
        self.client.pump_until(lambda: self.asked)
        return self.asked.pop(0)

    def answer(self, question: protocol.RequestReceived, body: Any) -> None:
        """Answer it."""
        if isinstance(body, errors.EzmsgError):
            self.client.connection.fail(question.id, body)
        else:
            self.client.connection.reply(question.id, body)
        self.client.flush()


@pytest.fixture
def owner(connect: Any) -> Owner:
    return Owner(connect().open())


@pytest.fixture
def operator(connect: Any) -> RawClient:
    client: RawClient = connect().open()
    return client


def test_a_request_reaches_the_owner_and_its_response_comes_back(owner: Owner, operator: RawClient) -> None:
    waiting = operator.send(RouteRequest("A", "CALIBRATE", LONG_S, b"\x00payload", SESSION))
    question = owner.next_question()
    asked = question.body
    assert (asked.process_id, asked.client_id, asked.session_id) == (PROCESS, operator.client_id, SESSION)
    assert (asked.request.operation, asked.request.payload) == ("CALIBRATE", b"\x00payload")
    owner.answer(question, Responded(ProcessControlResponse(asked.request.request_id, True, b"answer")))
    response = operator.wait(waiting).response
    assert (response.ok, response.payload, response.process_id) == (True, b"answer", PROCESS)


def test_a_slow_request_delays_no_other_and_a_late_answer_is_dropped(owner: Owner, operator: RawClient) -> None:
    slow = operator.send(RouteRequest("A", "SLOW", 0.2))
    quick = operator.send(RouteRequest("A", "QUICK", LONG_S))
    first, second = owner.next_question(), owner.next_question()
    owner.answer(second, Responded(ProcessControlResponse(second.body.request.request_id, True)))
    assert operator.wait(quick).response.ok
    late = operator.wait(slow).response
    assert (late.ok, late.error_code) == (False, ProcessControlErrorCode.TIMEOUT)
    owner.answer(first, Responded(ProcessControlResponse(first.body.request.request_id, True)))
    assert operator.ask(RouteRequest("nobody", "PING", LONG_S)).response.error_code is (
        ProcessControlErrorCode.UNROUTABLE_UNIT
    )


def test_an_owner_that_dies_ends_what_waits_for_it(owner: Owner, operator: RawClient) -> None:
    routed = operator.send(RouteRequest("A", "PING", LONG_S))
    changes = [operator.send(UpdateSetting("A", "gain", 2.0, LONG_S)) for _ in range(2)]
    owner.next_question()
    owner.next_question()
    owner.client.close()
    response = operator.wait(routed).response
    assert response.error_code is ProcessControlErrorCode.PROCESS_DISCONNECTED
    for change in changes:
        with pytest.raises(errors.SettingsUnavailable):
            operator.wait(change)


def test_a_change_is_an_event_before_it_is_acknowledged(owner: Owner, operator: RawClient) -> None:
    operator.ask(OpenSession(SESSION))
    operator.ask(RegisterMetadata(SESSION, program({"A": 1.0})))
    operator.ask(FollowSettings())
    change = operator.send(UpdateSetting("A", "gain", 3.0, LONG_S, expect=0))
    stale = operator.send(UpdateSetting("A", "gain", 4.0, LONG_S, expect=0))
    question = owner.next_question()
    assert (question.body.field_path, question.body.value) == ("gain", 3.0)
    owner.answer(question, SettingApplied(reported(3.0)))
    applied = operator.wait(change)
    assert len(operator.items) == 2, "acknowledged before it was told"
    assert (applied.value.structured_value, applied.value.revision) == ({"gain": 3.0}, 1)
    with pytest.raises(errors.StaleRevision) as refusal:
        operator.wait(stale)
    assert (refusal.value.expected, refusal.value.actual) == (0, 1)
    snapshot = operator.ask(TakeSnapshot()).snapshot
    assert snapshot.settings_seq == 2
    assert [item.event.event_type for item in operator.items] == [
        SettingsEventType.INITIAL_SETTINGS,
        SettingsEventType.SETTINGS_UPDATED,
    ]
    assert operator.items[1].event.value == applied.value


def test_what_the_owner_refuses_is_told_to_who_asked(owner: Owner, operator: RawClient) -> None:
    change = operator.send(UpdateSetting("A", "gain", "loud", LONG_S))
    owner.answer(owner.next_question(), errors.InvalidMessage(tag="settings.apply", reason="gain is a number"))
    with pytest.raises(errors.InvalidMessage, match="gain is a number"):
        operator.wait(change)
    assert operator.ask(TakeSettings()).values == {}


def test_answers_to_what_was_not_asked_are_dropped(owner: Owner, operator: RawClient) -> None:
    waiting = operator.send(RouteRequest("A", "ANY", LONG_S))
    question = owner.next_question()
    right = Responded(ProcessControlResponse(question.body.request.request_id, True, b"right"))
    owner.client.connection.reply(question.id + 1000, right)
    owner.client.connection.fail(question.id + 1001, errors.InvalidTopic(topic="x", reason=""))
    operator.connection.reply(question.id, right)
    operator.ask(TakeSnapshot())
    owner.client.ask(TakeSnapshot())
    assert not operator.answers
    owner.answer(question, right)
    owner.answer(question, Responded(ProcessControlResponse(question.body.request.request_id, True, b"again")))
    assert operator.wait(waiting).response.payload == b"right"
    assert owner.client.ask(TakeSnapshot())


@pytest.mark.parametrize(
    "wrong", [Done(), Responded(ProcessControlResponse("another", True)), errors.InvalidTopic(topic="x", reason="")]
)
def test_an_answer_of_the_wrong_kind_is_a_failure_of_its_request_alone(
    owner: Owner, operator: RawClient, wrong: Any
) -> None:
    routed = operator.send(RouteRequest("A", "ANY", LONG_S))
    owner.answer(owner.next_question(), wrong)
    assert operator.wait(routed).response.error_code is ProcessControlErrorCode.INVALID_RESPONSE
    change = operator.send(UpdateSetting("A", "gain", 2.0, LONG_S))
    owner.answer(owner.next_question(), wrong)
    with pytest.raises(errors.EzmsgError) as refusal:
        operator.wait(change)
    expected = type(wrong) if isinstance(wrong, errors.EzmsgError) else errors.SettingsUnavailable
    assert type(refusal.value) is expected
    assert operator.ask(TakeSettings()).values == {}


def test_settings_come_back_and_go_with_who_gave_them(owner: Owner, operator: RawClient) -> None:
    operator.ask(OpenSession(SESSION))
    operator.ask(RegisterMetadata(SESSION, program({"A": 1.0})))
    report = ReportSettings(PROCESS, ProcessSettingsUpdate("A", reported(2.0), 5.0))
    assert owner.client.ask(report) == SettingsRecorded(2, 1)
    with pytest.raises(errors.UnitNotOwned):
        owner.client.ask(ReportSettings(PROCESS, ProcessSettingsUpdate("B", reported(2.0), 5.0)))
    with pytest.raises(errors.UnknownProcess):
        operator.ask(report)
    operator.ask(FollowSettings(2))
    owner.client.close()
    operator.pump_until(lambda: len(operator.items) == 1)
    assert operator.ask(CloseSession(SESSION)) == Done()
    operator.pump_until(lambda: len(operator.items) == 2)
    restored, removed = (item.event for item in operator.items)
    assert (restored.seq, restored.event_type) == (3, SettingsEventType.SETTINGS_UPDATED)
    assert (restored.source_session_id, restored.source_process_id) == (str(SESSION), None)
    assert (removed.seq, removed.event_type) == (4, SettingsEventType.SETTINGS_REMOVED)
    assert restored.value == removed.value
    assert restored.value.structured_value == {"gain": 1.0}


def test_numbers_of_another_run_begin_with_a_reset(owner: Owner, operator: RawClient) -> None:
    owner.client.ask(ReportSettings(PROCESS, ProcessSettingsUpdate("A", reported(2.0), 5.0)))
    taken = operator.ask(TakeSettings())
    operator.ask(FollowSettings(0, uuid4()))
    owner.client.ask(ReportSettings(PROCESS, ProcessSettingsUpdate("A", reported(3.0), 6.0)))
    operator.pump_until(lambda: len(operator.items) == 2)
    reset, item = operator.items
    assert reset == Reset(taken.epoch, taken.seq)
    assert isinstance(item, SettingsEvent)
    assert (item.event.seq, item.event.timestamp) == (taken.seq + 1, 6.0)


# --- traces end with who wanted them ---------------------------------------------------------------------------


def want_trace(owner: Owner, operator: RawClient, session: UUID | None = None, *, answer: bool = True) -> None:
    waiting = operator.send(RouteRequest("A", "SET_PROFILING_TRACE", LONG_S, b"", session))
    question = owner.next_question()
    assert isinstance(question.body, HandleRequest)
    if answer:
        request_id = question.body.request.request_id
        owner.answer(question, Responded(ProcessControlResponse(request_id, True)))
        assert operator.wait(waiting).response.ok


@pytest.mark.parametrize("answer", [True, False], ids=["answered", "not yet answered"])
def test_a_process_is_told_that_a_client_is_gone_for_which_it_may_trace(
    owner: Owner, operator: RawClient, answer: bool
) -> None:
    want_trace(owner, operator, answer=answer)
    operator.close()
    assert owner.next_question().body == EndTraces(PROCESS, operator.client_id)


def test_a_process_is_told_that_a_session_is_closed_and_once(owner: Owner, operator: RawClient) -> None:
    operator.ask(OpenSession(SESSION))
    want_trace(owner, operator, SESSION)
    want_trace(owner, operator, SESSION)
    operator.ask(CloseSession(SESSION))
    assert owner.next_question().body == EndTraces(PROCESS, SESSION)
    operator.ask(OpenSession(SESSION, 2))
    operator.ask(CloseSession(SESSION))
    waiting = operator.send(RouteRequest("A", "PING", LONG_S))
    assert isinstance(owner.next_question().body, HandleRequest), "nothing was told before"
    operator.connection.cancel(waiting)


def test_nobody_traces_for_a_session_of_somebody_else(owner: Owner, operator: RawClient, connect: Any) -> None:
    other = connect().open()
    other.ask(OpenSession(SESSION))
    for session in (SESSION, uuid4()):
        with pytest.raises(errors.UnknownSession):
            operator.ask(RouteRequest("A", "SET_PROFILING_TRACE", LONG_S, b"", session))
    assert owner.asked == []
