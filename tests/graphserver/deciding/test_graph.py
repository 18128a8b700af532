"""The graph, one behaviour at a time: what goes in, and the effects that come out."""

import math
from typing import Any
from uuid import UUID

import pytest
from tests.graphserver.deciding.descriptions import program

from ezmsg.graphserver.deciding import effects
from ezmsg.graphserver.deciding.configuration import Configuration
from ezmsg.graphserver.deciding.effects import (
    Call,
    Effect,
    Fail,
    Feed,
    Follow,
    Moment,
    PeerId,
    Reply,
    StopServer,
    Unfollow,
    Warn,
)
from ezmsg.graphserver.deciding.graph import Graph
from ezmsg.protocol import errors
from ezmsg.protocol.messages.endpoints import (
    ApplyRoutes,
    AwaitReleases,
    Contact,
    DeclareEndpoints,
    DeclarePublisher,
    DeclareSubscriber,
    Joined,
    PausePublishing,
    ResumePublishing,
    RouteChange,
    RoutesApplied,
    Withdraw,
)
from ezmsg.protocol.messages.events import FollowTopology, Gap, Reset, TopologyEvent
from ezmsg.protocol.messages.handshake import Hello
from ezmsg.protocol.messages.processes import RegisterProcess
from ezmsg.protocol.messages.service import (
    AllAnswered,
    ConnectedPeer,
    OwnedEdge,
    PauseAll,
    ResumeAll,
    Shutdown,
    SyncAll,
    TakePeers,
    TakeTopology,
    Topology,
)
from ezmsg.protocol.messages.sessions import (
    ClearSession,
    CloseSession,
    Connect,
    Disconnect,
    Done,
    EdgeChanged,
    OpenSession,
    RegisterMetadata,
    TakeSnapshot,
)
from ezmsg.protocol.model.metadata import (
    CollectionMetadata,
    DynamicSettingsMetadata,
    GraphMetadata,
    InputStreamMetadata,
    InputTopicMetadata,
    UnitMetadata,
)
from ezmsg.protocol.model.process_control import ProcessRegistration
from ezmsg.protocol.model.snapshot import Edge
from ezmsg.protocol.model.topology import TopologyEventType
from ezmsg.protocol.revisions import CURRENT

SESSION, OTHER_SESSION = UUID(int=1), UUID(int=2)
PUBLISHER, SUBSCRIBER = UUID(int=11), UUID(int=21)
CONTACT = Contact(UUID(int=7), None, "127.0.0.1", 1)
NOW = Moment(100.0, 5000.0)
AFTER_RETURN = Moment(NOW.monotonic + Configuration().return_timeout_s, 5003.0)
ONE, TWO, THREE = PeerId(1), PeerId(2), PeerId(3)


@pytest.fixture
def graph() -> Graph:
    """A graph with three clients: on hosts one, two and three, with pids 1, 2 and 3."""
    graph = Graph(UUID(int=99), Configuration(topology_history=5))
    for peer in (ONE, TWO, THREE):
        join(graph, peer)
    return graph


def join(graph: Graph, peer: PeerId, client: int | None = None) -> None:
    host = {1: "one", 2: "two", 3: "three"}.get(peer, "more")
    hello = Hello(CURRENT, "0", b"", UUID(int=100 + (client or peer)), int(peer), host)
    assert graph.peer_joined(peer, hello, NOW) == []


def ask(graph: Graph, peer: PeerId, body: Any, now: Moment = NOW) -> list[Effect]:
    return graph.request_received(peer, 5, body, now)


def answer(graph: Graph, peer: PeerId, body: Any, now: Moment = NOW) -> Any:
    """Return the one answer to a request that is answered at once."""
    (found,) = [effect for effect in ask(graph, peer, body, now) if isinstance(effect, Reply | Fail)]
    return found.body if isinstance(found, Reply) else found.error


def events(graph: Graph) -> list[tuple[TopologyEventType, list[str], str | None, UUID | None]]:
    follow = ask(graph, ONE, FollowTopology(0))[-1]
    assert isinstance(follow, Follow)
    found = []
    while isinstance(item := follow.cursor.take(), TopologyEvent):
        event = item.event
        found.append((event.event_type, event.changed_topics, event.source_session_id, event.source_process_id))
        assert event.timestamp == NOW.wall
    return found


def unit(address: str, stream: str) -> UnitMetadata:
    dynamic = DynamicSettingsMetadata(enabled=False, input_topic=None, settings_type=None)
    streams = {"IN": InputStreamMetadata("IN", stream, "t")}
    return UnitMetadata(address, address, "t", "t", (None, {}), dynamic, None, dict(streams), [], None, [])


# --- routes ---


def test_it_is_not_who_joins_that_is_named_but_who_does_not_answer(graph: Graph) -> None:
    ask(graph, ONE, DeclarePublisher(PUBLISHER, "A/OUT", CONTACT, b"s"))
    ask(graph, ONE, RegisterProcess(UUID(int=31), ProcessRegistration(1, "one", ["B"], ["A"])))
    (call,) = ask(graph, TWO, DeclareSubscriber(SUBSCRIBER, "A/OUT"))
    assert isinstance(call, Call)
    assert call.body.wait_s == 0.8 * Configuration().route_timeout_s
    reply, warning = graph.reply_received(TWO, call.call_id, RoutesApplied([PUBLISHER, UUID(int=12)]), NOW)
    assert reply == Reply(TWO, 5, Joined(["one/1 A/OUT (units A, B)"]))
    assert warning == Warn("unconfirmed", "The subscriber on A/OUT was not confirmed by one/1 A/OUT (units A, B)")


def test_connect_is_confirmed_by_those_concerned(graph: Graph) -> None:
    assert answer(graph, ONE, DeclarePublisher(PUBLISHER, "A", CONTACT, b"s")) == Joined()
    assert answer(graph, TWO, DeclareSubscriber(SUBSCRIBER, "B")) == Joined()
    feed, call = ask(graph, THREE, Connect("A", "B"))
    assert feed == Feed()
    assert isinstance(call, Call)
    assert call.peer == TWO
    assert call.body.version == 1
    assert [source.publisher_id for source in call.body.changes[0].added] == [PUBLISHER]
    assert graph.reply_received(TWO, call.call_id, Done(), NOW) == [Reply(THREE, 5, EdgeChanged(True))]


def test_who_does_not_confirm_is_named_after_a_second(graph: Graph) -> None:
    answer(graph, ONE, DeclarePublisher(PUBLISHER, "A", CONTACT, b"s"))
    answer(graph, TWO, DeclareSubscriber(SUBSCRIBER, "B"))
    ask(graph, THREE, Connect("A", "B"))
    assert graph.next_deadline() == NOW.monotonic + 1.0
    reply, warning, _ = graph.tick(Moment(NOW.monotonic + 1.0, 0.0))
    assert reply == Reply(THREE, 5, EdgeChanged(True, ["two/2 B"]))
    assert isinstance(warning, effects.Warn)
    assert "A -> B" in warning.text


def test_the_second_owner_of_an_edge_changes_no_route(graph: Graph) -> None:
    ask(graph, ONE, OpenSession(SESSION))
    answer(graph, ONE, DeclarePublisher(PUBLISHER, "A", CONTACT, b"s"))
    answer(graph, TWO, DeclareSubscriber(SUBSCRIBER, "B"))
    ask(graph, THREE, Connect("A", "B"))
    assert answer(graph, ONE, Connect("A", "B", SESSION)) == EdgeChanged(topology_changed=False)
    assert answer(graph, THREE, Disconnect("A", "B")) == EdgeChanged(topology_changed=False)
    (call,) = [effect for effect in ask(graph, ONE, Disconnect("A", "B", SESSION)) if isinstance(effect, Call)]
    assert call.body.changes == [RouteChange(SUBSCRIBER, removed=[PUBLISHER])]


def test_two_paths_are_one_route(graph: Graph) -> None:
    answer(graph, ONE, DeclarePublisher(PUBLISHER, "A", CONTACT, b"s"))
    answer(graph, TWO, DeclareSubscriber(SUBSCRIBER, "D"))
    for edge in (("A", "B"), ("B", "D"), ("A", "C"), ("C", "D")):
        ask(graph, THREE, Connect(*edge))
    assert answer(graph, THREE, Disconnect("B", "D")) == EdgeChanged(topology_changed=True)
    assert any(isinstance(effect, Call) for effect in ask(graph, THREE, Disconnect("A", "C")))


def test_only_those_whose_routes_changed_are_told(graph: Graph) -> None:
    answer(graph, ONE, DeclarePublisher(PUBLISHER, "A", CONTACT, b"s"))
    answer(graph, TWO, DeclareSubscriber(SUBSCRIBER, "B"))
    answer(graph, THREE, DeclareSubscriber(UUID(int=22), "X"))
    called = [effect.peer for effect in ask(graph, ONE, Connect("A", "B")) if isinstance(effect, Call)]
    assert called == [TWO]


def test_a_subscriber_learns_its_sources_before_it_has_joined(graph: Graph) -> None:
    answer(graph, ONE, DeclarePublisher(PUBLISHER, "A", CONTACT, b"s", force_tcp=True, allow_local=False))
    (call,) = ask(graph, TWO, DeclareSubscriber(SUBSCRIBER, "A"))
    assert isinstance(call, Call)
    (source,) = call.body.changes[0].added
    assert (source.topic, source.contact, source.force_tcp, source.allow_local) == ("A", CONTACT, True, False)
    assert graph.reply_received(TWO, call.call_id, Done(), NOW) == [Reply(TWO, 5, Joined())]


def test_an_id_in_use_is_refused_to_others_only(graph: Graph) -> None:
    publisher, subscriber = DeclarePublisher(PUBLISHER, "A", CONTACT, b"s"), DeclareSubscriber(SUBSCRIBER, "B")
    for body in (publisher, subscriber):
        assert answer(graph, ONE, body) == Joined()
        assert answer(graph, ONE, body) == Joined()
        assert isinstance(answer(graph, TWO, body), errors.DuplicateIdentity)
    swapped = DeclareSubscriber(PUBLISHER, "A")
    assert isinstance(answer(graph, ONE, swapped), errors.DuplicateIdentity)


ONE_MORE = UUID(int=23)


def test_several_join_together_and_their_client_is_asked_once(graph: Graph) -> None:
    together = DeclareEndpoints(
        [DeclarePublisher(PUBLISHER, "A", CONTACT, b"s"), DeclarePublisher(UUID(int=12), "B", CONTACT, b"s")],
        [
            DeclareSubscriber(each, topic)
            for each, topic in zip((SUBSCRIBER, UUID(int=22), ONE_MORE), "ABC", strict=True)
        ],
    )
    (call,) = ask(graph, ONE, together)
    assert isinstance(call, Call)
    heard = {change.subscriber_id: [each.publisher_id for each in change.added] for change in call.body.changes}
    assert heard == {SUBSCRIBER: [PUBLISHER], UUID(int=22): [UUID(int=12)]}
    assert graph.reply_received(ONE, call.call_id, Done(), NOW) == [Reply(ONE, 5, Joined())]


@pytest.mark.parametrize(
    ("publishers", "subscribers", "refusal"),
    [
        ([(UUID(int=12), "A"), (PUBLISHER, "A")], [], errors.DuplicateIdentity),
        ([(UUID(int=12), "A")], [(PUBLISHER, "A")], errors.DuplicateIdentity),
        ([(UUID(int=12), "A")], [(UUID(int=12), "A")], errors.DuplicateIdentity),
        ([(UUID(int=12), "A")], [(SUBSCRIBER, "")], errors.InvalidTopic),
        ([(UUID(int=12), ""), (UUID(int=13), "A")], [], errors.InvalidTopic),
    ],
)
def test_if_one_is_refused_none_joins(
    graph: Graph,
    publishers: list[tuple[UUID, str]],
    subscribers: list[tuple[UUID, str]],
    refusal: type[errors.EzmsgError],
) -> None:
    assert answer(graph, TWO, DeclarePublisher(PUBLISHER, "A", CONTACT, b"s")) == Joined()
    declared = [DeclarePublisher(identity, topic, CONTACT, b"s") for identity, topic in publishers]
    declared_too = [DeclareSubscriber(identity, topic) for identity, topic in subscribers]
    assert isinstance(answer(graph, ONE, DeclareEndpoints(declared, declared_too)), refusal)
    assert [*graph.state.endpoints.publishers] == [PUBLISHER]
    assert not graph.state.endpoints.subscribers


def test_a_client_that_reconnected_takes_its_own_along(graph: Graph) -> None:
    ask(graph, ONE, OpenSession(SESSION))
    ask(graph, ONE, Connect("A", "B", SESSION))
    ask(graph, ONE, DeclarePublisher(PUBLISHER, "A", CONTACT, b"s"))
    ask(graph, ONE, RegisterProcess(UUID(int=31), ProcessRegistration(1, "one", ["U"])))
    ask(graph, TWO, DeclareSubscriber(SUBSCRIBER, "B"))
    again = PeerId(4)  # the server has not noticed yet that the first connection is dead
    join(graph, again, client=1)
    assert isinstance(answer(graph, again, OpenSession(SESSION)), errors.DuplicateIdentity)
    assert answer(graph, again, OpenSession(SESSION, incarnation=1)) == Done()
    assert answer(graph, again, Connect("A", "B", SESSION)) == EdgeChanged(topology_changed=False)
    assert answer(graph, again, DeclarePublisher(PUBLISHER, "A", CONTACT, b"s")) == Joined()
    assert answer(graph, again, RegisterProcess(UUID(int=31), ProcessRegistration(1, "one", ["U"]))) == Done()
    assert graph.peer_left(ONE, NOW) == [], "no route is torn down"
    graph.state.validate()
    assert isinstance(answer(graph, ONE, CloseSession(SESSION)), errors.UnknownSession)
    left = graph.peer_left(again, NOW)
    assert not any(isinstance(effect, Call) for effect in left), "it may come back"
    assert any(isinstance(effect, Call) for effect in graph.tick(AFTER_RETURN))


def test_whoever_leaves_takes_everything_along(graph: Graph) -> None:
    ask(graph, ONE, OpenSession(SESSION))
    ask(graph, ONE, Connect("A", "B", SESSION))
    ask(graph, ONE, Connect("P", "Q"))
    ask(graph, ONE, RegisterMetadata(SESSION, GraphMetadata(1, None, {"U": unit("U", "U/IN")})))
    ask(graph, ONE, DeclarePublisher(PUBLISHER, "A", CONTACT, b"s"))
    ask(graph, ONE, RegisterProcess(UUID(int=31), ProcessRegistration(1, "one", ["U"])))
    ask(graph, TWO, DeclareSubscriber(SUBSCRIBER, "B"))
    ask(graph, THREE, Connect("B", "C"))
    left = graph.peer_left(ONE, NOW)
    assert all(isinstance(effect, Feed) for effect in left), "the route stays for a while"
    snapshot = graph.state.snapshot()
    assert snapshot.edge_owners == {Edge("B", "C"): ["persistent"], Edge("P", "Q"): ["persistent"]}
    assert snapshot.sessions == {}
    assert snapshot.processes == {}
    assert graph.peer_left(ONE, NOW) == []
    (call,) = [effect for effect in graph.tick(AFTER_RETURN) if isinstance(effect, Call)]
    assert call.body.changes == [RouteChange(SUBSCRIBER, removed=[PUBLISHER], away=[PUBLISHER])]


@pytest.mark.parametrize("secret", [b"s", b"another"])
def test_a_publisher_that_returns_is_heard_all_the_time(graph: Graph, secret: bytes) -> None:
    """Its line to the server broke off and is back: who hears it lets go of it only if it is not what it was."""
    ask(graph, TWO, DeclareSubscriber(SUBSCRIBER, "A"))
    (call,) = ask(graph, ONE, DeclarePublisher(PUBLISHER, "A", CONTACT, b"s"))
    assert isinstance(call, Call)
    graph.reply_received(TWO, call.call_id, Done(), NOW)
    assert graph.peer_left(ONE, NOW) == []
    again = PeerId(4)
    join(graph, again, client=1)
    (call,) = ask(graph, again, DeclarePublisher(PUBLISHER, "A", CONTACT, secret))
    assert isinstance(call, Call)
    (change,) = call.body.changes
    assert [source.publisher_id for source in change.added] == [PUBLISHER]
    assert change.removed == ([] if secret == b"s" else [PUBLISHER])
    graph.reply_received(TWO, call.call_id, Done(), NOW)
    assert graph.tick(AFTER_RETURN) == []
    (call, _) = ask(graph, again, Withdraw(PUBLISHER))
    assert isinstance(call, Call)
    assert call.body.changes == [RouteChange(SUBSCRIBER, removed=[PUBLISHER])]


def test_the_same_metadata_is_no_change_with_a_nan_in_it(graph: Graph) -> None:
    ask(graph, ONE, OpenSession(SESSION))
    for told in (math.nan, float("nan"), 1.0, math.nan):
        ask(graph, ONE, RegisterMetadata(SESSION, program({"U": told})))
    assert len(events(graph)) == 3
    assert graph.state.settings.log.last_seq == 3


def test_a_description_with_a_nan_in_it_is_no_change_of_its_neighbours(graph: Graph) -> None:
    ask(graph, ONE, OpenSession(SESSION))
    for told in (1.0, 2.0):
        ask(graph, ONE, RegisterMetadata(SESSION, program({"U": told, "V": float("nan")})))
    assert graph.state.settings.log.last_seq == 3, "one for V"


@pytest.mark.parametrize("epoch", [None, UUID(int=99)])
def test_a_number_that_is_yet_to_come_is_one_of_another_run(graph: Graph, epoch: UUID | None) -> None:
    ask(graph, ONE, Connect("A", "B"))
    follow = ask(graph, ONE, FollowTopology(2, epoch))[-1]
    assert isinstance(follow, Follow)
    assert follow.cursor.take() == Reset(UUID(int=99), 1)
    assert follow.cursor.take() is None
    ask(graph, ONE, Connect("B", "C"))
    assert isinstance(follow.cursor.take(), TopologyEvent)


# --- refusals ---


@pytest.mark.parametrize("topic", ["", "x" * 1025, "a\nb", "a\x00", "a\x7f", "\ud800"])
def test_topics_nobody_could_read_are_refused(graph: Graph, topic: str) -> None:
    for body in (
        Connect(topic, "B"),
        Connect("B", topic),
        Disconnect("B", topic),
        DeclarePublisher(PUBLISHER, topic, CONTACT, b""),
        DeclareSubscriber(SUBSCRIBER, topic),
    ):
        assert isinstance(answer(graph, ONE, body), errors.InvalidTopic)
    assert graph.state.snapshot().graph == {}


@pytest.mark.parametrize("topic", ["x" * 1024, "a b", "Ω/é", "a\u00a0b", "SYS/UNIT/OUT"])
def test_other_topics_are_not(graph: Graph, topic: str) -> None:
    assert answer(graph, ONE, Connect(topic, "B")) == EdgeChanged(topology_changed=True)


def test_a_cycle_is_refused_with_its_path(graph: Graph) -> None:
    ask(graph, ONE, Connect("A", "B"))
    ask(graph, ONE, Connect("B", "C"))
    error = answer(graph, ONE, Connect("C", "A"))
    assert isinstance(error, errors.CyclicException)
    assert error.path == ["A", "B", "C"]


@pytest.mark.parametrize(
    "body",
    [CloseSession(SESSION), ClearSession(SESSION), Connect("A", "B", SESSION), Disconnect("A", "B", SESSION)],
)
def test_a_session_belongs_to_its_connection(graph: Graph, body: Any) -> None:
    assert isinstance(answer(graph, ONE, body), errors.UnknownSession)
    ask(graph, ONE, OpenSession(SESSION))
    assert isinstance(answer(graph, TWO, body), errors.UnknownSession)
    assert isinstance(answer(graph, TWO, OpenSession(SESSION)), errors.DuplicateIdentity)


def test_what_is_no_request_to_a_server_fails_alone(graph: Graph) -> None:
    for body in (Done(), PausePublishing(), ApplyRoutes(1, [])):
        assert isinstance(answer(graph, ONE, body), errors.ProtocolViolation)


def test_every_collision_is_named(graph: Graph) -> None:
    ask(graph, ONE, OpenSession(SESSION))
    ask(graph, TWO, OpenSession(OTHER_SESSION))
    mine = GraphMetadata(1, None, {name: unit(name, f"{name}/IN") for name in "ABC"})
    theirs = GraphMetadata(1, None, {name: unit(name, f"{name}/IN") for name in "BCD"})
    assert answer(graph, ONE, RegisterMetadata(SESSION, mine)) == Done()
    error = answer(graph, TWO, RegisterMetadata(OTHER_SESSION, theirs))
    assert isinstance(error, errors.ComponentCollision)
    assert (error.addresses, error.sessions) == (["B", "C"], [str(SESSION)])
    assert graph.state.snapshot().sessions[str(OTHER_SESSION)].metadata is None


# --- events ---


def test_events_say_what_changed_and_who_did_it(graph: Graph) -> None:
    ask(graph, ONE, OpenSession(SESSION))
    dynamic = DynamicSettingsMetadata(enabled=False, input_topic=None, settings_type=None)
    collection = CollectionMetadata(
        "S", "S", "t", "t", (None, {}), dynamic, None, {"I": InputTopicMetadata("I", "S/I", "t")}, {}, ["S/U"]
    )
    metadata = GraphMetadata(1, "S", {"S": collection, "S/U": unit("S/U", "S/U/IN")})
    ask(graph, ONE, Connect("A", "B", SESSION))
    ask(graph, ONE, Connect("A", "B", SESSION))  # nothing new
    ask(graph, ONE, RegisterMetadata(SESSION, metadata))
    ask(graph, ONE, RegisterMetadata(SESSION, metadata))  # nothing new
    ask(graph, ONE, RegisterProcess(UUID(int=31), ProcessRegistration(1, "one", ["S/U"])))
    ask(graph, ONE, ClearSession(SESSION))
    ask(graph, ONE, CloseSession(SESSION))  # held nothing any more
    described = ["S", "S/I", "S/U", "S/U/IN"]
    graph_changed, process_changed = TopologyEventType.GRAPH_CHANGED, TopologyEventType.PROCESS_CHANGED
    assert events(graph) == [
        (graph_changed, ["B"], str(SESSION), None),
        (graph_changed, described, str(SESSION), None),
        (process_changed, [], None, UUID(int=31)),
        (graph_changed, sorted(["B", *described]), str(SESSION), None),
    ]


def test_a_follower_gets_its_reply_before_its_cursor(graph: Graph) -> None:
    for number in range(8):
        ask(graph, ONE, Connect(f"A{number}", "B"))
    reply, follow = ask(graph, TWO, FollowTopology(1))
    assert reply == Reply(TWO, 5, Done())
    assert isinstance(follow, Follow)
    assert follow.cursor.take() == Gap(2, 3)
    assert graph.request_cancelled(TWO, 5) == [Unfollow(TWO, 5)]


# --- snapshots and the service ---


def test_snapshots_are_sorted_and_name_their_place_in_the_events(graph: Graph) -> None:
    ask(graph, ONE, OpenSession(OTHER_SESSION))
    ask(graph, ONE, OpenSession(SESSION))
    for edge in (("B", "A"), ("A", "Z"), ("A", "C")):
        ask(graph, ONE, Connect(*edge, SESSION))
    ask(graph, TWO, Connect("A", "C"))
    snapshot = answer(graph, TWO, TakeSnapshot()).snapshot
    assert list(snapshot.graph.items()) == [("A", ["C", "Z"]), ("B", ["A"]), ("C", []), ("Z", [])]
    assert list(snapshot.edge_owners) == [Edge("A", "C"), Edge("A", "Z"), Edge("B", "A")]
    assert snapshot.edge_owners[Edge("A", "C")] == [str(SESSION), "persistent"]
    assert list(snapshot.sessions) == [str(SESSION), str(OTHER_SESSION)]
    assert snapshot.sessions[str(SESSION)].edges == sorted(snapshot.edge_owners)
    assert (snapshot.epoch, snapshot.topology_seq, snapshot.settings_seq) == (UUID(int=99), 4, 0)


def test_the_topology_names_the_persistent_owner_none(graph: Graph) -> None:
    ask(graph, ONE, OpenSession(SESSION))
    ask(graph, ONE, Connect("A", "B", SESSION))
    ask(graph, ONE, Connect("A", "B"))
    assert answer(graph, TWO, TakeTopology()) == Topology([OwnedEdge("A", "B", [None, str(SESSION)])])


@pytest.mark.parametrize(
    ("request_body", "question"),
    [(PauseAll(), PausePublishing()), (ResumeAll(), ResumePublishing()), (SyncAll(2.0), AwaitReleases())],
)
def test_every_publishing_client_is_asked_once(graph: Graph, request_body: Any, question: Any) -> None:
    assert answer(graph, THREE, request_body) == AllAnswered()
    for number, peer in ((11, ONE), (12, ONE), (13, TWO)):
        ask(graph, peer, DeclarePublisher(UUID(int=number), "A", CONTACT, b"s"))
    first, second = ask(graph, THREE, request_body)
    assert isinstance(first, Call)
    assert isinstance(second, Call)
    assert [(first.peer, first.body), (second.peer, second.body)] == [(ONE, question), (TWO, question)]
    assert graph.reply_received(ONE, first.call_id, Done(), NOW) == []
    deadline = graph.next_deadline()
    assert deadline is not None
    assert graph.tick(Moment(deadline, 0.0))[0] == Reply(THREE, 5, AllAnswered(["two/2"]))


def test_a_sync_without_a_time_limit_waits(graph: Graph) -> None:
    ask(graph, ONE, DeclarePublisher(PUBLISHER, "A", CONTACT, b"s"))
    (call,) = ask(graph, THREE, SyncAll())
    assert isinstance(call, Call)
    assert graph.next_deadline() is None
    assert graph.peer_left(ONE, NOW)[0] == Reply(THREE, 5, AllAnswered())


def test_shutdown_replies_first(graph: Graph) -> None:
    assert ask(graph, ONE, Shutdown()) == [Reply(ONE, 5, Done()), StopServer()]


def test_who_is_connected_is_told_as_it_introduced_itself(graph: Graph) -> None:
    peers = answer(graph, TWO, TakePeers()).peers
    assert peers == [
        ConnectedPeer(UUID(int=100 + pid), "0", CURRENT, pid, host)
        for pid, host in ((1, "one"), (2, "two"), (3, "three"))
    ]
