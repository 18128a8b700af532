"""A server that goes and comes back: everything that clients own at it is there again, under its old id."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import aclosing, asynccontextmanager
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ezmsg.control import (
    ControlConnection,
    ProcessControlClient,
    Session,
    follow_settings,
    follow_topology,
    settings_events,
    settings_snapshot,
    take_dag,
    take_snapshot,
    update_setting,
)
from ezmsg.control.graph import watching
from ezmsg.graphserver import GraphServer
from ezmsg.protocol.addresses import Address
from ezmsg.protocol.errors import ConnectionLost, CyclicException, DeadlineExceeded, EzmsgError
from ezmsg.protocol.messages.events import Gap, Reset
from ezmsg.protocol.messages.requests import RouteRequest
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
from ezmsg.protocol.messages.settings import FollowSettings, SettingsTaken, TakeSettings
from ezmsg.protocol.model.metadata import GraphMetadata
from ezmsg.protocol.model.settings import SettingsSnapshotValue
from ezmsg.protocol.model.snapshot import Edge, GraphSnapshot
from ezmsg.protocol.wire import connection as events

HANG = 30.0


class Servers:
    """One graph server at a time, always on the same port."""

    def __init__(self) -> None:
        self.running = GraphServer()
        self.running.start(("127.0.0.1", 0))
        self.address: Address = self.running.address

    def stop(self) -> None:
        self.running.stop()

    def start(self) -> None:
        self.running = GraphServer()
        self.running.start(self.address)

    async def restart(self, *connections: ControlConnection) -> None:
        """Another run of the server; return when these are back and have said everything again."""
        await asyncio.to_thread(self.stop)
        await asyncio.to_thread(self.start)
        for connection in connections:
            await back(connection)


async def back(connection: ControlConnection) -> None:
    async with asyncio.timeout(HANG):
        await connection.wait_connected()
        await connection.request(TakeSnapshot())  # it comes after all that is said again


@pytest.fixture
def servers() -> Iterator[Servers]:
    servers = Servers()
    yield servers
    servers.stop()


@asynccontextmanager
async def connected(servers: Servers) -> AsyncIterator[ControlConnection]:
    connection = await ControlConnection.open(servers.address)
    yield connection
    await connection.close()


@pytest.fixture
async def connection(servers: Servers) -> AsyncIterator[ControlConnection]:
    async with connected(servers) as connection:
        yield connection


def without_run(snapshot: GraphSnapshot) -> GraphSnapshot:
    """What a snapshot says of the graph, and nothing of the run of the server that it is of."""
    snapshot.epoch = snapshot.topology_seq = snapshot.settings_seq = None
    return snapshot


def value(**fields: Any) -> SettingsSnapshotValue:
    return SettingsSnapshotValue(None, fields, fields)


# --- what comes back --------------------------------------------------------------------------------------


async def test_sessions_edges_metadata_and_processes_are_back(servers: Servers) -> None:
    async with connected(servers) as first, connected(servers) as second:
        one, two = Session(first), Session(second)
        process = ProcessControlClient(servers.address)
        await one.open()
        await two.open()
        await one.connect("A", "B")
        await one.connect("B", "C")
        await one.connect("X", "Y")
        await one.disconnect("X", "Y")
        await two.connect("A", "B")
        await two.register_metadata(GraphMetadata(1, "SYSTEM", {}))
        await process.register(["SYSTEM/A"])
        before = await take_snapshot(first)
        await servers.restart(first, second)
        assert process._connection is not None
        await back(process._connection)
        after = await take_snapshot(first)
        assert after.epoch != before.epoch
        assert without_run(after) == without_run(before)
        await one.close()
        assert (await take_dag(second)).graph == {"A": {"B"}, "B": set()}
        await process.close()


async def test_settings_are_back_with_their_revisions(servers: Servers, connection: ControlConnection) -> None:
    process = ProcessControlClient(servers.address)
    await process.register(["A", "B", "GONE"])

    async def change(address: str, path: str, new: Any) -> SettingsSnapshotValue:
        return value(**{path: new})

    process.set_settings_handler(change)
    for number in range(4):
        await process.report_settings_update("A", value(x=number))
        await process.report_settings_update("GONE", value(x=number))
    await process.report_settings_update("B", value(x=0))
    await update_setting(connection, "B", "x", 7)
    await process.update_ownership(removed_units=["GONE"])
    before = await settings_snapshot(connection)
    assert process._connection is not None
    await servers.restart(connection, process._connection)
    assert await settings_snapshot(connection) == before
    assert (await update_setting(connection, "B", "x", 8)).revision == before["B"].revision + 1
    await process.close()


async def test_settings_reported_while_there_is_no_server_are_told_later(
    servers: Servers, connection: ControlConnection
) -> None:
    process = ProcessControlClient(servers.address)
    await process.register(["A"])
    assert process._connection is not None
    await lost_with(process._connection, lambda: asyncio.to_thread(servers.stop))
    waiting = asyncio.create_task(process.report_settings_update("A", value(x=1)))
    await asyncio.to_thread(servers.start)
    async with asyncio.timeout(HANG):
        await waiting
    await back(connection)
    assert (await settings_snapshot(connection))["A"].structured_value == {"x": 1}
    await process.close()


async def lost_with(connection: ControlConnection, act: Callable[[], Awaitable[object]]) -> None:
    lost = asyncio.Event()
    undo = connection.on_lost(lambda _: lost.set())
    await act()
    async with asyncio.timeout(HANG):
        await lost.wait()
    undo()


async def test_a_line_that_breaks_off_takes_nothing_with_it(scripted: Any) -> None:
    """The server may think the old line alive: a higher incarnation takes its place."""
    async with asyncio.timeout(HANG):
        connection = await ControlConnection.open(scripted.address)
        session = Session(connection)
        await session.open()
        for incarnation in (1, 2):
            scripted.peers[-1].transport.abort()
            while True:
                _, event = await scripted.request(OpenSession)
                if event.body.incarnation == incarnation:
                    break
        assert event.body == OpenSession(session.id, 2)
        assert {peer.connection.handshake.hello.client_id for peer in scripted.peers} == {connection.client_id}
        await connection.close()


async def test_a_session_that_was_closed_stays_so(servers: Servers, connection: ControlConnection) -> None:
    async with Session(connection) as session:
        await session.connect("A", "B")
    await servers.restart(connection)
    assert (await take_snapshot(connection)).sessions == {}


async def test_an_edge_that_nobody_knows_of_is_none_afterwards(scripted: Any) -> None:
    """The line is lost between the server's doing and its answer."""
    async with asyncio.timeout(HANG):
        connection = await ControlConnection.open(scripted.address)
        session = Session(connection)
        await session.open()
        answer, scripted.script = scripted.script, lambda *_: None
        task = asyncio.create_task(session.connect("A", "B"))
        peer, event = await scripted.request()
        scripted.script = answer
        peer.transport.abort()
        with pytest.raises(ConnectionLost):
            await task
        names = []
        while len(names) < 2:
            _, event = await scripted.request()
            names.append(type(event.body).__name__)
        assert names == ["OpenSession", "Disconnect"]
        await connection.close()


async def test_what_cannot_be_restored_is_told_and_harms_nothing_else(
    scripted: Any, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse_one(peer: Any, event: Any) -> None:
        match event:
            case events.RequestReceived(request_id, Connect("A")):
                peer.connection.fail(request_id, CyclicException(from_topic="A", to_topic="B", path=["B", "A"]))
            case events.RequestReceived(request_id, Connect()):
                peer.connection.reply(request_id, EdgeChanged(topology_changed=True))
            case events.RequestReceived(request_id):
                peer.connection.reply(request_id, Done())

    async with asyncio.timeout(HANG):
        connection = await ControlConnection.open(scripted.address)
        session = Session(connection)
        await session.open()
        scripted.script = lambda peer, event: peer.connection.reply(event.id, EdgeChanged(topology_changed=True))
        await session.connect("A", "B")
        await session.connect("X", "Y")
        scripted.script = refuse_one
        await lost_with(connection, cut(connection))
        while "A -> B would close a cycle" not in caplog.text:
            await connection.request(OpenSession(session.id, 1))
        while (await scripted.request(Connect))[1].body.from_topic != "X":
            pass
        await connection.close()


async def test_coming_back_takes_nothing_from_the_programs_random_numbers(
    servers: Servers, connection: ControlConnection
) -> None:
    before = random.getstate()
    await servers.restart(connection)
    assert random.getstate() == before


# --- calls meanwhile --------------------------------------------------------------------------------------


async def test_a_call_waits_for_the_server(servers: Servers, connection: ControlConnection) -> None:
    await lost_with(connection, lambda: asyncio.to_thread(servers.stop))
    waiting = asyncio.create_task(take_snapshot(connection, timeout=HANG))
    with pytest.raises(DeadlineExceeded, match=r"TakeSnapshot at .* which is lost \("):
        await take_snapshot(connection, timeout=0.05)
    await asyncio.to_thread(servers.start)
    assert (await waiting).epoch == connection.epoch


async def test_what_need_not_be_said_any_more_fails_at_once(
    servers: Servers, connection: ControlConnection
) -> None:
    await lost_with(connection, lambda: asyncio.to_thread(servers.stop))
    with pytest.raises(ConnectionLost):
        await connection.request(TakeSnapshot(), wait=False)


async def test_closing_ends_what_waits_for_the_server(servers: Servers, connection: ControlConnection) -> None:
    await lost_with(connection, lambda: asyncio.to_thread(servers.stop))
    waiting = [
        asyncio.create_task(connection.request(TakeSnapshot(), timeout=None)),
        asyncio.create_task(connection.wait_connected()),
        asyncio.create_task(anext(follow_topology(connection))),
    ]
    await asyncio.sleep(0)
    await connection.close()
    for task in waiting:
        with pytest.raises(ConnectionLost, match="this side closed it"):
            await task


async def test_a_request_with_an_effect_is_never_made_twice(scripted: Any) -> None:
    async with asyncio.timeout(HANG):
        connection = await ControlConnection.open(scripted.address)
        scripted.script = lambda *_: None
        task = asyncio.create_task(connection.request(RouteRequest("U", "FIRE", 20.0), timeout=HANG))
        peer, _ = await scripted.request(RouteRequest)
        peer.transport.abort()
        with pytest.raises(ConnectionLost):
            await task
        await connection.wait_connected()
        task = asyncio.create_task(connection.request(TakeSnapshot(), timeout=None))
        _, event = await scripted.request()
        assert event.body == TakeSnapshot()
        await connection.close()
        with pytest.raises(ConnectionLost):
            await task


# --- streams ----------------------------------------------------------------------------------------------


async def test_streams_go_on_with_a_reset(servers: Servers, connection: ControlConnection) -> None:
    async with asyncio.timeout(HANG), Session(connection) as session:
        await session.connect("A", "B")
        async with aclosing(follow_topology(connection)) as items:
            assert (await anext(items)).changed_topics == ["B"]  # type: ignore[union-attr]
            await servers.restart(connection)
            reset = await anext(items)
            assert isinstance(reset, Reset)
            assert reset.epoch == connection.epoch
            await session.connect("B", "C")
            assert (await anext(items)).changed_topics == ["C"]  # type: ignore[union-attr]


async def test_a_stream_of_a_line_that_broke_off_goes_on_where_it_was(servers: Servers) -> None:
    async with asyncio.timeout(HANG), connected(servers) as reader, connected(servers) as writer:
        process = ProcessControlClient(servers.address)
        await process.register(["A"])
        async with aclosing(follow_settings(reader)) as items:
            await process.report_settings_update("A", value(x=0))
            assert (await anext(items)).seq == 1  # type: ignore[union-attr]
            assert reader._line is not None
            reader._line._transport._transport.abort()  # type: ignore[union-attr]
            await process.report_settings_update("A", value(x=1))
            await process.report_settings_update("A", value(x=2))
            assert [(await anext(items)).seq for _ in range(2)] == [2, 3]  # type: ignore[union-attr]
        await process.close()
        assert writer.connected


# --- the property: whatever happens, the server knows in the end what the session wants -----------------------

TOPICS = "ABC"
EDGE = st.tuples(st.sampled_from(TOPICS), st.sampled_from(TOPICS))
STEP = st.one_of(
    st.tuples(st.just("connect"), EDGE),
    st.tuples(st.just("disconnect"), EDGE),
    st.tuples(st.sampled_from(["clear", "break off", "restart", "metadata"]), st.none()),
)


@settings(max_examples=15, deadline=None)
@given(st.lists(STEP, max_size=12))
def test_a_session_holds_what_it_was_told(steps: list[tuple[str, Any]]) -> None:
    async def play() -> None:
        servers = Servers()
        try:
            async with connected(servers) as connection:
                await follow(servers, connection)
        finally:
            await asyncio.to_thread(servers.stop)

    async def follow(servers: Servers, connection: ControlConnection) -> None:
        session = Session(connection)
        await session.open()
        wanted: set[Edge] = set()
        metadata = None
        for number, (act, edge) in enumerate(steps):
            match act:
                case "connect" | "disconnect":
                    try:
                        await getattr(session, act)(*edge)
                    except ConnectionLost:
                        continue  # it is as it was
                    except EzmsgError:
                        assert act == "connect"  # a cycle
                        continue
                    (wanted.add if act == "connect" else wanted.discard)(Edge(*edge))
                case "clear":
                    await session.clear()
                    wanted, metadata = set(), None
                case "metadata":
                    metadata = GraphMetadata(1, f"ROOT{number}", {})
                    await session.register_metadata(metadata)
                case "restart":
                    await servers.restart(connection)
                case "break off":
                    assert connection._line is not None
                    await lost_with(connection, cut(connection))
                    await connection.wait_connected()
        held = (await take_snapshot(connection)).sessions[str(session.id)]
        assert held.edges == sorted(wanted)
        assert held.metadata == metadata

    asyncio.run(asyncio.wait_for(play(), HANG))


def cut(connection: ControlConnection) -> Callable[[], Awaitable[None]]:
    async def act() -> None:
        assert connection._line is not None
        assert connection._line._transport._transport is not None
        connection._line._transport._transport.abort()

    return act


# --- what its caller gives up -----------------------------------------------------------------------------------


@pytest.mark.parametrize("act", ["connect", "disconnect", "clear", "register_metadata"])
async def test_what_the_caller_gave_up_is_given_up_at_the_server_too(scripted: Any, act: str) -> None:
    """The server has done it, and only the answer is missing."""
    async with asyncio.timeout(HANG):
        connection = await ControlConnection.open(scripted.address)
        session = Session(connection)
        await session.open()
        scripted.script = lambda peer, event: peer.connection.reply(event.id, EdgeChanged(topology_changed=True))
        await session.connect("A", "B")
        await scripted.request(Connect)
        scripted.script = lambda *_: None
        request = REQUESTS[act]
        match request:
            case Connect(start, end) | Disconnect(start, end):
                arguments: tuple[Any, ...] = (start, end)
            case RegisterMetadata(metadata=metadata):
                arguments = (metadata,)
            case _:
                arguments = ()
        task = asyncio.create_task(getattr(session, act)(*arguments))
        await scripted.request(type(request))
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        scripted.script = answer_all
        await lost_with(connection, cut(connection))
        said = []
        await connection.wait_connected()
        task = asyncio.create_task(connection.request(TakeSnapshot(), timeout=None))
        while not isinstance((await scripted.request())[1].body, OpenSession):
            pass
        while not isinstance(body := (await scripted.request())[1].body, TakeSnapshot):
            said.append(body)
        expected = {
            "connect": [Connect("A", "B", session.id), Disconnect("X", "Y", session.id)],
            "disconnect": [Disconnect("A", "B", session.id)],
            "clear": [ClearSession(session.id)],
            "register_metadata": [ClearSession(session.id), Connect("A", "B", session.id)],
        }
        assert said == expected[act]
        await connection.close()
        with pytest.raises(ConnectionLost):
            await task


REQUESTS: dict[str, Any] = {
    "connect": Connect("X", "Y"),
    "disconnect": Disconnect("A", "B"),
    "clear": ClearSession(UUID(int=0)),
    "register_metadata": RegisterMetadata(UUID(int=0), GraphMetadata(1, "R", {})),
}


def answer_all(peer: Any, event: Any) -> None:
    match event:
        case events.RequestReceived(request_id, Connect() | Disconnect()):
            peer.connection.reply(request_id, EdgeChanged(topology_changed=True))
        case events.RequestReceived(_, TakeSnapshot()):
            pass
        case events.RequestReceived(request_id):
            peer.connection.reply(request_id, Done())


async def test_a_session_whose_opening_was_given_up_is_closed(scripted: Any) -> None:
    async with asyncio.timeout(HANG):
        connection = await ControlConnection.open(scripted.address)
        session = Session(connection)
        scripted.script = lambda *_: None
        task = asyncio.create_task(session.open())
        await scripted.request(OpenSession)
        scripted.script = answer_all
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert (await scripted.request(CloseSession))[1].body.session_id == session.id
        await connection.close()


async def test_a_report_whose_caller_gave_up_is_told_later(servers: Servers, connection: ControlConnection) -> None:
    process = ProcessControlClient(servers.address)
    await process.register(["A"])
    await process.report_settings_update("A", value(x=1))
    assert process._connection is not None
    await lost_with(process._connection, lambda: asyncio.to_thread(servers.stop))
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(process.report_settings_update("A", value(x=2)), 0.05)
    await asyncio.to_thread(servers.start)
    await back(process._connection)
    await back(connection)
    assert (await settings_snapshot(connection))["A"].structured_value == {"x": 2}
    await process.close()


# --- changes of settings under way ------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["restart", "cut"])
async def test_a_change_that_was_under_way_is_told_when_it_is_made(
    servers: Servers, connection: ControlConnection, how: str
) -> None:
    """Who asked for it hears that nobody knows; the server learns what the unit has."""
    asked, go = asyncio.Event(), asyncio.Event()

    async def change(address: str, path: str, new: Any) -> SettingsSnapshotValue:
        asked.set()
        await go.wait()
        return value(**{path: new})

    process = ProcessControlClient(servers.address)
    process.set_settings_handler(change)
    await process.register(["A"])
    await process.report_settings_update("A", value(x=1))
    own = process._connection
    assert own is not None
    async with asyncio.timeout(HANG):
        asking = asyncio.create_task(update_setting(connection, "A", "x", 5, timeout=HANG))
        await asked.wait()
        if how == "restart":
            await servers.restart(connection, own)
        else:
            await lost_with(own, cut(own))
            await back(own)
        with pytest.raises(EzmsgError):
            await asking
        async with aclosing(follow_settings(connection)) as items:
            go.set()
            while True:
                item = await anext(items)
                if not isinstance(item, Gap | Reset) and item.value.structured_value == {"x": 5}:
                    break
    assert (await settings_snapshot(connection))["A"].structured_value == {"x": 5}
    await process.close()


async def test_revisions_rise_over_cuts_and_restarts(servers: Servers, connection: ControlConnection) -> None:
    async def change(address: str, path: str, new: Any) -> SettingsSnapshotValue:
        return value(**{path: new})

    process = ProcessControlClient(servers.address)
    process.set_settings_handler(change)
    await process.register(["A", "B"])
    own = process._connection
    assert own is not None
    last = 0
    await update_setting(connection, "B", "x", 0)
    for number in range(6):
        now = (await update_setting(connection, "A", "x", number)).revision
        assert now > last or number == 0
        last = now
        before = await settings_snapshot(connection)
        if number % 2:
            await servers.restart(connection, own)
        else:
            await lost_with(own, cut(own))
            await back(own)
        after = await settings_snapshot(connection)
        assert after["A"].revision >= before["A"].revision
        assert after["B"].structured_value == {"x": 0}
        if number % 2:
            assert after == before
        last = after["A"].revision
    await process.close()


async def test_reading_the_changes_ends_when_that_run_of_the_server_does(scripted: Any) -> None:
    def script(peer: Any, event: Any) -> None:
        match event:
            case events.RequestReceived(request_id, TakeSettings()):
                peer.connection.reply(request_id, SettingsTaken({}, 7, scripted.epoch))
            case events.RequestReceived(request_id, FollowSettings(epoch=epoch)):
                assert epoch == scripted.epoch
                peer.connection.reply(request_id, Done())
                peer.connection.item(request_id, Reset(UUID(int=1), 0))

    scripted.script = script
    async with asyncio.timeout(HANG):
        connection = await ControlConnection.open(scripted.address)
        assert await settings_events(connection) == []
        await connection.close()


async def test_a_stream_goes_on_after_a_server_that_stood_still(
    scripted: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "OPEN_TIMEOUT_S", 0.05)
    opened = 0

    def script(peer: Any, event: Any) -> None:
        nonlocal opened
        if isinstance(event, events.RequestReceived):
            opened += 1
            if opened != 2:  # the second one is never answered
                peer.connection.reply(event.id, Done())
                peer.connection.item(event.id, Gap(opened, opened))

    scripted.script = script
    async with asyncio.timeout(HANG):
        connection = await ControlConnection.open(scripted.address)
        async with aclosing(follow_settings(connection)) as items:
            assert await anext(items) == Gap(1, 1)
            scripted.peers[-1].transport.abort()
            assert await anext(items) == Gap(3, 3)
        await connection.close()


async def test_a_fault_of_who_declares_keeps_nobody_from_the_server(
    servers: Servers, connection: ControlConnection, caplog: pytest.LogCaptureFixture
) -> None:
    def fail() -> list[object]:
        raise ZeroDivisionError("a fault")

    connection.declare(fail)
    await servers.restart(connection)
    assert (await take_snapshot(connection)).epoch == connection.epoch
    assert "ZeroDivisionError" in caplog.text
