"""Who is there, as the pure graph decides it: leases, what they change, and which connection of a client counts."""

from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from ezmsg.graphserver.deciding.configuration import Configuration
from ezmsg.graphserver.deciding.effects import Call, Cut, Effect, Fail, Moment, PeerId, Reply, Uncall, Warn
from ezmsg.graphserver.deciding.graph import Graph
from ezmsg.protocol.errors import ConnectionLost, LeaseExpired, SettingsUnavailable
from ezmsg.protocol.messages.handshake import Hello
from ezmsg.protocol.messages.presence import Beat
from ezmsg.protocol.messages.processes import RegisterProcess
from ezmsg.protocol.messages.requests import RouteRequest
from ezmsg.protocol.messages.sessions import Connect, OpenSession
from ezmsg.protocol.messages.settings import SettingApplied, UpdateSetting
from ezmsg.protocol.model.process_control import ProcessControlErrorCode, ProcessRegistration
from ezmsg.protocol.model.settings import SettingsSnapshotValue
from ezmsg.protocol.model.snapshot import ProcessState
from ezmsg.protocol.revisions import CURRENT

ASKER, WORKER = PeerId(1), PeerId(2)
PROCESS, SESSION = UUID(int=7), UUID(int=8)
EPOCH = UUID(int=99)


def moment(seconds: float) -> Moment:
    return Moment(seconds, 1e9 + seconds)


def hello(client: int, incarnation: int = 0) -> Hello:
    return Hello(CURRENT, "0", bytes(32), UUID(int=client), client, "lab", incarnation=incarnation)


class World:
    """A graph with somebody who asks, and a process that has a unit; both have spoken at 0 s."""

    def __init__(self) -> None:
        self.graph = Graph(EPOCH, Configuration())
        for peer in (ASKER, WORKER):
            self.graph.peer_joined(peer, hello(peer, 1), moment(0))
        registration = ProcessRegistration(2, "lab", ["A"])
        self.graph.request_received(WORKER, 1, RegisterProcess(PROCESS, registration), moment(0))
        self.seen = self.graph.state.topology.last_seq
        self.requests = 10

    def beat(self, seconds: float, blocked_s: float = 0.0) -> None:
        self.graph.peer_beaten(WORKER, Beat(blocked_s), seconds)

    def look(self, seconds: float, gone: tuple[PeerId, ...] = (), heard: tuple[PeerId, ...] = ()) -> list[Effect]:
        return self.graph.looked(heard, gone, seconds, moment(seconds))

    def ask(self, seconds: float) -> list[Effect]:
        self.requests += 1
        return self.graph.request_received(ASKER, self.requests, RouteRequest("A", "PING", 60.0), moment(seconds))

    def change(self, seconds: float) -> list[Effect]:
        self.requests += 1
        body = UpdateSetting("A", "gain", 3, 60.0)
        return self.graph.request_received(ASKER, self.requests, body, moment(seconds))

    def told(self) -> list[ProcessState | None]:
        """The states that events have told since the last call."""
        log, before = self.graph.state.topology, self.seen
        self.seen = log.last_seq
        return [log[seq].event.process_state for seq in range(before + 1, log.last_seq + 1)]

    @property
    def state(self) -> ProcessState:
        return self.graph.state.snapshot().processes[PROCESS].state


def code_of(effect: Effect) -> object:
    assert isinstance(effect, Reply)
    return effect.body.response.error_code


def test_a_request_ends_when_its_process_is_silent_for_the_lease_and_the_next_is_not_sent() -> None:
    world = World()
    world.beat(1.0)
    (call,) = world.ask(1.5)
    assert isinstance(call, Call)
    assert world.look(3.5) == []
    (_, reply, uncall, warning) = world.look(3.75)
    assert isinstance(warning, Warn)
    assert "lab/2 of A gives no sign of life" in warning.text
    assert code_of(reply) is ProcessControlErrorCode.PROCESS_UNRESPONSIVE
    assert uncall == Uncall(WORKER, call.call_id)
    assert world.told() == [ProcessState.UNRESPONSIVE]
    assert world.state is ProcessState.UNRESPONSIVE
    (refusal,) = world.ask(4.0)
    assert code_of(refusal) is ProcessControlErrorCode.PROCESS_UNRESPONSIVE
    assert world.look(5.0, heard=(WORKER,))
    assert world.told() == [ProcessState.ALIVE]
    (call,) = world.ask(5.0)
    assert isinstance(call, Call)
    world.graph.state.validate()


def test_a_change_of_settings_ends_likewise_and_what_comes_of_it_is_recorded_all_the_same() -> None:
    world = World()
    world.beat(1.0)
    effects = world.change(1.5)
    (call,) = effects
    assert isinstance(call, Call)
    assert world.change(1.6) == []  # it waits for its turn
    failures = [effect for effect in world.look(3.75) if isinstance(effect, Fail)]
    assert [failure.request_id for failure in failures] == [11, 12]
    for failure in failures:
        assert isinstance(failure.error, SettingsUnavailable)
        assert "may still" in str(failure.error)
    world.look(4.0, heard=(WORKER,))
    value = SettingsSnapshotValue(None, {"gain": 3}, {"gain": 3})
    world.graph.reply_received(WORKER, call.call_id, SettingApplied(value), moment(4.0))
    assert world.graph.state.settings.revision("A") == 0
    world.look(7.0)
    (refusal,) = world.change(7.0)
    assert isinstance(refusal, Fail)
    assert "was not asked" in str(refusal.error)
    world.graph.state.validate()


def test_a_process_whose_units_do_not_move_is_stalled_and_asked_all_the_same() -> None:
    world = World()
    world.beat(1.0, blocked_s=2.9)
    assert world.look(1.0) == []
    world.beat(2.0, blocked_s=3.9)
    assert world.look(2.0)
    assert world.told() == [ProcessState.STALLED]
    (call,) = world.ask(2.0)
    assert isinstance(call, Call)


def test_a_process_that_is_lost_with_its_host_is_dead_and_shown_for_a_while() -> None:
    world = World()
    world.beat(1.0)
    *_, cut = world.look(3.9, gone=(WORKER,))
    assert isinstance(cut, Cut)
    assert isinstance(cut.error, LeaseExpired)
    assert cut.error.peer == "lab/2"
    assert world.told() == [ProcessState.DEAD]
    world.graph.peer_left(WORKER, moment(3.9), lost=True)
    snapshot = world.graph.state.snapshot()
    assert snapshot.processes == {}
    assert snapshot.dead[PROCESS].units == ["A"]
    assert world.told() == [None]  # it is gone, and told to be dead once
    world.look(3.9 + 61.0)
    assert world.graph.state.snapshot().dead == {}


def test_a_host_that_the_operating_system_gave_up_is_dead_too_and_who_just_leaves_is_not() -> None:
    for lost in (True, False):
        world = World()
        world.graph.peer_left(WORKER, moment(1.0), lost=lost)
        assert world.told() == ([ProcessState.DEAD, None] if lost else [None])
        assert set(world.graph.state.snapshot().dead) == ({PROCESS} if lost else set())


def test_who_never_beats_is_not_judged() -> None:
    world = World()
    assert world.look(1000.0) == []
    assert world.state is ProcessState.ALIVE
    assert world.graph.quiet(1000.0) == []


@given(st.lists(st.tuples(st.sampled_from(["beat", "stall", "hear", "look"]), st.floats(0.0, 4.0)), max_size=40))
def test_each_change_is_told_once_and_no_other(steps: list[tuple[str, float]]) -> None:
    world, now_s = World(), 0.0
    told = ProcessState.ALIVE
    for kind, seconds in steps:
        now_s += seconds
        if kind in ("beat", "stall"):
            world.beat(now_s, 5.0 if kind == "stall" else 0.0)
        world.look(now_s, heard=(WORKER,) if kind == "hear" else ())
        for state in world.told():
            assert state is not told
            assert state is not None
            told = state
        assert world.state is told
    world.graph.state.validate()


# --- one client, several connections ----------------------------------------------------------------------------


def connections(*incarnations: int) -> tuple[Graph, list[list[Effect]]]:
    graph = Graph(EPOCH, Configuration())
    effects = [
        graph.peer_joined(PeerId(number), hello(5, incarnation), moment(0))
        for number, incarnation in enumerate(incarnations, 1)
    ]
    return graph, effects


def test_the_newer_connection_of_a_client_ends_the_older_one_and_what_it_had_stays_for_a_while() -> None:
    graph, _ = connections(1)
    old, new = PeerId(1), PeerId(2)
    graph.request_received(old, 1, OpenSession(SESSION, 1), moment(0))
    graph.request_received(old, 2, Connect("A", "B", SESSION), moment(0))
    (cut,) = graph.peer_joined(new, hello(5, 2), moment(1))
    assert isinstance(cut, Cut)
    assert cut.peer == old
    assert isinstance(cut.error, ConnectionLost)
    assert graph.peer_left(old, moment(1)) == []
    assert graph.state.snapshot().graph == {"A": ["B"], "B": []}
    graph.request_received(new, 1, OpenSession(SESSION, 2), moment(1))
    deadline = graph.next_deadline()
    assert deadline == 1 + Configuration().return_timeout_s
    graph.tick(moment(deadline))
    assert graph.state.snapshot().graph == {"A": ["B"], "B": []}
    assert set(graph.state.peers) == {new}
    graph.state.validate()


def test_what_the_newer_connection_does_not_say_again_is_gone_in_time() -> None:
    graph, _ = connections(1)
    graph.request_received(PeerId(1), 1, OpenSession(SESSION, 1), moment(0))
    graph.request_received(PeerId(1), 2, Connect("A", "B", SESSION), moment(0))
    graph.peer_joined(PeerId(2), hello(5, 2), moment(1))
    graph.peer_left(PeerId(1), moment(1))
    graph.tick(moment(10))
    assert graph.state.snapshot().graph == {}
    graph.state.validate()


def test_an_older_connection_that_comes_late_is_not_heard() -> None:
    graph, (first, late) = connections(2, 1)
    assert first == []
    (cut,) = late
    assert isinstance(cut, Cut)
    assert cut.peer == PeerId(2)
    graph.peer_left(PeerId(2), moment(1))
    graph.tick(moment(10))
    assert set(graph.state.peers) == {PeerId(1)}


def test_clients_that_do_not_count_their_connections_may_have_several() -> None:
    graph, effects = connections(0, 0)
    assert effects == [[], []]
    assert set(graph.state.peers) == {PeerId(1), PeerId(2)}
