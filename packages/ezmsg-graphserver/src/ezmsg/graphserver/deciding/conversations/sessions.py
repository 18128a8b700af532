"""Sessions, their edges and their metadata, and the snapshot."""

from collections.abc import Callable
from uuid import UUID

from ezmsg.graphserver.deciding.conversations.handlers import Request, handles
from ezmsg.graphserver.deciding.effects import Effect
from ezmsg.graphserver.deciding.graph_state import GraphState
from ezmsg.graphserver.deciding.topics import check_topic
from ezmsg.protocol.messages.sessions import (
    ClearSession,
    CloseSession,
    Connect,
    Disconnect,
    Done,
    DropSession,
    EdgeChanged,
    OpenSession,
    RegisterMetadata,
    SnapshotTaken,
    TakeSnapshot,
)
from ezmsg.protocol.model.snapshot import Edge


@handles(OpenSession)
def open_session(state: GraphState, request: Request, body: OpenSession) -> list[Effect]:
    """Begin a session, or go on with it after a reconnect."""
    client = state.peers[request.peer].name
    state.sessions.open(body.session_id, body.incarnation, request.peer, client, request.now.wall)
    return [request.reply(Done())]


@handles(CloseSession)
def close_session(state: GraphState, request: Request, body: CloseSession) -> list[Effect]:
    """End a session. The reply does not wait for the routes: whoever ends has no use for them."""
    session = state.sessions.require(body.session_id, request.peer)
    return [*state.end_session(session, request.now), request.reply(Done())]


@handles(ClearSession)
def clear_session(state: GraphState, request: Request, body: ClearSession) -> list[Effect]:
    """Take a session's edges and metadata; reply when their routes are gone."""
    session = state.sessions.require(body.session_id, request.peer)
    effects, routes = state.clear_session(session, request.now)
    what = f"The clearing of session {session.id}"
    return effects + state.await_routes(request.peer, request.id, request.now, what, routes, lambda _: Done())


@handles(DropSession)
def drop_session(state: GraphState, request: Request, body: DropSession) -> list[Effect]:
    """End the session of another client, for an operator."""
    session = state.sessions.find(body.session_id)
    return [*state.end_session(session, request.now), request.reply(Done())]


@handles(Connect)
def connect(state: GraphState, request: Request, body: Connect) -> list[Effect]:
    """Set an edge; reply when everybody concerned hears through it."""
    owner = _owner(state, request, body.session_id)
    edge = _edge(body)
    outcome = state.edges.connect(edge, owner)
    effects: list[Effect] = []
    if outcome.owners_changed:
        effects += state.edge_kept(edge, owner, held=True)
        effects += state.graph_changed([edge.to_topic], owner, request.now)
    if not outcome.topology_changed:
        return [*effects, request.reply(EdgeChanged(topology_changed=False))]
    what = f"The edge {edge.from_topic} -> {edge.to_topic}"
    routes = state.endpoints.edge_added(edge)
    return effects + state.await_routes(request.peer, request.id, request.now, what, routes, _edge_changed())


@handles(Disconnect)
def disconnect(state: GraphState, request: Request, body: Disconnect) -> list[Effect]:
    """Give up an edge; reply when nobody hears through it any more."""
    owner = _owner(state, request, body.session_id)
    edge = _edge(body)
    outcome = state.edges.disconnect(edge, owner)
    effects: list[Effect] = []
    if outcome.owners_changed:
        effects += state.edge_kept(edge, owner, held=False)
        effects += state.graph_changed([edge.to_topic], owner, request.now)
    if not outcome.topology_changed:
        return [*effects, request.reply(EdgeChanged(topology_changed=False))]
    what = f"The removal of the edge {edge.from_topic} -> {edge.to_topic}"
    routes = state.endpoints.edges_removed([edge])
    return effects + state.await_routes(request.peer, request.id, request.now, what, routes, _edge_changed())


@handles(RegisterMetadata)
def register_metadata(state: GraphState, request: Request, body: RegisterMetadata) -> list[Effect]:
    """Describe a session's components."""
    session = state.sessions.require(body.session_id, request.peer)
    before = session.metadata
    topics = state.sessions.register(session, body.metadata)
    if topics is None:
        return [request.reply(Done())]
    state.settings.describe(session.id, before, body.metadata, request.now.wall)
    return [*state.graph_changed(topics, session.id, request.now), request.reply(Done())]


@handles(TakeSnapshot)
def take_snapshot(state: GraphState, request: Request, body: TakeSnapshot) -> list[Effect]:
    """Show the whole graph."""
    if body.known is None:
        return [request.reply(SnapshotTaken(state.snapshot()))]
    return [request.reply(state.compact_snapshot(body.known))]


def _owner(state: GraphState, request: Request, session_id: UUID | None) -> UUID | None:
    return None if session_id is None else state.sessions.require(session_id, request.peer).id


def _edge(body: Connect | Disconnect) -> Edge:
    check_topic(body.from_topic)
    check_topic(body.to_topic)
    return Edge(body.from_topic, body.to_topic)


def _edge_changed() -> Callable[[list[str]], EdgeChanged]:
    return lambda unconfirmed: EdgeChanged(topology_changed=True, unconfirmed=unconfirmed)
