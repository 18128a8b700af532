"""The server itself asks all processes what they have counted; nobody's request is behind it."""

from ezmsg.graphserver.deciding.conversations.requests import response_of
from ezmsg.graphserver.deciding.effects import Effect, Moment, Surveyed
from ezmsg.graphserver.deciding.graph_state import GraphState
from ezmsg.graphserver.deciding.state.operations import Outcome, Question
from ezmsg.protocol.messages.requests import HandleRequest
from ezmsg.protocol.model.process_control import ProcessControlOperation, ProcessControlRequest


def survey_profiles(state: GraphState, survey_id: int, timeout_s: float, now: Moment) -> list[Effect]:
    """Ask every process at once; it ends with a :class:`Surveyed` when all have answered, or at the deadline."""
    processes = state.processes.snapshot(state.leases.state_of)
    questions: list[Question] = []
    for process in state.processes:
        request = ProcessControlRequest(
            f"{state.epoch}/survey/{survey_id}/{process.id}",
            min(process.units, default=""),
            ProcessControlOperation.GET_PROFILING_SNAPSHOT,
        )
        handle = HandleRequest(process.id, request, timeout_s, client_id=state.epoch)
        questions.append(Question(process.peer, handle, refusable=True))

    def finish(outcomes: list[Outcome], _: Moment) -> list[Effect]:
        responses = {
            outcome.question.body.process_id: response_of(outcome.question.body, outcome.answer)
            for outcome in outcomes
        }
        return [Surveyed(survey_id, processes, responses)]

    return state.operations.survey(questions, finish, now, now.monotonic + timeout_s)
