"""Routed requests: a client asks the process that owns a unit; each ends in exactly one response."""

from dataclasses import replace
from uuid import UUID

from ezmsg.graphserver.deciding.conversations.handlers import Request, handles
from ezmsg.graphserver.deciding.effects import Effect, Moment
from ezmsg.graphserver.deciding.graph_state import GraphState
from ezmsg.graphserver.deciding.state.operations import Answer, Outcome, Question, Silence, Unsent
from ezmsg.protocol.messages.requests import HandleRequest, Responded, RouteRequest
from ezmsg.protocol.model.process_control import (
    ProcessControlErrorCode,
    ProcessControlOperation,
    ProcessControlRequest,
    ProcessControlResponse,
)
from ezmsg.protocol.model.snapshot import ProcessState

UNRESPONSIVE = (
    "gives no sign of life. See the process itself: it may be stopped by a signal or a debugger, or be held up by "
    "code that keeps the interpreter's lock."
)

_SET_TRACE = ProcessControlOperation.SET_PROFILING_TRACE.value


@handles(RouteRequest)
def route_request(state: GraphState, request: Request, body: RouteRequest) -> list[Effect]:
    """Hand a request to the process that owns its unit, and its response back."""
    deadline = request.deadline(body.TAG, body.timeout_s)
    peer = state.peers[request.peer]
    inner = ProcessControlRequest(f"{peer.id_text}/{request.id}", body.unit_address, body.operation, body.payload)
    process = state.processes.owner_of(body.unit_address)
    if process is None:
        error = f"No process owns the unit {body.unit_address!r}. See in a snapshot which units there are."
        return [request.reply(Responded(_failed(inner, ProcessControlErrorCode.UNROUTABLE_UNIT, error)))]

    if state.leases.state_of(process.peer) is ProcessState.UNRESPONSIVE:
        owner = f"The process {process.id}, which owns the unit {body.unit_address!r},"
        error = f"{owner} {UNRESPONSIVE} It was not asked."
        return [request.reply(Responded(_failed(inner, ProcessControlErrorCode.PROCESS_UNRESPONSIVE, error)))]

    def finish(outcomes: list[Outcome], _: Moment) -> list[Effect]:
        (outcome,) = outcomes
        return [request.reply(Responded(response_of(handle, outcome.answer)))]

    if body.operation == _SET_TRACE:
        # Before it is answered: if who asks is gone by then, the process must still hear of it.
        state.profiles.traced(_origin(state, request, peer.client_id, body.session_id), process.id)
    handle = HandleRequest(process.id, inner, body.timeout_s, peer.client_id, body.session_id)
    question = Question(process.peer, handle, refusable=True)
    return state.operations.route(request.peer, request.id, question, finish, deadline)


def _origin(state: GraphState, request: Request, client_id: UUID, session_id: UUID | None) -> UUID:
    """Return for whom something is traced; its end must be seen here.

    :raises UnknownSession: if that is a session that this client does not have.
    """
    return client_id if session_id is None else state.sessions.require(session_id, request.peer).id


def response_of(handle: HandleRequest, answer: Answer) -> ProcessControlResponse:
    """Return the one response that a request of a process ends with, whatever came of it."""
    inner, process_id = handle.request, handle.process_id
    if isinstance(answer, Responded) and answer.response.request_id == inner.request_id:
        response = answer.response
        return response if response.process_id == process_id else replace(response, process_id=process_id)
    unit, process = repr(inner.unit_address), f"process {process_id}"
    match answer:
        case Silence.TOO_LATE:
            code = ProcessControlErrorCode.TIMEOUT
            error = f"The {process}, which owns the unit {unit}, did not answer within {handle.timeout_s:g} s."
        case Silence.PEER_SILENT:
            code = ProcessControlErrorCode.PROCESS_UNRESPONSIVE
            error = f"The {process}, which owns the unit {unit}, {UNRESPONSIVE}"
        case Silence.PEER_LEFT:
            code = ProcessControlErrorCode.PROCESS_DISCONNECTED
            error = f"The {process}, which owned the unit {unit}, left before it answered."
        case Unsent(error=reason):
            code = ProcessControlErrorCode.ROUTE_WRITE_FAILED
            error = f"The request could not be written to the {process}, which owns the unit {unit}: {reason}"
        case _:
            code = ProcessControlErrorCode.INVALID_RESPONSE
            said = f"{answer}" if isinstance(answer, Exception) else f"a {type(answer).__name__}"
            error = f"The {process}, which owns the unit {unit}, did not answer with a response to this: {said}"
    return _failed(inner, code, error, process_id)


def _failed(
    inner: ProcessControlRequest, code: ProcessControlErrorCode, error: str, process_id: UUID | None = None
) -> ProcessControlResponse:
    return ProcessControlResponse(inner.request_id, ok=False, error=error, error_code=code, process_id=process_id)
