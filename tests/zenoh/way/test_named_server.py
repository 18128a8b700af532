"""A graph server in a process of its own, found by its name by clients and programs, and by no stranger."""

import asyncio
import os
import signal
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import UUID, uuid4

import pytest
import zenoh
from tests.waiting import until
from tests.zenoh.conftest import Program, routed
from tests.zenoh.test_processes import _config

import ezmsg.core as ez
from ezmsg.control import ControlConnection
from ezmsg.control.graph.operations import take_snapshot
from ezmsg.protocol.errors import AuthenticationFailed, EzmsgError, ServerUnreachable
from ezmsg.protocol.model.snapshot import ProcessState, SnapshotProcess
from ezmsg.protocol.wire.presence.lease import LEASE_S
from ezmsg.zenoh.session import CONFIG_VARIABLE
from ezmsg.zenoh.way.words import question

HANG = 30.0
NAME = "zenoh:lab"
TOKEN = "of the lab"


class Server:
    """A graph server with a name, and what its log says."""

    def __init__(self, config: str, *, token: str = TOKEN, name: str = NAME) -> None:
        environ = {**os.environ, CONFIG_VARIABLE: config, "EZMSG_TOKEN": token}
        command = [sys.executable, "-m", "ezmsg.graphserver", "--address", "127.0.0.1:0", "--also", name]
        self.process = subprocess.Popen(command, env=environ, stderr=subprocess.PIPE, text=True)
        self.log: list[str] = []

    def ready(self) -> "Server":
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.log.append(line)
            if "is ready at" in line:
                return self
        raise AssertionError("".join(self.log))

    def ended(self) -> tuple[int, str]:
        """Wait for its end; return how it ended and what it said."""
        _, said = self.process.communicate(timeout=HANG)
        return self.process.returncode, "".join(self.log) + said


StartServer = Callable[..., Server]


@pytest.fixture
def at(port: int) -> str:
    return f"tcp/127.0.0.1:{port}"


@pytest.fixture
def serve(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[StartServer]:
    folder = tmp_path / "run"
    folder.mkdir(mode=0o700)
    monkeypatch.setenv("EZMSG_RUNTIME_DIR", str(folder))
    monkeypatch.setenv("EZMSG_TOKEN", TOKEN)
    servers: list[Server] = []

    def started(config: str, **options: str) -> Server:
        servers.append(Server(config, **options))
        return servers[-1]

    yield started
    for server in servers:
        server.process.kill()
        server.process.wait()
        assert server.process.stderr is not None
        server.process.stderr.close()


@pytest.fixture
def listening(tmp_path: Path, at: str) -> str:
    """The configuration of the host to which the others connect."""
    return _config(tmp_path / "listening.json", "peer", listen=at)


@pytest.fixture
def connecting(tmp_path: Path, at: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """That of the others, of which this test is one."""
    path = _config(tmp_path / "connecting.json", "peer", connect=at)
    monkeypatch.setenv(CONFIG_VARIABLE, path)
    return path


@asynccontextmanager
async def connected(**options: bytes | str) -> AsyncIterator[ControlConnection]:
    connection = await ControlConnection.open(NAME, **options)  # type: ignore[arg-type]
    yield connection
    await connection.close()


async def test_clients_find_it_and_ask(serve: StartServer, listening: str, connecting: str) -> None:
    server = serve(listening).ready()
    assert f"and as {NAME}" in server.log[-1]
    async with connected() as connection:
        assert (await take_snapshot(connection)).sessions == {}
        assert connection.local_host == "127.0.0.1"
    server.process.terminate()
    assert server.ended()[0] == 0


async def test_messages_go_by_the_same_way(serve: StartServer, listening: str, connecting: str) -> None:
    """Who asks for no transport has the one by which the server was found."""
    serve(listening).ready()
    async with asyncio.timeout(HANG), ez.GraphContext(NAME) as context:
        publisher = await context.publisher("OUT", force_tcp=True)
        subscriber = await context.subscriber("OUT")
        await publisher.broadcast("over it")
        assert await subscriber.recv() == "over it"
        assert [sender.kind for sender in publisher.senders] == ["ZENOH"]


async def test_large_answers_and_many_at_a_time(serve: StartServer, listening: str, connecting: str) -> None:
    serve(listening).ready()
    async with asyncio.timeout(HANG), ez.GraphContext(NAME) as context, connected() as other:
        for number in range(300):
            await context.connect(f"A/{'LONG' * 50}/{number}", f"B/{'LONG' * 50}/{number}")
        snapshots = await asyncio.gather(*(take_snapshot(other) for _ in range(20)))
        assert [len(snapshot.graph) for snapshot in snapshots] == [600] * 20


async def test_who_holds_another_token_is_told(serve: StartServer, listening: str, connecting: str) -> None:
    serve(listening).ready()
    with pytest.raises(AuthenticationFailed, match=f"at {NAME}, the graph server holds another token"):
        await ControlConnection.open(NAME, token=b"of another lab")


async def test_who_holds_none_is_told(
    serve: StartServer, listening: str, connecting: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    serve(listening).ready()
    monkeypatch.delenv("EZMSG_TOKEN")
    with pytest.raises(AuthenticationFailed, match="holds a token, and this client has none"):
        await ControlConnection.open(NAME)


async def test_nobody_of_that_name(serve: StartServer, listening: str, connecting: str) -> None:
    serve(listening, name="zenoh:another").ready()
    with pytest.raises(ServerUnreachable, match=f"{NAME}: Zenoh knows no graph server of that name"):
        await ControlConnection.open(NAME)


async def test_a_server_that_is_stopped_does_not_answer(
    serve: StartServer, listening: str, connecting: str
) -> None:
    server = serve(listening).ready()
    async with connected():
        server.process.send_signal(signal.SIGSTOP)
        with pytest.raises(ServerUnreachable, match="is there and does not answer"):
            await ControlConnection.open(NAME)


def test_two_servers_of_one_name(serve: StartServer, listening: str, connecting: str) -> None:
    serve(listening).ready()
    code, said = serve(connecting).ended()
    assert code == 1
    assert f"No client finds the graph server as {NAME}: another graph server answers to this name" in said
    serve(connecting, token="of another lab").ready()  # who holds its token never takes one for the other


def test_a_name_takes_a_token(serve: StartServer, listening: str) -> None:
    code, said = serve(listening, token="").ended()
    assert code == 1
    assert f"{NAME} can be reached from other machines, and no token was given" in said


async def test_a_server_that_was_killed_and_started_again_has_the_same_clients(
    serve: StartServer, listening: str, connecting: str
) -> None:
    server = serve(listening).ready()
    async with asyncio.timeout(HANG), ez.GraphContext(NAME) as context:
        publisher = await context.publisher("OUT", force_tcp=True)
        subscriber = await context.subscriber("OUT")
        server.process.kill()
        await publisher.broadcast("without it")
        assert await subscriber.recv() == "without it"
        await asyncio.to_thread(serve(listening).ready)
        await until(lambda: context._connection is not None and context._connection.lines == 2)
        late = await context.subscriber("OUT")
        await publisher.broadcast("with another")
        assert await late.recv() == "with another"


@pytest.mark.parametrize("down_s", [0.0, 0.5])
async def test_a_router_that_goes_and_comes_back_costs_no_connection(
    serve: StartServer,
    start: Callable[..., Program],
    port: int,
    at: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    down_s: float,
) -> None:
    listen = ("--listen", f"127.0.0.1:{port}")
    router = routed(start, *listen)
    config = _config(tmp_path / "client.json", "client", connect=at)
    monkeypatch.setenv(CONFIG_VARIABLE, config)
    serve(config).ready()
    async with asyncio.timeout(HANG), connected() as connection, ez.GraphContext(NAME) as context:
        router.kill()
        asked = asyncio.ensure_future(context.connect("A", "B"))
        await asyncio.sleep(down_s)  # for how long it is down is what this is about
        await asyncio.to_thread(routed, start, *listen)
        await asked
        assert (await take_snapshot(connection)).graph["A"] == ["B"]
        assert connection.lines == 1


UNITS = """
import asyncio
import ezmsg.core as ez

class Ticker(ez.Unit):
    OUTPUT = ez.OutputStream(int)

    @ez.publisher(OUTPUT)
    async def tick(self):
        number = 0
        while True:
            yield self.OUTPUT, number
            number += 1
            await asyncio.sleep(0.01)

if __name__ == "__main__":
    ez.run(TICKER=Ticker())
"""


GREEDY = """
import asyncio, os, signal, sys
from ezmsg.control import ControlConnection
from ezmsg.control.graph.operations import take_snapshot

async def main():
    connection = await ControlConnection.open(sys.argv[1])
    while len((await take_snapshot(connection)).graph) < 400:
        await asyncio.sleep(0.1)
    asking = [asyncio.ensure_future(take_snapshot(connection)) for _ in range(30)]
    await asyncio.sleep(0)
    print("stopped", flush=True)
    os.kill(os.getpid(), signal.SIGSTOP)

asyncio.run(main())
"""


@pytest.fixture
def ticker(tmp_path: Path, connecting: str) -> Iterator[Callable[[], "subprocess.Popen[bytes]"]]:
    """Starts a program of one unit."""
    (tmp_path / "units.py").write_text(UNITS)
    programs: list[subprocess.Popen[bytes]] = []

    def started() -> "subprocess.Popen[bytes]":
        environ = {**os.environ, "EZMSG_GRAPHSERVER_ADDR": NAME}
        programs.append(subprocess.Popen([sys.executable, str(tmp_path / "units.py")], env=environ))
        return programs[-1]

    yield started
    for program in programs:
        program.kill()
        program.wait()


async def processes_until(
    context: ez.GraphContext, holds: Callable[[dict[UUID, SnapshotProcess]], bool]
) -> dict[UUID, SnapshotProcess]:
    async with asyncio.timeout(HANG):
        while not holds(processes := (await context.snapshot()).processes):  # noqa: ASYNC110  states come late
            await asyncio.sleep(0.1)
        return processes


async def test_a_process_that_is_stopped_is_seen_and_comes_back_under_its_name(
    serve: StartServer, listening: str, ticker: Callable[[], "subprocess.Popen[bytes]"]
) -> None:
    serve(listening).ready()
    program = ticker()
    async with ez.GraphContext(NAME) as context:
        (known,) = await processes_until(context, lambda found: any(each.units for each in found.values()))

        def is_alive(found: dict[UUID, SnapshotProcess]) -> bool:
            return known in found and found[known].state is ProcessState.ALIVE

        program.send_signal(signal.SIGSTOP)
        # Unresponsive; or gone, if it had not yet acknowledged what the server said last: it is its own host here.
        await processes_until(context, lambda found: not is_alive(found))
        program.send_signal(signal.SIGCONT)
        await processes_until(context, is_alive)


async def test_a_process_that_is_killed_is_gone_within_a_lease(
    serve: StartServer, listening: str, ticker: Callable[[], "subprocess.Popen[bytes]"]
) -> None:
    serve(listening).ready()
    program = ticker()
    async with ez.GraphContext(NAME) as context:
        await processes_until(context, lambda found: any(each.units for each in found.values()))
        program.kill()
        await processes_until(context, lambda found: not found)


async def test_strangers_who_repeat_and_forge_words_change_nothing(
    serve: StartServer, listening: str, connecting: str
) -> None:
    serve(listening).ready()
    recorded: list[tuple[str, bytes]] = []
    with zenoh.open(zenoh.Config.from_file(connecting)) as stranger:
        listener = stranger.declare_subscriber(
            "ezmsg/**", lambda sample: recorded.append((str(sample.key_expr), sample.payload.to_bytes()))
        )
        async with asyncio.timeout(HANG), ez.GraphContext(NAME) as context, connected() as connection:
            await context.connect("A", "B")
            await until(lambda: len(recorded) > 8)
            await context.disconnect("A", "B")
            for key, data in recorded.copy():  # it grows
                stranger.put(key, data)
                stranger.put(key, data[:-1])
                stranger.put(key, bytes(len(data)))
                stranger.put(key, b"")
            await context.connect("C", "D")
            assert (await take_snapshot(connection)).graph == {"C": ["D"], "D": []}
        # What was said in a stream that has ended begins no other.
        for key, data in recorded.copy():  # it grows
            stranger.put(key, data)
        async with connected() as connection:
            assert (await take_snapshot(connection)).sessions == {}
        listener.undeclare()


async def test_many_questions_of_strangers_keep_nobody_out(
    serve: StartServer, listening: str, connecting: str
) -> None:
    serve(listening).ready()
    with zenoh.open(zenoh.Config.from_file(connecting)) as stranger:
        alive = [str(reply.ok.key_expr) for reply in stranger.liveliness().get("ezmsg/lab/%server/*/alive")]
        (server,) = [key.split("/")[-2] for key in alive]
        ended = threading.Event()

        def flood() -> None:
            while not ended.is_set():
                stream = uuid4().hex
                stranger.put(f"ezmsg/lab/%server/{server}/in/{stream}", question(b"guessed", os.urandom(32)))
                stranger.put(f"ezmsg/lab/%server/{server}/in/{stream}", bytes(10_000_000))

        flooding = threading.Thread(target=flood)
        flooding.start()
        try:
            for _ in range(3):
                async with connected() as connection:
                    await take_snapshot(connection)
        finally:
            ended.set()
            flooding.join()


async def test_a_client_that_is_stopped_holds_up_no_other(
    serve: StartServer, listening: str, connecting: str, tmp_path: Path
) -> None:
    serve(listening).ready()
    greedy = subprocess.Popen([sys.executable, "-c", GREEDY, NAME], stdout=subprocess.PIPE)  # noqa: ASYNC220
    try:
        async with asyncio.timeout(HANG), ez.GraphContext(NAME) as context:
            for number in range(200):
                await context.connect(f"A/{'LONG' * 200}/{number}", f"B/{'LONG' * 200}/{number}")
            assert greedy.stdout is not None
            await asyncio.to_thread(greedy.stdout.readline)
            for _ in range(5):
                async with asyncio.timeout(LEASE_S):
                    await context.snapshot()
    finally:
        greedy.kill()
        greedy.wait()
        greedy.stdout.close()  # type: ignore[union-attr]


async def test_a_name_needs_what_knows_the_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ezmsg.control.connection.ways.installed", lambda group: {})
    with pytest.raises(ServerUnreachable, match="ezmsg-zenoh is not installed here"):
        await ControlConnection.open(NAME)


async def test_a_session_that_cannot_be_had_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(CONFIG_VARIABLE, str(tmp_path / "nowhere.json"))
    monkeypatch.setenv("EZMSG_TOKEN", TOKEN)
    with pytest.raises(EzmsgError, match=r"nowhere\.json"):
        await ControlConnection.open(NAME)


LEAVES = """
import asyncio, sys
import ezmsg.core as ez

async def main():
    context = ez.GraphContext()
    await context.__aenter__()
    publisher = await context.publisher("OUT")
    asking = [asyncio.ensure_future(context.snapshot()) for _ in range(20)]
    await asyncio.sleep(0)
    sys.exit(3)

asyncio.run(main())
"""


def test_a_program_that_leaves_in_the_middle_of_it_ends_as_it_says(
    serve: StartServer, listening: str, connecting: str
) -> None:
    serve(listening).ready()
    environ = {**os.environ, "EZMSG_GRAPHSERVER_ADDR": NAME}

    def status(_: int) -> int:
        command = [sys.executable, "-c", LEAVES]
        return subprocess.run(command, env=environ, capture_output=True, timeout=HANG, check=False).returncode

    with ThreadPoolExecutor(4) as several:  # the busier the machine, the more is still under way at the end
        assert {*several.map(status, range(16))} == {3}
