"""Settings that operators made: they stand, and are made again in the process in which their unit comes back."""

from typing import Any
from uuid import UUID

import pytest

from ezmsg.graphserver.deciding import effects
from ezmsg.graphserver.deciding.configuration import Configuration
from ezmsg.graphserver.deciding.effects import Call, KeepEdge, KeepSettings, Moment, PeerId
from ezmsg.graphserver.deciding.graph import Graph
from ezmsg.graphserver.deciding.standing import PATHS_LIMIT, Standing, StandingSettings
from ezmsg.protocol import errors
from ezmsg.protocol.messages.handshake import Hello
from ezmsg.protocol.messages.processes import RegisterProcess, UpdateOwnership
from ezmsg.protocol.messages.sessions import CloseSession, Connect, Disconnect, OpenSession, RegisterMetadata
from ezmsg.protocol.messages.settings import ApplySetting, SettingApplied, UpdateSetting
from ezmsg.protocol.model.metadata import DynamicSettingsMetadata, GraphMetadata, UnitMetadata
from ezmsg.protocol.model.process_control import ProcessOwnershipUpdate, ProcessRegistration
from ezmsg.protocol.model.settings import SettingsSnapshotValue
from ezmsg.protocol.model.snapshot import Edge
from ezmsg.protocol.revisions import CURRENT

NOW = Moment(1.0, 1000.0)
P1, P2, SESSION = UUID(int=11), UUID(int=12), UUID(int=7)
PROGRAM, OPERATOR, FIRST, SECOND = PeerId(1), PeerId(2), PeerId(3), PeerId(4)


# --- what stands --------------------------------------------------------------------------------------------------


def made(*changes: tuple[str, Any], initial: dict[str, Any] | None = None) -> dict[str, Any]:
    standing = StandingSettings()
    for path, value in changes:
        standing.made("A", path, value, "me", P1, initial or {})
    return standing.of("A").values


def test_the_last_of_a_field_stands_and_what_was_inside_it_goes() -> None:
    assert made(("a", 1), ("a", 2)) == {"a": 2}
    assert made(("a.b", 1), ("a[0]", 2), ("ab", 3), ("a", {})) == {"ab": 3, "a": {}}
    assert list(made(("a", {}), ("a.b", 1))) == ["a", "a.b"], "first the whole, then its part"
    assert made(("", {"a": 1, "b": 2}), ("b", 3)) == {"a": 1, "b": 3}
    assert made(("", "no mapping")) == {}


def test_what_is_as_it_was_at_first_need_not_stand() -> None:
    assert made(("a", 2), ("b", 3), ("a", 1), initial={"a": 1}) == {"b": 3}
    standing = StandingSettings()
    standing.made("A", "a", 2, "me", P1, {"a": 1})
    standing.made("A", "a", 1, "me", P1, {"a": 1})
    assert standing.missing(["A"], P2) == []


def test_it_is_bounded() -> None:
    values = made(*((f"f{number}", number) for number in range(PATHS_LIMIT + 5)))
    assert len(values) == PATHS_LIMIT
    assert "f0" not in values
    assert f"f{PATHS_LIMIT + 4}" in values


# --- in the graph -------------------------------------------------------------------------------------------------


def unit(address: str) -> UnitMetadata:
    dynamic = DynamicSettingsMetadata(enabled=False, input_topic=None, settings_type=None)
    return UnitMetadata(address, address, "t", "t", (None, {"gain": 1}), dynamic, None, {}, [], None, [])


def running(*, keeps_state: bool = False) -> Graph:
    graph = Graph(UUID(int=9), Configuration(keeps_state=keeps_state))
    for peer in (PROGRAM, OPERATOR, FIRST, SECOND):
        graph.peer_joined(peer, Hello(CURRENT, "0", b"", UUID(int=100 + peer), peer, "lab", "cli"), NOW)
    graph.request_received(PROGRAM, 1, OpenSession(SESSION), NOW)
    graph.request_received(PROGRAM, 2, RegisterMetadata(SESSION, GraphMetadata(1, None, {"A": unit("A")})), NOW)
    return graph


def own(graph: Graph, peer: PeerId, process: UUID) -> list[Any]:
    """Own A as a process of a run does; return what it is asked then."""
    graph.request_received(peer, 1, RegisterProcess(process, ProcessRegistration(1, "lab", [], ["A"])), NOW)
    added = UpdateOwnership(process, ProcessOwnershipUpdate(["A"], []))
    return graph.request_received(peer, 2, added, NOW)


def calls(done: list[Any]) -> list[Call]:
    return [each for each in done if isinstance(each, Call) and isinstance(each.body, ApplySetting)]


def answer(graph: Graph, call: Call, value: Any = None) -> list[Any]:
    applied = SettingApplied(SettingsSnapshotValue(None, "r", {"gain": 5})) if value is None else value
    return graph.reply_received(call.peer, call.call_id, applied, NOW)


def operate(graph: Graph, **fields: Any) -> list[Any]:
    done = graph.request_received(OPERATOR, 3, UpdateSetting("A", "", fields, 5.0), NOW)
    (call,) = calls(done)
    return answer(graph, call)


def test_another_process_makes_them_again_and_the_same_one_is_left_alone() -> None:
    graph = running()
    assert calls(own(graph, FIRST, P1)) == []
    operate(graph, gain=5, label="x")
    again = RegisterProcess(P1, ProcessRegistration(1, "lab", ["A"]))
    assert calls(graph.request_received(FIRST, 4, again, NOW)) == [], "its line came back"
    graph.peer_left(FIRST, NOW)
    (call,) = calls(own(graph, SECOND, P2))
    assert call.body == ApplySetting(P2, "A", "", {"gain": 5, "label": "x"}, 3)
    done = answer(graph, call)
    assert not [each for each in done if isinstance(each, effects.Reply | effects.Fail | effects.Warn)]
    log = graph.state.settings.log
    event = log[log.last_seq].event
    assert (event.changed_by, event.source_process_id) == ("cli@lab", P2)
    assert calls(own(graph, SECOND, P2)) == []
    graph.state.validate()


def test_fields_that_a_new_program_refuses_are_told_and_the_others_made() -> None:
    graph = running()
    own(graph, FIRST, P1)
    operate(graph, gain=5, gone=1)
    graph.peer_left(FIRST, NOW)
    (call,) = calls(own(graph, SECOND, P2))
    refusal = errors.UnknownSession(session="no such field")
    (first,) = calls(answer(graph, call, refusal))
    assert first.body.value == {"gain": 5}
    (second,) = calls(answer(graph, first))
    assert second.body.value == {"gone": 1}
    (warning,) = answer(graph, second, refusal)
    assert isinstance(warning, effects.Warn)
    assert "gone of A, as cli@lab had set it, could not be set again" in warning.text
    graph.state.validate()


def test_a_process_that_goes_meanwhile_leaves_it_to_the_next_one() -> None:
    graph = running()
    own(graph, FIRST, P1)
    operate(graph, gain=5)
    graph.peer_left(FIRST, NOW)
    assert calls(own(graph, SECOND, P2))
    graph.peer_left(SECOND, NOW)
    graph.peer_joined(FIRST, Hello(CURRENT, "0", b"", UUID(int=200), 1, "lab"), NOW)
    (call,) = calls(own(graph, FIRST, UUID(int=13)))
    assert call.body.value == {"gain": 5}
    graph.state.validate()


@pytest.mark.parametrize("keeps_state", [False, True])
def test_without_a_state_file_they_end_with_the_session(keeps_state: bool) -> None:
    graph = running(keeps_state=keeps_state)
    own(graph, FIRST, P1)
    operate(graph, gain=5)
    graph.peer_left(FIRST, NOW)
    graph.request_received(PROGRAM, 3, CloseSession(SESSION), NOW)
    assert bool(calls(own(graph, SECOND, P2))) == keeps_state


def test_what_is_to_survive_is_kept_before_it_is_answered() -> None:
    graph = running(keeps_state=True)
    done = graph.request_received(OPERATOR, 5, Connect("X", "Y"), NOW)
    assert done[0] == KeepEdge(Edge("X", "Y"), True)
    assert not [each for each in graph.request_received(OPERATOR, 5, Connect("X", "Y"), NOW) if _keeps(each)]
    assert not [
        each for each in graph.request_received(PROGRAM, 5, Connect("X", "Z", SESSION), NOW) if _keeps(each)
    ]
    assert graph.request_received(OPERATOR, 6, Disconnect("X", "Y"), NOW)[0] == KeepEdge(Edge("X", "Y"), False)
    own(graph, FIRST, P1)
    done = operate(graph, gain=5)
    kinds = [type(each) for each in done]
    assert kinds.index(KeepSettings) < kinds.index(effects.Reply)
    assert done[kinds.index(KeepSettings)] == KeepSettings("A", Standing({"gain": 5}, "cli@lab", P1))


def _keeps(effect: Any) -> bool:
    return isinstance(effect, KeepEdge | KeepSettings)


def test_what_was_kept_is_there_from_the_start() -> None:
    graph = running()
    graph = Graph(UUID(int=9), Configuration(keeps_state=True))
    edges = [Edge("X", "Y"), Edge("Y", "X"), Edge("Y", "Z")]
    (warning,) = graph.restore(edges, {"A": Standing({"gain": 5}, "cli@lab", P1)})
    assert isinstance(warning, effects.Warn)
    assert "cycle" in warning.text
    assert graph.state.snapshot().graph == {"X": ["Y"], "Y": ["Z"], "Z": []}
    graph.peer_joined(FIRST, Hello(CURRENT, "0", b"", UUID(int=103), 1, "lab"), NOW)
    assert (
        calls(graph.request_received(FIRST, 1, RegisterProcess(P1, ProcessRegistration(1, "lab", ["A"])), NOW))
        == []
    )
    graph.peer_left(FIRST, NOW)
    graph.peer_joined(FIRST, Hello(CURRENT, "0", b"", UUID(int=103), 1, "lab"), NOW)
    (call,) = calls(own(graph, FIRST, P2))
    assert call.body.value == {"gain": 5}
    graph.state.validate()
