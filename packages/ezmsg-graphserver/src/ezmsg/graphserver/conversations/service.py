"""What an operator asks of the server and, through it, of every publisher."""

import math
from typing import Any

from ezmsg.graphserver.conversations.handlers import Request, handles
from ezmsg.graphserver.effects import Effect, StopServer
from ezmsg.graphserver.graph_state import GraphState
from ezmsg.graphserver.state.operations import Question
from ezmsg.protocol.errors import InvalidMessage
from ezmsg.protocol.messages.endpoints import AwaitReleases, PausePublishing, ResumePublishing
from ezmsg.protocol.messages.service import (
    AllAnswered,
    OwnedEdge,
    PauseAll,
    ResumeAll,
    Shutdown,
    SyncAll,
    TakeTopology,
    Topology,
)
from ezmsg.protocol.messages.sessions import Done


@handles(TakeTopology)
def take_topology(state: GraphState, request: Request, _: TakeTopology) -> list[Effect]:
    """Show the edges alone."""
    edges = [OwnedEdge(edge.from_topic, edge.to_topic, names) for edge, names in state.edges.owners()]
    return [request.reply(Topology(edges))]


@handles(PauseAll)
def pause_all(state: GraphState, request: Request, _: PauseAll) -> list[Effect]:
    """Hold back every publisher that there is now."""
    timeout_s = state.configuration.route_timeout_s
    return _ask_publishers(state, request, "The pause", PausePublishing(), timeout_s)


@handles(ResumeAll)
def resume_all(state: GraphState, request: Request, _: ResumeAll) -> list[Effect]:
    """Let every publisher go on."""
    timeout_s = state.configuration.route_timeout_s
    return _ask_publishers(state, request, "The end of the pause", ResumePublishing(), timeout_s)


@handles(SyncAll)
def sync_all(state: GraphState, request: Request, body: SyncAll) -> list[Effect]:
    """Wait until everything published so far was released."""
    if body.timeout_s is not None and not 0 <= body.timeout_s < math.inf:
        raise InvalidMessage(tag=body.TAG, reason=f"a time-out of {body.timeout_s} s")
    return _ask_publishers(state, request, "The release of all messages", AwaitReleases(), body.timeout_s)


@handles(Shutdown)
def shutdown(_state: GraphState, request: Request, _: Shutdown) -> list[Effect]:
    """End the server."""
    return [request.reply(Done()), StopServer()]


def _ask_publishers(
    state: GraphState, request: Request, what: str, body: Any, timeout_s: float | None
) -> list[Effect]:
    questions = [Question(peer, body, [state.peers[peer].name]) for peer in state.endpoints.publishing_peers()]
    deadline = None if timeout_s is None else request.now.monotonic + timeout_s
    return state.operations.begin(request.peer, request.id, what, questions, AllAnswered, deadline)
