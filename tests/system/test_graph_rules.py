"""The rules of the graph on a real server: several clients over real connections, beside a plain model.

Each step is asked over the wire through ``ezmsg.control``. After each, what the server shows (snapshot, edges with
their owners, events) is what the model says. The pure form of this is
``tests/graphserver/deciding/test_graph_model.py``, which looks at routes and costs, too.
"""

import asyncio
import os
import socket
import struct
from collections.abc import AsyncGenerator, Coroutine
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID

import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import invariant, precondition, rule, run_state_machine_as_test
from tests.graphserver.deciding.client_rules import ClientRules, edges, numbers, sessions, somebody_is_there
from tests.graphserver.deciding.folding import FoldedSettings
from tests.graphserver.deciding.model import Outcome
from tests.graphserver.deciding.predictions import check_events, check_outcome, check_snapshot

from ezmsg.control import ControlConnection, Session, take_dag, take_snapshot
from ezmsg.graphserver import GraphServer
from ezmsg.protocol.errors import CyclicException, EzmsgError
from ezmsg.protocol.messages.events import FollowTopology, TopologyEvent
from ezmsg.protocol.messages.sessions import (
    ClearSession,
    Connect,
    Disconnect,
    EdgeChanged,
    OpenSession,
    RegisterMetadata,
)
from ezmsg.protocol.messages.settings import FollowSettings, ReportSettings, SettingsRecorded, TakeSettings
from ezmsg.protocol.model.topology import TopologyChangedEvent

HANG = 30.0

RESET = struct.pack("ii", 1, 0)
"""What makes a socket that is closed send a reset, as a machine does that was restarted."""

T = TypeVar("T")


class ServerMachine(ClientRules):
    """A server of its own, a watcher that follows from the beginning, and the clients that the rules speak of."""

    def __init__(self) -> None:
        super().__init__()
        self.connections: dict[int, ControlConnection] = {}
        self.handles: dict[tuple[int, UUID], Session] = {}
        self.seen: list[TopologyChangedEvent] = []
        self.server = GraphServer()
        self.server.start(("127.0.0.1", 0))
        self.runner = asyncio.Runner()
        self.watcher = self.run(ControlConnection.open(self.server.address))
        self.events = self.watcher.stream(FollowTopology(0))
        self.folded = FoldedSettings(lambda: self.run(self.watcher.request(TakeSettings())))
        self.settings_events = self.watcher.stream(FollowSettings(self.folded.seq, self.folded.epoch))

    def teardown(self) -> None:
        self.run(self.events.aclose())
        self.run(self.settings_events.aclose())
        for connection in (self.watcher, *self.connections.values()):
            self.run(connection.close())
        self.runner.close()
        self.server.stop()
        assert not self.server.is_alive()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Do something on the clients' loop, in time."""
        return self.runner.run(in_time(work))

    # --- asking -------------------------------------------------------------------------------------------

    def ask(self, who: int, body: object) -> None:
        expected = self.model.request(who, body)
        check_outcome(self.model, self.run(self.outcome(who, body)), expected)

    async def outcome(self, who: int, body: object) -> Outcome:
        """Ask as a program does, and return what came of it."""
        try:
            return await self.say(who, body)
        except EzmsgError as error:
            return error

    async def say(self, who: int, body: object) -> Outcome:
        """Ask through a session if one was opened there, else as an intruder would: with the bare request."""
        connection = self.connections[who]
        session: Any = getattr(body, "session_id", None)
        handle = self.handles.get((who, session))
        if isinstance(body, Connect | Disconnect) and "" in (body.from_topic, body.to_topic):
            handle = None  # a session refuses that itself, before the server can
        match body, handle:
            case OpenSession(), _:
                await self.open_handle(who, body)
            case ClearSession(), Session():
                await handle.clear()
            case RegisterMetadata(), Session():
                await handle.register_metadata(body.metadata)
            case Connect(), Session():
                return await handle.connect(body.from_topic, body.to_topic)
            case Disconnect(), Session():
                return await handle.disconnect(body.from_topic, body.to_topic)
            case ((Connect() | Disconnect()), None):
                changed: EdgeChanged = await connection.request(body)
                assert changed.unconfirmed == []
                return changed.topology_changed
            case ReportSettings(), _:
                recorded: SettingsRecorded = await connection.request(body)
                return recorded
            case _:
                await connection.request(body)
        return None

    async def open_handle(self, who: int, body: OpenSession) -> None:
        handle = Session(self.connections[who], body.session_id)
        handle.incarnation = body.incarnation
        await handle.open()
        self.handles[who, body.session_id] = handle

    @somebody_is_there
    @rule(number=numbers, session=sessions, wanted=st.lists(edges, min_size=2, max_size=5))
    def connect_in_a_row(self, number: int, session: UUID, wanted: list[tuple[str, str]]) -> None:
        """Ask again before the answers are there; they are dealt with in their order."""
        who = self.holder_of_session(number, session)
        bodies = [Connect(*edge, session) for edge in wanted]
        answers = self.run(self.all_outcomes([(who, body) for body in bodies]))
        for body, answer in zip(bodies, answers, strict=True):
            check_outcome(self.model, answer, self.model.request(who, body))

    @precondition(lambda self: len(self.model.peers) > 1)
    @rule(number=numbers, edge=edges)
    def race(self, number: int, edge: tuple[str, str]) -> None:
        """Two clients want opposite edges at once: at most one can have its own, and who is first is left open."""
        one = self.anybody(number)
        other = next(who for who in sorted(self.model.peers) if who != one)
        here, there = edge
        asked = [(one, Connect(here, there)), (other, Connect(there, here))]
        answers = self.run(self.all_outcomes(asked))
        dealt_with = list(zip(asked, answers, strict=True))
        for (who, body), answer in sorted(dealt_with, key=lambda pair: turn(pair[1])):
            check_outcome(self.model, answer, self.model.request(who, body))

    async def all_outcomes(self, asked: list[tuple[int, Connect]]) -> list[Outcome]:
        return await asyncio.gather(*(self.outcome(who, body) for who, body in asked))

    # --- connections --------------------------------------------------------------------------------------

    def join_as(self, who: int, client: UUID) -> None:
        self.connections[who] = self.run(ControlConnection.open(self.server.address, client_id=client))

    @somebody_is_there
    @rule(number=numbers, how=st.sampled_from(["goodbye", "end of file", "reset"]))
    def leave(self, number: int, how: str) -> None:
        who = self.anybody(number)
        handles = {session: handle for (holder, session), handle in self.handles.items() if holder == who}
        self.handles = {key: handle for key, handle in self.handles.items() if key[0] != who}
        self.model.leave(who)
        connection = self.connections.pop(who)
        if how == "goodbye":
            for session in sorted(handles):
                self.run(handles[session].close())
        else:
            cut_off(connection, how)
        self.run(connection.close())
        self.run(self.departure())

    async def departure(self) -> None:
        """Wait until the server has noticed who is gone; each turn is a round trip."""
        expected = self.model.snapshot(self.watcher.epoch)
        while True:
            shown = await take_snapshot(self.watcher)
            if (
                shown.sessions.keys() == expected.sessions.keys()
                and shown.processes.keys() == expected.processes.keys()
            ):
                return

    # --- what always holds --------------------------------------------------------------------------------

    @invariant()
    def the_server_shows_the_model(self) -> None:
        check_snapshot(self.run(take_snapshot(self.watcher)), self.model.snapshot(self.watcher.epoch))
        taken = self.run(self.watcher.request(TakeSettings()))
        assert taken.values == self.model.shown_settings()
        assert (taken.seq, taken.epoch) == (len(self.model.settings_events), self.watcher.epoch)
        while self.folded.seq < taken.seq:
            self.folded.hear(self.run(take_one(self.settings_events)))
        self.folded.check(taken)
        dag = self.run(take_dag(self.watcher))
        assert dag.edge_owners == {
            edge: {None if owner is None else str(owner) for owner in owners}
            for edge, owners in self.model.owners.items()
        }

    @invariant()
    def who_follows_from_the_beginning_sees_every_change(self) -> None:
        first, last = len(self.seen), len(self.model.events)
        self.seen += self.run(take_events(self.events, last - first))
        check_events(self.seen[first:], self.model.events[first:], first + 1)

    @rule(after_seq=st.integers(0, 40))
    def come_back(self, after_seq: int) -> None:
        """Follow from where one was; a number that is yet to come means from now on."""
        after_seq = min(after_seq, len(self.seen))
        stream = self.watcher.stream(FollowTopology(after_seq))
        missed = self.run(take_events(stream, len(self.seen) - after_seq))
        self.run(stream.aclose())
        assert missed == self.seen[after_seq:]


def turn(answer: Outcome) -> int:
    """Return a number that is lower for who came first in a race for opposite edges.

    Who is refused because of the other's edge came after it; who is refused for a longer way round, before.
    """
    if isinstance(answer, CyclicException):
        return 2 if len(answer.path) == 2 else 0
    return 1


async def in_time(work: Coroutine[Any, Any, T]) -> T:
    async with asyncio.timeout(HANG):
        return await work


async def take_one(stream: AsyncGenerator[Any, None]) -> object:
    return await anext(stream)


async def take_events(stream: AsyncGenerator[Any, None], count: int) -> list[TopologyChangedEvent]:
    """Read so many events; there must be no gap between them."""
    events = []
    for _ in range(count):
        item = await anext(stream)
        assert isinstance(item, TopologyEvent)
        events.append(item.event)
    return events


def cut_off(connection: ControlConnection, how: str) -> None:
    """End a connection as a death does: without a word of the protocol."""
    assert connection._line is not None
    transport = connection._line._transport._transport
    assert transport is not None
    if how == "reset":
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    transport.abort()


@pytest.fixture
def _own_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Whatever server or token the developer's machine has, the clients do not see it."""
    for name in [name for name in os.environ if name.startswith("EZMSG_")]:
        monkeypatch.delenv(name)
    folder = tmp_path / "run"
    folder.mkdir(mode=0o700)
    monkeypatch.setenv("EZMSG_RUNTIME_DIR", str(folder))


@pytest.mark.timeout(600)  # more than Hypothesis takes to make a failure small
@pytest.mark.usefixtures("_own_environment")
def test_whatever_clients_do_the_rules_hold() -> None:
    budget = settings(
        max_examples=settings().max_examples * 3 // 10,
        stateful_step_count=20,
        phases=set(Phase) - {Phase.explain},  # a run costs a server, and an explanation many runs
    )
    run_state_machine_as_test(ServerMachine, settings=budget)
