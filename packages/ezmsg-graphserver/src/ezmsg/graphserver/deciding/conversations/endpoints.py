"""Publishers and subscribers join and leave; replies wait until those concerned hear each other."""

from ezmsg.graphserver.deciding.conversations.handlers import Request, handles
from ezmsg.graphserver.deciding.effects import Effect
from ezmsg.graphserver.deciding.graph_state import GraphState
from ezmsg.graphserver.deciding.state.endpoints import Publisher, Routes, Subscriber
from ezmsg.graphserver.deciding.topics import check_topic
from ezmsg.protocol.messages.endpoints import (
    DeclareEndpoints,
    DeclarePublisher,
    DeclareSubscriber,
    Joined,
    ReportCut,
    Withdraw,
)
from ezmsg.protocol.messages.sessions import Done


@handles(DeclarePublisher)
def declare_publisher(state: GraphState, request: Request, body: DeclarePublisher) -> list[Effect]:
    """Let a publisher join; reply when all who are to hear it do."""
    check_topic(body.topic)
    routes = _publisher_joins(state, request, body)
    what = f"The publisher on {body.topic}"
    return state.await_routes(request.peer, request.id, request.now, what, routes, Joined)


@handles(DeclareSubscriber)
def declare_subscriber(state: GraphState, request: Request, body: DeclareSubscriber) -> list[Effect]:
    """Let a subscriber join; reply when it hears all that it is to hear."""
    check_topic(body.topic)
    routes = _subscriber_joins(state, request, body)
    what = f"The subscriber on {body.topic}"
    return state.await_routes(request.peer, request.id, request.now, what, routes, Joined)


@handles(DeclareEndpoints)
def declare_endpoints(state: GraphState, request: Request, body: DeclareEndpoints) -> list[Effect]:
    """Let several join, or none if one is refused; reply when they hear and are heard as they are to be."""
    client_id = state.peers[request.peer].client_id
    for topic in [*(each.topic for each in body.publishers), *(each.topic for each in body.subscribers)]:
        check_topic(topic)
    publishers = [each.publisher_id for each in body.publishers]
    subscribers = [each.subscriber_id for each in body.subscribers]
    state.endpoints.check_identities(client_id, publishers, subscribers)
    routes = Routes()
    for publisher in body.publishers:
        routes.extend(_publisher_joins(state, request, publisher))
    for subscriber in body.subscribers:
        routes.extend(_subscriber_joins(state, request, subscriber))
    what = f"{len(publishers)} publishers and {len(subscribers)} subscribers"
    return state.await_routes(request.peer, request.id, request.now, what, routes, Joined)


def _publisher_joins(state: GraphState, request: Request, body: DeclarePublisher) -> Routes:
    client_id = state.peers[request.peer].client_id
    routes = state.endpoints.declare_publisher(Publisher(request.peer, client_id, body))
    for subscriber in state.returning.stale(body):
        if subscriber in state.endpoints.subscribers:
            routes.removed[subscriber].add(body.publisher_id)
    return routes


def _subscriber_joins(state: GraphState, request: Request, body: DeclareSubscriber) -> Routes:
    client_id = state.peers[request.peer].client_id
    subscriber = Subscriber(request.peer, client_id, body.subscriber_id, body.topic)
    routes = state.endpoints.declare_subscriber(subscriber)
    if body.hears:
        deadline = request.now.monotonic + state.configuration.return_timeout_s
        state.returning.claim(body.subscriber_id, body.hears, deadline)
    return routes


@handles(Withdraw)
def withdraw(state: GraphState, request: Request, body: Withdraw) -> list[Effect]:
    """Let an endpoint leave. The reply waits for nobody: a slow reader does not hold up who goes."""
    routes = state.endpoints.withdraw(body.endpoint_id, request.peer)
    return [*state.apply_routes(routes), request.reply(Done())]


@handles(ReportCut)
def report_cut(state: GraphState, request: Request, body: ReportCut) -> list[Effect]:
    """Tell everybody that a subscriber was cut off, which is no longer waited for."""
    publisher = state.endpoints.publishers.get(body.publisher_id)
    effects = [] if publisher is None else state.channel_cut(publisher.declared.topic, request.now)
    return [*effects, request.reply(Done())]
