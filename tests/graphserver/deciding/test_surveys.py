"""What the server itself asks of all processes: each has exactly one response, whatever happens on the way."""

from typing import Any
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from ezmsg.graphserver.deciding.effects import Call, Effect, Moment, PeerId, Surveyed, Uncall
from ezmsg.graphserver.deciding.graph import Graph
from ezmsg.protocol.errors import FrameTooLarge, InternalError
from ezmsg.protocol.messages.handshake import Hello
from ezmsg.protocol.messages.processes import RegisterProcess
from ezmsg.protocol.messages.requests import HandleRequest, Responded
from ezmsg.protocol.model.process_control import (
    ProcessControlErrorCode,
    ProcessControlOperation,
    ProcessControlResponse,
    ProcessRegistration,
)
from ezmsg.protocol.revisions import CURRENT

EPOCH = UUID(int=99)
BEGIN, DEADLINE = Moment(100.0, 0.0), Moment(102.0, 0.0)
_Code = ProcessControlErrorCode

ANSWERS = {
    "well": (True, None),
    "another's response": (False, _Code.INVALID_RESPONSE),
    "fails": (False, _Code.INVALID_RESPONSE),
    "unsent": (False, _Code.ROUTE_WRITE_FAILED),
    "leaves": (False, _Code.PROCESS_DISCONNECTED),
    "silent": (False, _Code.TIMEOUT),
}
"""What a process may do, and what the survey says of it."""


def with_processes(count: int) -> Graph:
    graph = Graph(EPOCH)
    for number in range(1, count + 1):
        peer = PeerId(number)
        graph.peer_joined(peer, Hello(CURRENT, "0", b"", UUID(int=number), number, "lab"), BEGIN)
        registration = ProcessRegistration(number, "lab", [f"UNIT{number}"] if number % 2 else [])
        graph.request_received(peer, 1, RegisterProcess(UUID(int=number), registration), BEGIN)
    return graph


def do(graph: Graph, call: Call, what: str) -> list[Effect]:
    request = call.body.request
    body: Any = Responded(ProcessControlResponse(request.request_id, True, b"counted"))
    match what:
        case "well":
            return graph.reply_received(call.peer, call.call_id, body, BEGIN)
        case "another's response":
            body = Responded(ProcessControlResponse("another", True, b"counted"))
            return graph.reply_received(call.peer, call.call_id, body, BEGIN)
        case "fails":
            return graph.reply_received(call.peer, call.call_id, InternalError(reason="mad"), BEGIN)
        case "unsent":
            return graph.call_unsent(call.peer, call.call_id, FrameTooLarge(size=2, limit=1), BEGIN)
        case "leaves":
            return graph.peer_left(call.peer, BEGIN)
    return []


@given(st.lists(st.sampled_from(list(ANSWERS)), max_size=5), st.randoms(use_true_random=False))
def test_each_process_has_one_response(fates: list[str], random: Any) -> None:
    graph = with_processes(len(fates))
    done = graph.survey_begun(7, 2.0, BEGIN)
    calls = [effect for effect in done if isinstance(effect, Call)]
    assert [call.body.process_id for call in calls] == [UUID(int=number) for number in range(1, len(fates) + 1)]
    for number, call in enumerate(calls, 1):
        handle = call.body
        assert isinstance(handle, HandleRequest)
        assert call.refusable
        assert (handle.timeout_s, handle.client_id, handle.session_id) == (2.0, EPOCH, None)
        assert handle.request.operation is ProcessControlOperation.GET_PROFILING_SNAPSHOT
        assert handle.request.unit_address == (f"UNIT{number}" if number % 2 else "")
    ordered = list(zip(calls, fates, strict=True))
    random.shuffle(ordered)
    for call, fate in ordered:
        done += do(graph, call, fate)
        graph.state.operations.validate()
    silent = [call for call, fate in ordered if fate == "silent"]
    assert graph.next_deadline() == (DEADLINE.monotonic if silent else None)
    done += graph.tick(DEADLINE)
    assert {effect.call_id for effect in done if isinstance(effect, Uncall)} == {call.call_id for call in silent}
    (surveyed,) = [effect for effect in done if isinstance(effect, Surveyed)]
    assert surveyed.survey_id == 7
    assert set(surveyed.processes) == set(surveyed.responses) == {call.body.process_id for call in calls}
    said = {process_id: (response.ok, response.error_code) for process_id, response in surveyed.responses.items()}
    assert said == {UUID(int=number): ANSWERS[fate] for number, fate in enumerate(fates, 1)}
    assert graph.tick(Moment(1_000.0, 0.0)) == []
