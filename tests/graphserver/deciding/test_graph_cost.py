"""What an operation costs does not depend on how large the rest of the graph is (rule 6)."""

from typing import Any
from uuid import UUID

import pytest
from tests.graphserver.deciding.descriptions import program, reported
from tests.graphserver.deciding.watched import FirstOnly, Watch, watch_state

from ezmsg.graphserver.deciding.effects import Call, Moment, PeerId, Reply, Warn
from ezmsg.graphserver.deciding.graph import Graph
from ezmsg.protocol.messages.endpoints import (
    Contact,
    DeclarePublisher,
    DeclareSubscriber,
    Joined,
    RouteChange,
    RoutesApplied,
    Withdraw,
)
from ezmsg.protocol.messages.handshake import Hello
from ezmsg.protocol.messages.processes import RegisterProcess, UpdateOwnership
from ezmsg.protocol.messages.requests import RouteRequest
from ezmsg.protocol.messages.sessions import (
    ClearSession,
    CloseSession,
    Connect,
    Disconnect,
    OpenSession,
    RegisterMetadata,
    TakeSnapshot,
)
from ezmsg.protocol.messages.settings import ReportSettings, UpdateSetting
from ezmsg.protocol.model.process_control import ProcessOwnershipUpdate, ProcessRegistration, ProcessSettingsUpdate
from ezmsg.protocol.revisions import CURRENT

ISLANDS = 200
NOW = Moment(0.0, 0.0)
CONTACT = Contact(UUID(int=7), None, "127.0.0.1", 1)
HERE = PeerId(1)


def identity(island: int, role: int) -> UUID:
    return UUID(int=10 * island + role)


def session_of(island: int) -> UUID:
    return identity(island, 1)


def publisher_of(island: int) -> UUID:
    return identity(island, 2)


def process_of(island: int) -> UUID:
    return identity(island, 4)


def settle(graph: Graph, island: int) -> None:
    """Let a client build an island: A -> B -> C, a publisher on A, a subscriber on C, a session and a process."""
    peer, topic = PeerId(island), f"{island}/"
    graph.peer_joined(peer, Hello(CURRENT, "0", b"", identity(island, 0)), NOW)
    for body in (
        OpenSession(session_of(island)),
        Connect(f"{topic}A", f"{topic}B", session_of(island)),
        Connect(f"{topic}B", f"{topic}C", session_of(island)),
        RegisterMetadata(session_of(island), program({f"{island}": 1.0})),
        DeclarePublisher(publisher_of(island), f"{topic}A", CONTACT, b"s"),
        DeclareSubscriber(identity(island, 3), f"{topic}C"),
        RegisterProcess(process_of(island), ProcessRegistration(1, "host", [f"{island}"])),
    ):
        graph.request_received(peer, 1, body, NOW)


@pytest.fixture
def graph() -> Graph:
    """A graph of many islands, each a client's own."""
    graph = Graph(UUID(int=99))
    for island in range(1, ISLANDS + 1):
        settle(graph, island)
    return graph


@pytest.fixture
def watch(graph: Graph) -> Watch:
    return watch_state(graph.state)


@pytest.mark.parametrize(
    "body",
    [
        OpenSession(UUID(int=9)),
        OpenSession(session_of(1), incarnation=1),
        CloseSession(session_of(1)),
        ClearSession(session_of(1)),
        RegisterMetadata(session_of(1), program({"other": 1.0})),
        RegisterMetadata(session_of(1), program({"2": 1.0})),
        Connect("1/A", "1/B"),
        Connect("1/A", "1/C"),
        Connect("1/C", "1/A"),
        Connect("1/0", "1/A"),
        Connect("1/C", "1/D"),
        Disconnect("1/A", "1/B", session_of(1)),
        Disconnect("1/C", "1/A", session_of(1)),
        DeclarePublisher(publisher_of(1), "1/B", CONTACT, b"s"),
        DeclareSubscriber(UUID(int=9), "1/B"),
        Withdraw(publisher_of(1)),
        RegisterProcess(UUID(int=9), ProcessRegistration(1, "host", ["other"])),
        RegisterProcess(UUID(int=9), ProcessRegistration(1, "host", ["1", "2"])),
        UpdateOwnership(process_of(1), ProcessOwnershipUpdate(["other"], ["1"])),
        ReportSettings(process_of(1), ProcessSettingsUpdate("1", reported(2.0), 0.0)),
        RouteRequest("2", "PING", 1.0),
        UpdateSetting("2", "gain", 2.0, 1.0),
    ],
    ids=lambda body: type(body).__name__,
)
def test_a_request_looks_at_its_own_island_only(graph: Graph, watch: Watch, body: Any) -> None:
    with watch.on() as visited:
        assert graph.request_received(HERE, 5, body, NOW) != []
    assert visited <= {"1/0", "1/A", "1/B", "1/C", "1/D"}


def test_so_does_the_end_of_a_client(graph: Graph, watch: Watch) -> None:
    with watch.on() as visited:
        graph.peer_left(HERE, NOW)
    assert visited == {"1/A", "1/B", "1/C"}
    assert len(graph.state.snapshot().sessions) == ISLANDS - 1


def test_an_edge_that_leads_to_nobody_is_not_searched_from(graph: Graph, watch: Watch) -> None:
    with watch.on() as visited:
        graph.request_received(HERE, 5, Connect("1/C", "1/D"), NOW)
    assert visited == {"1/C", "1/D"}


def test_so_does_the_end_of_a_client_for_which_something_is_traced(graph: Graph, watch: Watch) -> None:
    graph.request_received(HERE, 5, RouteRequest("2", "SET_PROFILING_TRACE", 1.0), NOW)
    with watch.on():
        effects = graph.peer_left(HERE, NOW)
    assert [effect.peer for effect in effects if isinstance(effect, Call)] == [PeerId(2)]


def test_so_does_the_end_of_the_time_in_which_a_client_may_come_back(graph: Graph, watch: Watch) -> None:
    graph.request_received(PeerId(2), 5, DeclareSubscriber(UUID(int=9), "1/A"), NOW)
    graph.peer_left(HERE, NOW)
    deadline = graph.state.returning.next_deadline()
    assert deadline is not None
    with watch.on():
        (call,) = [effect for effect in graph.tick(Moment(deadline, 0.0)) if isinstance(effect, Call)]
    assert call.body.changes == [RouteChange(UUID(int=9), removed=[publisher_of(1)], away=[publisher_of(1)])]


def test_who_is_not_heard_is_named_without_a_look_at_all_processes(graph: Graph, watch: Watch) -> None:
    (call,) = graph.request_received(PeerId(2), 5, DeclareSubscriber(UUID(int=9), "1/A"), NOW)
    assert isinstance(call, Call)
    with watch.on():
        effects = graph.reply_received(PeerId(2), call.call_id, RoutesApplied([publisher_of(1)]), NOW)
    assert effects[0] == Reply(PeerId(2), 5, Joined([f"{identity(1, 0)} 1/A (units 1)"]))
    assert isinstance(effects[1], Warn)


def test_while_everybody_comes_back_a_deadline_costs_as_much_as_for_one(graph: Graph, watch: Watch) -> None:
    for island in range(1, ISLANDS + 1):
        now = Moment(NOW.monotonic + island, 0.0)
        hello = Hello(CURRENT, "0", b"", identity(island, 0), incarnation=1)
        graph.peer_joined(PeerId(ISLANDS + island), hello, now)
        hears = [publisher_of(island)]
        graph.state.returning.claim(identity(island, 3), hears, now.monotonic)
        graph.state.returning.hold(DeclarePublisher(hears[0], "T", CONTACT, b"s"), [], now.monotonic)
    graph._fenced = FirstOnly(watch, graph._fenced)
    returning = graph.state.returning
    returning._claims = FirstOnly(watch, returning._claims)
    returning._away = FirstOnly(watch, returning._away)
    with watch.on():
        for island in range(1, ISLANDS + 1):
            assert graph.next_deadline() == NOW.monotonic + island
            graph.tick(Moment(NOW.monotonic + island, 0.0))
    assert len(graph._fenced) == 3, "those of the last three seconds"


def test_the_watch_would_notice(graph: Graph, watch: Watch) -> None:
    with watch.on(), pytest.raises(AssertionError, match="went through all"):
        graph.request_received(HERE, 5, TakeSnapshot(), NOW)
