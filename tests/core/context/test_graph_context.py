"""A program's hold on the graph, against a real server."""

import asyncio
import gc
import pickle
import socket
import threading

import pytest
from tests.ports import unused_port

import ezmsg.core as ez
from ezmsg.control.connection import sharing
from ezmsg.core.context.graph_context import MANY_CLIENTS
from ezmsg.core.errors import GraphRunnerStartError, RunFailed
from ezmsg.core.graph.crawl import resolve_graph
from ezmsg.core.graph.metadata import graph_metadata
from ezmsg.core.runtime.loops import new_event_loop
from ezmsg.protocol.addresses import Address
from ezmsg.protocol.errors import DeadlineExceeded, ServerUnreachable, SessionRequired
from ezmsg.protocol.model.metadata import GraphMetadata

HANG = 30.0


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch, tmp_path):
    """Whatever server or token the developer's machine has, these tests do not see it."""
    for name in ("EZMSG_TOKEN", "EZMSG_TOKEN_FILE", "EZMSG_GRAPHSERVER_ADDR"):
        monkeypatch.delenv(name, raising=False)
    folder = tmp_path / "run"
    folder.mkdir(mode=0o700)
    monkeypatch.setenv("EZMSG_RUNTIME_DIR", str(folder))


@pytest.fixture
def server():
    server = ez.GraphServer()
    server.start(("127.0.0.1", 0))
    yield server
    server.stop()
    assert not server.is_alive()


@pytest.fixture
def nowhere():
    """An address at which nobody listens, and nobody else can."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield Address(*taken.getsockname())


@pytest.fixture
def default_is_nowhere(nowhere, monkeypatch):
    """The default address, without a server: that of the machine may have one."""
    monkeypatch.setattr("ezmsg.control.connection.discovery.DEFAULT_PORT", nowhere.port)
    return nowhere


def servers():
    return [thread for thread in threading.enumerate() if isinstance(thread, ez.GraphServer)]


# --- the session -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("operation", "arguments"),
    [
        ("connect", ("A", "B")),
        ("disconnect", ("A", "B")),
        ("register_metadata", (GraphMetadata(1, None, {}),)),
        ("snapshot", ()),
    ],
)
async def test_what_needs_a_session_says_so(server, operation, arguments):
    context = ez.GraphContext(server.address)
    for _ in range(2):
        with pytest.raises(SessionRequired, match=operation) as caught:
            await getattr(context, operation)(*arguments)
        assert isinstance(caught.value, RuntimeError)
        async with context:
            pass


async def test_edges_last_as_long_as_the_context(server):
    async with ez.GraphContext(server.address) as watcher:
        async with ez.GraphContext(server.address) as context:
            await context.connect("A", "B")
            await context.connect("B", "C")
            await context.disconnect("B", "C")
            graph = (await watcher.snapshot()).graph
            assert graph["A"] == ["B"]
            assert not graph.get("B")
        assert not (await watcher.snapshot()).graph.get("A")


async def test_two_owners_of_an_edge(server):
    async with ez.GraphContext(server.address) as one:
        async with ez.GraphContext(server.address) as two:
            await one.connect("A", "B")
            await two.connect("A", "B")
        assert (await one.snapshot()).graph["A"] == ["B"]
        await one.disconnect("A", "B")
        assert not (await one.snapshot()).graph.get("A")


async def test_a_cycle_is_refused_and_leaves_no_trace(server):
    async with ez.GraphContext(server.address) as context:
        await context.connect("A", "B")
        await context.connect("B", "C")
        before = await context.snapshot()
        for edge in (("C", "A"), ("B", "A"), ("A", "A")):
            with pytest.raises(ez.CyclicException):
                await context.connect(*edge)
        assert (await context.snapshot()).graph == before.graph


async def test_a_collision_of_metadata_names_the_address_and_keeps_nothing(server):
    unit_a, unit_b = ez.Unit(), ez.Unit()
    metadata = graph_metadata(resolve_graph({"A": unit_a, "B": unit_b}))
    async with ez.GraphContext(server.address) as one, ez.GraphContext(server.address) as two:
        await one.register_metadata(metadata)
        with pytest.raises(RuntimeError, match=r"component address collision\(s\): A, B"):
            await two.register_metadata(metadata)
        kept = [s.metadata for s in (await one.snapshot()).sessions.values() if s.metadata is not None]
        assert len(kept) == 1


async def test_a_failed_body_ends_the_session_too(server):
    async with ez.GraphContext(server.address) as watcher:

        async def fail():
            async with ez.GraphContext(server.address) as context:
                await context.connect("A", "B")
                raise OSError("no")

        with pytest.raises(OSError, match="no"):
            await fail()
        assert not (await watcher.snapshot()).graph.get("A")
        assert len((await watcher.snapshot()).sessions) == 1


async def test_entering_a_context_within_itself_is_one_session(server):
    async with ez.GraphContext(server.address) as watcher:
        context = ez.GraphContext(server.address)
        async with context:
            async with context as inner:
                assert inner is context
                await context.snapshot()
            with pytest.raises(SessionRequired):
                await context.snapshot()
        assert len((await watcher.snapshot()).sessions) == 1


async def test_a_context_can_be_entered_again(server):
    context = ez.GraphContext(server.address)
    for _ in range(3):
        async with context:
            await context.connect("A", "B")
    async with context:
        assert not (await context.snapshot()).graph.get("A")


# --- endpoints ---------------------------------------------------------------------------------------------------


async def test_messages_flow_between_endpoints_of_a_context_without_a_session(server):
    async with asyncio.timeout(HANG):
        context = ez.GraphContext(server.address)
        subscriber = await context.subscriber("TOPIC")
        publisher = await context.publisher("TOPIC")
        await publisher.broadcast("hello")
        assert await subscriber.recv() == "hello"
        await context.revert()


async def test_leaving_closes_endpoints_and_what_is_under_way_arrives(server):
    async with asyncio.timeout(HANG):
        async with ez.GraphContext(server.address) as receiving:
            subscriber = await receiving.subscriber("TOPIC")
            async with ez.GraphContext(server.address) as sending:
                publisher = await sending.publisher("TOPIC")
                for number in range(20):
                    await publisher.broadcast(number)
            with pytest.raises(RuntimeError, match="publisher of TOPIC is closed"):
                await publisher.broadcast(20)
            assert [await subscriber.recv() for _ in range(20)] == list(range(20))
        with pytest.raises(RuntimeError, match="subscriber of TOPIC is closed"):
            await subscriber.recv()


async def test_a_wait_for_a_message_ends_when_the_context_does(server):
    async with asyncio.timeout(HANG):
        async with ez.GraphContext(server.address) as context:
            subscriber = await context.subscriber("TOPIC")
            waiting = asyncio.ensure_future(subscriber.recv())
            await asyncio.sleep(0)
        with pytest.raises(RuntimeError, match="closed"):
            await waiting


async def test_revert_is_idempotent_and_may_come_from_two_sides(server):
    context = ez.GraphContext(server.address)
    await context.revert()
    async with context:
        await context.publisher("A")
        await context.subscriber("A")
        await asyncio.gather(context.revert(), context.revert())
        await context.revert()
    await context.revert()
    async with ez.GraphContext(server.address) as watcher:
        assert len((await watcher.snapshot()).sessions) == 1


async def test_endpoints_that_were_closed_before_are_no_trouble(server):
    async with ez.GraphContext(server.address) as context:
        publisher = await context.publisher("A")
        subscriber = await context.subscriber("A")
        publisher.close()
        subscriber.close()
        await publisher.wait_closed()
        await subscriber.wait_closed()


async def test_options_that_cannot_be_leave_nothing_behind(server):
    async with ez.GraphContext(server.address) as context:
        for options in ({"num_buffers": 0}, {"buf_size": -1}, {"port": 70000}):
            with pytest.raises(ValueError, match=next(iter(options))):
                await context.publisher("A", **options)
        with pytest.raises(ValueError, match="max_queue"):
            await context.subscriber("A", max_queue=0)
    assert not sharing._all


async def test_two_contexts_of_one_loop_share_a_connection(server):
    async with ez.GraphContext(server.address) as one, ez.GraphContext(server.address) as two:
        assert one._connection is two._connection
        publisher, subscriber = await one.publisher("A"), await two.subscriber("A")
        assert len(sharing._all) == 1
        async with asyncio.timeout(HANG):
            await publisher.broadcast(1)
            assert await subscriber.recv() == 1
    assert not sharing._all


async def test_a_context_whose_server_is_gone_can_be_left(server):
    async with asyncio.timeout(HANG):
        async with ez.GraphContext(server.address) as context:
            publisher, subscriber = await context.publisher("A"), await context.subscriber("A")
            await asyncio.to_thread(server.stop)
            await publisher.broadcast(1)
            assert await subscriber.recv() == 1
            with pytest.raises(DeadlineExceeded, match=str(server.address)):  # it might have come back
                await context.snapshot()
        assert not sharing._all


async def test_leaving_stops_the_server_even_if_an_endpoint_cannot_be_closed(default_is_nowhere, monkeypatch):
    async with ez.GraphContext() as context:
        publisher = await context.publisher("A")

        async def fail():
            raise OSError("no")

        monkeypatch.setattr(publisher, "wait_closed", fail)
        with pytest.raises(OSError, match="no"):
            await context.revert()
        assert servers() == []
        monkeypatch.undo()
        await publisher.wait_closed()


async def test_leaving_that_is_cancelled_stops_the_server_all_the_same(default_is_nowhere):
    context = ez.GraphContext()
    await context.__aenter__()
    publisher = await context.publisher("A")
    entered = asyncio.Event()
    never = asyncio.Event()

    async def wait():
        entered.set()
        await never.wait()

    publisher.wait_closed, real = wait, publisher.wait_closed
    leaving = asyncio.ensure_future(context.revert())
    async with asyncio.timeout(HANG):
        await entered.wait()
        leaving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await leaving
        await real()
    assert servers() == []
    assert not sharing._all


# --- whose server ------------------------------------------------------------------------------------------------


async def test_a_server_is_started_if_none_answers_at_no_address(default_is_nowhere):
    async with ez.GraphContext() as context:
        assert context.server_spawned
        assert context.graph_address.port >= 10000
        assert context.graph_address != default_is_nowhere
        await context.snapshot()
        async with ez.GraphContext(context.graph_address) as other:
            assert not other.server_spawned
            await other.snapshot()
        (server,) = servers()
    assert not context.server_spawned
    assert not server.is_alive()


async def test_endpoints_start_one_too_and_only_one(default_is_nowhere):
    context = ez.GraphContext()
    async with asyncio.timeout(HANG):
        publisher, *subscribers = await asyncio.gather(
            context.publisher("A"), *(context.subscriber("A") for _ in range(3))
        )
        assert len(servers()) == 1
        await publisher.broadcast(5)
        assert [await subscriber.recv() for subscriber in subscribers] == [5, 5, 5]
        await context.revert()
    assert servers() == []


@pytest.mark.parametrize("auto_start", [None, False])
async def test_no_server_is_started_at_an_explicit_address(nowhere, auto_start):
    context = ez.GraphContext(nowhere, auto_start)
    with pytest.raises(ServerUnreachable, match=str(nowhere)) as caught:
        await context.__aenter__()
    assert isinstance(caught.value, OSError)
    with pytest.raises(ServerUnreachable):
        await context.publisher("A")
    assert servers() == []
    assert not sharing._all
    await context.revert()


async def test_no_server_is_started_if_the_variable_is_set(nowhere, monkeypatch):
    monkeypatch.setenv("EZMSG_GRAPHSERVER_ADDR", str(nowhere))
    with pytest.raises(ServerUnreachable):
        await ez.GraphContext().__aenter__()
    assert servers() == []


async def test_an_empty_variable_is_as_none(default_is_nowhere, monkeypatch):
    monkeypatch.setenv("EZMSG_GRAPHSERVER_ADDR", "")
    async with ez.GraphContext() as context:
        assert context.server_spawned


async def test_none_is_started_if_that_is_forbidden(default_is_nowhere):
    with pytest.raises(ServerUnreachable):
        await ez.GraphContext(auto_start=False).__aenter__()


async def test_one_is_started_at_the_very_address_if_that_is_asked_for():
    address = Address("127.0.0.1", unused_port())
    async with ez.GraphContext(address, auto_start=True) as context:
        assert context.server_spawned
        assert context.graph_address == address


async def test_one_cannot_be_started_where_somebody_else_listens(nowhere):
    with pytest.raises(OSError, match=str(nowhere.port)):
        await ez.GraphContext(nowhere, auto_start=True).__aenter__()
    assert servers() == []


async def test_a_server_is_not_left_when_the_session_cannot_be_opened(default_is_nowhere, monkeypatch):
    async def fail(self):
        raise OSError("no")

    monkeypatch.setattr("ezmsg.control.graph.session.Session.open", fail)
    with pytest.raises(OSError, match="no"):
        await ez.GraphContext().__aenter__()
    assert servers() == []
    assert not sharing._all


def test_a_context_in_two_loops_one_after_the_other(server):
    context = ez.GraphContext(server.address)

    async def use():
        async with asyncio.timeout(HANG), context:
            subscriber, publisher = await context.subscriber("A"), await context.publisher("A")
            await publisher.broadcast(1)
            assert await subscriber.recv() == 1

    asyncio.run(use())
    asyncio.run(use())
    gc.collect()


def test_a_context_on_the_loop_of_units(server):
    """Which is uvloop's where that is installed; its transports drop descriptors, and refuse abstract names."""

    async def use():
        async with asyncio.timeout(HANG), ez.GraphContext(server.address) as context:
            subscriber = await context.subscriber("B")
            publisher = await context.publisher("A", allow_local=False)
            await context.connect("A", "B")
            for number in range(20):
                await publisher.broadcast(bytes([number]))
            assert [await subscriber.recv() for _ in range(20)] == [bytes([number]) for number in range(20)]

    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        runner.run(use())


def test_contexts_in_two_threads(server):
    arrived, ready, failures = [], threading.Event(), []

    def receive():
        async def body():
            async with asyncio.timeout(HANG), ez.GraphContext(server.address) as context:
                subscriber = await context.subscriber("A")
                ready.set()
                arrived.extend([await subscriber.recv() for _ in range(100)])

        try:
            asyncio.run(body())
        except BaseException as error:  # noqa: BLE001  shown by the test's own thread
            failures.append(error)
            ready.set()

    async def send():
        async with asyncio.timeout(HANG), ez.GraphContext(server.address) as context:
            publisher = await context.publisher("A")
            for number in range(100):
                await publisher.broadcast(number)

    thread = threading.Thread(target=receive)
    thread.start()
    assert ready.wait(HANG)
    asyncio.run(send())
    thread.join(HANG)
    assert failures == []
    assert arrived == list(range(100))


async def test_endpoints_that_were_closed_are_forgotten(server):
    async with asyncio.timeout(HANG), ez.GraphContext(server.address) as context:
        kept = await context.subscriber("A")
        for _ in range(MANY_CLIENTS):
            for client in (await context.publisher("A"), await context.subscriber("A")):
                client.close()
                await client.wait_closed()
        assert kept in context._clients
        assert len(context._clients) <= MANY_CLIENTS
        assert "0 publishers, 1 subscriber," in repr(context)
        context._clients.discard(kept)
        kept.close()
        await kept.wait_closed()


# --- errors ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "error",
    [
        RunFailed(failures=["A: it broke", "B: so did it"]),
        GraphRunnerStartError(failures=["A: it broke"]),
        SessionRequired(operation="connect"),
        ServerUnreachable(address="127.0.0.1:1", reason="nobody is there"),
        ez.CyclicException(from_topic="A", to_topic="B", path=["B", "A"]),
        ez.Complete(),
        ez.NormalTermination("done"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_errors_can_be_pickled(error):
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is type(error)
    assert str(again) == str(error)


async def test_a_context_that_is_left_starts_no_server_any_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever wanted one has given up while it was looked for; nobody would stop it."""
    context = ez.GraphContext("127.0.0.1:1", auto_start=True)
    looking, ends = asyncio.Event(), []

    async def ensure(_: bool) -> None:
        looking.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            ends.append("cancelled")
            raise

    monkeypatch.setattr(context._service, "ensure", ensure)
    wanting = asyncio.create_task(context.publisher("A"))
    async with asyncio.timeout(30):
        await looking.wait()
        wanting.cancel()
        await asyncio.wait([wanting])
        await context.revert()
    assert ends == ["cancelled"]
