"""What an operator asks of the server and, through it, of every publisher."""

from typing import Any

from ezmsg.graphserver.deciding.conversations.handlers import Request, handles
from ezmsg.graphserver.deciding.effects import Effect, StopServer
from ezmsg.graphserver.deciding.graph_state import GraphState
from ezmsg.graphserver.deciding.state.operations import Question
from ezmsg.protocol.messages.endpoints import AwaitReleases, PausePublishing, ResumePublishing
from ezmsg.protocol.messages.service import (
    AllAnswered,
    ConnectedPeer,
    ConnectedPeers,
    OwnedEdge,
    PauseAll,
    ResumeAll,
    Shutdown,
    SyncAll,
    TakePeers,
    TakeTopology,
    Topology,
)
from ezmsg.protocol.messages.sessions import Done


@handles(TakeTopology)
def take_topology(state: GraphState, request: Request, _: TakeTopology) -> list[Effect]:
    """Show the edges alone."""
    edges = [OwnedEdge(edge.from_topic, edge.to_topic, names) for edge, names in state.edges.owners()]
    return [request.reply(Topology(edges))]


@handles(TakePeers)
def take_peers(state: GraphState, request: Request, _: TakePeers) -> list[Effect]:
    """Tell who is connected, as each introduced itself."""
    hellos = [peer.hello for peer in state.peers.values()]
    peers = [ConnectedPeer(one.client_id, one.package, one.revision, one.pid, one.host) for one in hellos]
    return [request.reply(ConnectedPeers(peers))]


@handles(PauseAll)
def pause_all(state: GraphState, request: Request, _: PauseAll) -> list[Effect]:
    """Hold back every publisher that there is now."""
    deadline = request.now.monotonic + state.configuration.route_timeout_s
    return _ask_publishers(state, request, "The pause", PausePublishing(), deadline)


@handles(ResumeAll)
def resume_all(state: GraphState, request: Request, _: ResumeAll) -> list[Effect]:
    """Let every publisher go on."""
    deadline = request.now.monotonic + state.configuration.route_timeout_s
    return _ask_publishers(state, request, "The end of the pause", ResumePublishing(), deadline)


@handles(SyncAll)
def sync_all(state: GraphState, request: Request, body: SyncAll) -> list[Effect]:
    """Wait until everything published so far was released."""
    deadline = None if body.timeout_s is None else request.deadline(body.TAG, body.timeout_s)
    return _ask_publishers(state, request, "The release of all messages", AwaitReleases(), deadline)


@handles(Shutdown)
def shutdown(_state: GraphState, request: Request, _: Shutdown) -> list[Effect]:
    """End the server."""
    return [request.reply(Done()), StopServer()]


def _ask_publishers(
    state: GraphState, request: Request, what: str, body: Any, deadline: float | None
) -> list[Effect]:
    questions = [Question(peer, body, [state.peers[peer].name]) for peer in state.endpoints.publishing_peers()]
    return state.operations.confirm(request.peer, request.id, what, questions, AllAnswered, deadline)
