"""Each request class has one role, in one table; each role is refused just what is beyond it, without a trace."""

import itertools
from typing import Any
from uuid import UUID

import pytest

from ezmsg.graphserver.deciding.conversations import HANDLERS
from ezmsg.graphserver.deciding.conversations.permissions import NEEDED, READING_OPERATIONS, needed
from ezmsg.graphserver.deciding.effects import Fail, Moment, PeerId
from ezmsg.graphserver.deciding.graph import Graph
from ezmsg.protocol.errors import RoleRequired
from ezmsg.protocol.messages.endpoints import (
    Contact,
    DeclareEndpoints,
    DeclarePublisher,
    DeclareSubscriber,
    ReportCut,
    Withdraw,
)
from ezmsg.protocol.messages.events import FollowTopology
from ezmsg.protocol.messages.handshake import Hello
from ezmsg.protocol.messages.processes import RegisterProcess, UpdateOwnership
from ezmsg.protocol.messages.requests import RouteRequest
from ezmsg.protocol.messages.service import PauseAll, ResumeAll, Shutdown, SyncAll, TakePeers, TakeTopology
from ezmsg.protocol.messages.sessions import (
    ClearSession,
    CloseSession,
    Connect,
    Disconnect,
    DropSession,
    OpenSession,
    RegisterMetadata,
    TakeSnapshot,
)
from ezmsg.protocol.messages.settings import FollowSettings, ReportSettings, TakeSettings, UpdateSetting
from ezmsg.protocol.model.metadata import GraphMetadata
from ezmsg.protocol.model.process_control import (
    ProcessControlOperation,
    ProcessOwnershipUpdate,
    ProcessRegistration,
    ProcessSettingsUpdate,
)
from ezmsg.protocol.model.settings import SettingsSnapshotValue
from ezmsg.protocol.revisions import CURRENT
from ezmsg.protocol.wire.roles import Role

ID, NOW, WHO = UUID(int=7), Moment(0.0, 0.0), PeerId(1)


def routed(operation: str) -> RouteRequest:
    return RouteRequest("A", operation, 1.0)


OBSERVERS = [
    *(TakeTopology(), TakePeers(), TakeSnapshot(), TakeSettings(), FollowTopology(), FollowSettings()),
    *(OpenSession(ID), CloseSession(ID), ClearSession(ID)),
    *map(routed, ("PING", "GET_PROCESS_STATS", "GET_PROCESS_STACKS", "GET_PROFILING_SNAPSHOT")),
]
OPERATORS = [
    *(Connect("A", "B"), Disconnect("A", "B"), Connect("A", "B", ID), UpdateSetting("A", "x", 1, 1.0)),
    *(DeclareSubscriber(ID, "A"), Withdraw(ID), DeclareEndpoints([], [DeclareSubscriber(ID, "A")])),
    *map(routed, ("SET_PROFILING_TRACE", "GET_PROFILING_TRACE_BATCH", "UPDATE_SETTING_FIELD", "MY_OWN")),
]
PUBLISHER = DeclarePublisher(ID, "A", Contact(ID, None, "127.0.0.1", 1), b"s")
ADMINS = [
    *(PauseAll(), ResumeAll(), SyncAll(), Shutdown(), DropSession(ID)),
    *(PUBLISHER, DeclareEndpoints([PUBLISHER], []), ReportCut(ID, "late")),
    RegisterProcess(ID, ProcessRegistration(pid=1, host="lab", units=["A"])),
    UpdateOwnership(ID, ProcessOwnershipUpdate(added_units=["A"])),
    ReportSettings(ID, ProcessSettingsUpdate("A", SettingsSnapshotValue(None, "1"), 0.0)),
    RegisterMetadata(ID, GraphMetadata(1, "A", {})),
]
ROLE_OF = [(Role.OBSERVER, OBSERVERS), (Role.OPERATOR, OPERATORS), (Role.ADMIN, ADMINS)]
MATRIX = [(held, least, body) for held, (least, bodies) in itertools.product(Role, ROLE_OF) for body in bodies]


def test_every_request_has_its_role_and_is_in_the_matrix() -> None:
    assert NEEDED.keys() == HANDLERS.keys()
    assert {type(body) for _, bodies in ROLE_OF for body in bodies} == HANDLERS.keys()
    named = {body.operation for _, bodies in ROLE_OF for body in bodies if isinstance(body, RouteRequest)}
    assert named >= {operation.value for operation in ProcessControlOperation}
    assert named > READING_OPERATIONS


def graph_with(role: Role) -> Graph:
    graph = Graph(UUID(int=1))
    graph.peer_joined(WHO, Hello(CURRENT, "0", b"", UUID(int=2), 1, "lab"), NOW, role=role)
    return graph


@pytest.mark.parametrize(("held", "least", "body"), MATRIX, ids=lambda each: getattr(each, "TAG", str(each)))
def test_each_role_is_refused_exactly_what_is_beyond_it(held: Role, least: Role, body: Any) -> None:
    assert needed(body) is least
    graph = graph_with(held)
    before = (graph.state.snapshot(), graph.state.topology.last_seq, graph.state.settings.log.last_seq)
    effects = graph.request_received(WHO, 1, body, NOW)
    refusals = [each for each in effects if isinstance(each, Fail) and isinstance(each.error, RoleRequired)]
    if held >= least:
        assert refusals == []
        return
    (effect,) = effects
    (refusal,) = refusals
    assert effect is refusal
    assert isinstance(refusal.error, RoleRequired)
    assert refusal.error.needed == least.word
    assert f"needs the role {least.word}" in refusal.error.sentence()
    assert f"gives {held.word}" in refusal.error.sentence()
    assert (graph.state.snapshot(), graph.state.topology.last_seq, graph.state.settings.log.last_seq) == before
