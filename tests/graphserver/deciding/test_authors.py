"""Who asked for a change is told with it; a session is told with its client, and an operator can end it."""

from uuid import UUID, uuid4

import pytest

from ezmsg.graphserver.deciding.effects import Call, Fail, Moment, PeerId, Reply
from ezmsg.graphserver.deciding.graph import Graph
from ezmsg.protocol.errors import UnknownSession
from ezmsg.protocol.messages.handshake import Hello
from ezmsg.protocol.messages.processes import RegisterProcess
from ezmsg.protocol.messages.sessions import (
    CloseSession,
    Connect,
    Done,
    DropSession,
    EdgeChanged,
    OpenSession,
)
from ezmsg.protocol.messages.settings import SettingApplied, UpdateSetting
from ezmsg.protocol.model import ProcessRegistration, SettingsSnapshotValue
from ezmsg.protocol.revisions import CURRENT

NOW = Moment(1.0, 1000.0)
OWNER, OPERATOR = PeerId(1), PeerId(2)
SESSION = UUID(int=7)


def joined(name: str | None, pid: int | None = 42, host: str | None = "lab3") -> Graph:
    graph = Graph(uuid4())
    graph.peer_joined(OWNER, Hello(CURRENT, "ezmsg", b"", uuid4(), 41, "lab3"), NOW)
    graph.peer_joined(OPERATOR, Hello(CURRENT, "ezmsg", b"", uuid4(), pid, host, name), NOW)
    return graph


@pytest.mark.parametrize(
    ("name", "host", "author"),
    [
        ("tui", "lab3", "tui@lab3"),
        ("tui", None, "tui@localhost"),
        (None, "lab3", "lab3/42"),
        ("\x1b[2J", "lab3", "lab3/42"),
        ("x" * 200, "lab3", "x" * 80 + "@lab3"),
    ],
)
def test_an_event_says_who_asked(name: str | None, host: str | None, author: str) -> None:
    graph = joined(name, host=host)
    process = uuid4()
    graph.request_received(OWNER, 1, RegisterProcess(process, ProcessRegistration(41, "lab3", ["F"])), NOW)

    effects = graph.request_received(OPERATOR, 2, UpdateSetting("F", "a", 1, 2.0), NOW)
    (call,) = [each for each in effects if isinstance(each, Call)]
    applied = SettingApplied(SettingsSnapshotValue(None, "repr", {"a": 1}))
    graph.reply_received(OWNER, call.call_id, applied, NOW)

    log = graph.state.settings.log
    assert log[log.last_seq].event.changed_by == author


def test_a_session_is_shown_with_its_client_and_when_it_began() -> None:
    graph = joined(None)
    graph.request_received(OWNER, 1, OpenSession(SESSION), NOW)

    shown = graph.state.snapshot().sessions[str(SESSION)]

    assert (shown.client, shown.opened) == ("lab3/41", 1000.0)


def test_an_operator_ends_the_session_of_another() -> None:
    graph = joined("tui")
    graph.request_received(OWNER, 1, OpenSession(SESSION), NOW)
    graph.request_received(OWNER, 2, Connect("A", "B", SESSION), NOW)

    effects = graph.request_received(OPERATOR, 1, DropSession(SESSION), NOW)

    assert effects[-1] == Reply(OPERATOR, 1, Done())
    assert graph.state.snapshot().edge_owners == {}
    assert graph.state.snapshot().sessions == {}
    graph.state.validate()
    (failed,) = graph.request_received(OWNER, 3, CloseSession(SESSION), NOW)
    assert isinstance(failed, Fail)
    assert isinstance(failed.error, UnknownSession)
    # Its client may begin anew, under the same id.
    graph.request_received(OWNER, 4, OpenSession(SESSION, 1), NOW)
    *_, changed = graph.request_received(OWNER, 5, Connect("A", "B", SESSION), NOW)
    assert changed == Reply(OWNER, 5, EdgeChanged(topology_changed=True))


def test_a_session_that_is_not_there_cannot_be_dropped() -> None:
    (failed,) = joined("tui").request_received(OPERATOR, 1, DropSession(SESSION), NOW)

    assert isinstance(failed, Fail)
    assert isinstance(failed.error, UnknownSession)
