"""A run and its graph server: what others see of the run, whose server it is, and two runs on one server."""

import asyncio
import signal
import socket
from pathlib import Path

import pytest

from ezmsg.control.connection.discovery import read_announcement
from ezmsg.core import GraphContext, GraphServer, GraphService
from ezmsg.protocol.model.snapshot import GraphSnapshot

HANG = 30.0

THREE_PROCESSES = """
    ez.run(PAIR=Pair(), HERE=Here(), graph_address={address!r}, connections=(("HERE/OUTPUT", "TAP"),))
    """


@pytest.fixture
def server(environment, monkeypatch):
    """A graph server that programs of this test find."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("EZMSG_GRAPHSERVER_ADDR", raising=False)
    server = GraphServer()
    server.start(("127.0.0.1", 0))
    yield server
    server.stop()


async def look(address) -> GraphSnapshot:
    async with GraphContext(address, auto_start=False) as context:
        return await context.snapshot()


async def look_until(address, condition) -> GraphSnapshot:
    async with asyncio.timeout(HANG):
        while True:
            snapshot = await look(address)
            if condition(snapshot):
                return snapshot
            await asyncio.sleep(0.01)


def flows(program):
    program.says("running HERE")
    program.says("got PAIR/LISTENER 3")


async def test_a_run_is_in_the_snapshot_while_it_lasts_and_not_afterwards(start, server):
    program = start(THREE_PROCESSES.format(address=tuple(server.address)))
    await asyncio.to_thread(flows, program)
    snapshot = await look(server.address)
    assert snapshot.graph["PAIR/TICKER/OUTPUT"] == ["PAIR/LISTENER/INPUT"]
    assert snapshot.graph["HERE/OUTPUT"] == ["TAP"]
    described = [s.metadata for s in snapshot.sessions.values() if s.metadata is not None]
    (metadata,) = described
    assert set(metadata.components) >= {"PAIR", "PAIR/TICKER", "PAIR/LISTENER", "HERE"}
    owned = {unit: process.pid for process in snapshot.processes.values() for unit in process.units}
    assert set(owned) == {"PAIR/TICKER", "PAIR/LISTENER", "HERE"}
    assert owned["HERE"] == program.pid
    assert len(set(owned.values())) == 3

    program.signal(signal.SIGINT)
    assert await asyncio.to_thread(program.ends) == 0
    snapshot = await look(server.address)
    assert not snapshot.processes
    assert "PAIR/LISTENER/INPUT" not in snapshot.graph.get("PAIR/TICKER/OUTPUT", [])
    assert all(session.metadata is None for session in snapshot.sessions.values())


async def test_a_run_that_is_killed_leaves_nothing_in_the_graph(start, server):
    program = start(THREE_PROCESSES.format(address=tuple(server.address)))
    await asyncio.to_thread(flows, program)
    program.signal(signal.SIGKILL)
    await asyncio.to_thread(program.ends)
    snapshot = await look_until(server.address, lambda s: len(s.sessions) == 1 and not s.processes)
    assert not any(snapshot.graph.values())


async def test_a_second_copy_is_refused_with_every_collision_and_the_first_goes_on(start, server):
    source = THREE_PROCESSES.format(address=tuple(server.address))
    first = start(source)
    await asyncio.to_thread(flows, first)
    second = start(source)
    assert await asyncio.to_thread(second.ends) == 1
    assert not any(line.startswith("running") for line in second.out)
    last = second.errors.rstrip().splitlines()[-1]
    for address in ("HERE", "PAIR", "PAIR/LISTENER", "PAIR/TICKER"):
        assert address in last
    snapshot = await look(server.address)
    assert snapshot.graph["PAIR/TICKER/OUTPUT"] == ["PAIR/LISTENER/INPUT"]
    assert len(snapshot.processes) == 3
    first.signal(signal.SIGINT)
    assert await asyncio.to_thread(first.ends) == 0


async def test_another_root_name_makes_room_for_a_second_copy(start, server):
    programs = [
        start(f'ez.run(PAIR=Pair(), HERE=Here(), root_name="{name}", graph_address={tuple(server.address)!r})')
        for name in ("ONE", "TWO")
    ]
    for program, name in zip(programs, ("ONE", "TWO"), strict=True):
        await asyncio.to_thread(program.says, f"got {name}/PAIR/LISTENER 3")
        await asyncio.to_thread(program.says, f"running {name}/HERE")
    for program in programs:
        program.signal(signal.SIGINT)
    for program in programs:
        assert await asyncio.to_thread(program.ends) == 0


async def test_an_outsider_hears_and_feeds_a_run(start, server):
    program = start(
        f"""
        ez.run(
            HERE=Here(), PRINTER=Printer(count=3), graph_address={tuple(server.address)!r},
            connections=(("FEED", "PRINTER/INPUT"),),
        )
        """
    )
    await asyncio.to_thread(program.says, "running HERE")
    async with asyncio.timeout(HANG), GraphContext(server.address) as context:
        tap = await context.subscriber("HERE/OUTPUT")
        first = await tap.recv()
        assert await tap.recv() == first + 1
        feed = await context.publisher("FEED")
        for number in (5, 6, 7):
            await feed.broadcast(number)
    assert await asyncio.to_thread(program.ends) == 0
    assert "seen PRINTER 5 6 7\n" in program.out


async def test_a_run_outlives_its_graph_server(start, server):
    program = start(THREE_PROCESSES.format(address=tuple(server.address)))
    await asyncio.to_thread(flows, program)
    await asyncio.to_thread(server.stop)
    program.signal(signal.SIGINT)
    assert await asyncio.to_thread(program.ends) == 0
    assert program.says("shutdown PAIR/LISTENER")
    assert "Traceback" not in program.errors


async def test_messages_go_on_without_the_graph_server(start, server, tmp_path):
    program = start(
        f"""
        class Late(Listener):
            @ez.subscriber(Listener.INPUT)
            async def watch(self, number):
                if os.path.exists(sys.argv[1]):
                    say("late", number)
                    raise ez.NormalTermination

        class Both(Pair):
            LISTENER = Late()

        ez.run(PAIR=Both(), graph_address={tuple(server.address)!r})
        """,
        str(go := tmp_path / "go"),
    )
    await asyncio.to_thread(program.says, "got PAIR/LISTENER 3")
    await asyncio.to_thread(server.stop)
    go.touch()
    assert await asyncio.to_thread(program.ends) == 0
    assert program.says("late")


# --- whose server it is ------------------------------------------------------------------------------------------


def announced(environment):
    return [path.stem for path in Path(environment["EZMSG_RUNTIME_DIR"]).glob("server-*.json")]


def test_a_server_is_started_when_none_answers_and_stopped_at_the_end(start, environment, monkeypatch):
    program = start("ez.run(PAIR=Pair(), HERE=Here())", EZMSG_SERVER_PORT_START="31000")
    flows(program)
    (name,) = announced(environment)
    port = int(name.removeprefix("server-"))
    assert port >= 31000
    monkeypatch.setenv("EZMSG_RUNTIME_DIR", environment["EZMSG_RUNTIME_DIR"])
    announcement = read_announcement(port)
    assert announcement is not None
    assert announcement.pid == program.pid
    program.signal(signal.SIGINT)
    assert program.ends() == 0
    assert announced(environment) == []
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0


def test_the_variables_address_is_used_and_no_server_is_started(start, server):
    program = start("ez.run(PAIR=Pair(), HERE=Here())", EZMSG_GRAPHSERVER_ADDR=str(server.address))
    flows(program)
    snapshot = asyncio.run(look(server.address))
    assert len(snapshot.processes) == 3
    program.signal(signal.SIGINT)
    assert program.ends() == 0
    assert "Started GraphServer" not in program.errors
    assert asyncio.run(look(server.address)).sessions


async def test_a_service_pauses_and_resumes_a_run(start, server):
    program = start(THREE_PROCESSES.format(address=tuple(server.address)))
    await asyncio.to_thread(flows, program)
    async with asyncio.timeout(HANG), GraphContext(server.address) as context:
        tap = await context.subscriber("TAP")
        service = GraphService(server.address)

        async def read():
            while True:
                await tap.recv()

        reader = asyncio.ensure_future(read())
        await service.pause()
        await service.sync(timeout=HANG)
        heard = tap.messages_received
        for _ in range(20):
            await service.sync(timeout=HANG)
        assert tap.messages_received == heard
        await service.resume()
        while tap.messages_received == heard:  # noqa: ASYNC110  the reader above reads
            await asyncio.sleep(0)
        reader.cancel()
    program.signal(signal.SIGINT)
    assert await asyncio.to_thread(program.ends) == 0
