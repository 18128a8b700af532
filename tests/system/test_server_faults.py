"""A graph server that is killed, comes back, or is frozen, and processes that are frozen: rows R5 to R7."""

import asyncio
import random
import signal
import subprocess
import sys
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

import ezmsg.core as ez
from ezmsg.control import (
    ControlConnection,
    ProcessControlClient,
    follow_settings,
    follow_topology,
    take_settings,
    take_snapshot,
)
from ezmsg.protocol.addresses import Address
from ezmsg.protocol.errors import ConnectionLost, DeadlineExceeded, EzmsgError
from ezmsg.protocol.messages.events import Reset

PROGRAM = Path(__file__).parent / "programs" / "node.py"
HANG = 30.0
CALL_LIMIT_S = 5.5
"""What a call is given whose partner is frozen, in seconds."""


class Graph:
    """A graph server as a process, and nodes."""

    def __init__(self, start: Any) -> None:
        self._start = start
        self.nodes: dict[str, Any] = {}
        self.server = self._serve("127.0.0.1:0")
        self.address = self.server.errors.split("ready at")[1].split()[0]

    def _serve(self, address: str) -> Any:
        server = self._start.command(sys.executable, "-m", "ezmsg.graphserver", "--address", address)
        with server._changed:
            assert server._changed.wait_for(lambda: "ready at" in server.errors, HANG), server.story()
        return server

    def kill_server(self) -> None:
        self.server.process.kill()
        self.server.process.wait(HANG)

    def serve_again(self) -> None:
        self.server = self._serve(self.address)

    def join(self, name: str, *hears: str, tcp: bool = False) -> None:
        flags = ["--tcp"] if tcp else []
        self.nodes[name] = self._start.command(
            sys.executable, str(PROGRAM), self.address, name, *flags, "--hears", *hears, stdin=subprocess.PIPE
        )

    def ready(self) -> None:
        for node in self.nodes.values():
            node.says("ready")
        self.balance()

    def balance(self) -> None:
        """See that whoever hears has heard everything that was sent until now, and each message once."""
        self.rounds = getattr(self, "rounds", 0) + 1
        for node in self.nodes.values():
            tell(node, "pause")
        sent = {name: node.says("paused", self.rounds)[1] for name, node in self.nodes.items()}
        for node in self.nodes.values():
            hears = node.process.args[node.process.args.index("--hears") + 1 :]
            tell(node, "await " + " ".join(f"{name}={sent[name]}" for name in hears))
        for node in self.nodes.values():
            counts = node.says("heard", self.rounds)[1:]
            assert all(count.endswith("=0,0") for count in counts), node.story()

    def end(self) -> None:
        for node in self.nodes.values():
            tell(node, "end")
        for node in self.nodes.values():
            assert node.ends() == 0, node.story()


def tell(node: Any, line: str) -> None:
    node.process.stdin.write(line + "\n")
    node.process.stdin.flush()


@pytest.fixture
def graph(start: Any, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Graph:
    monkeypatch.setenv("EZMSG_RUNTIME_DIR", environment["EZMSG_RUNTIME_DIR"])
    return Graph(start)


def everything(snapshot: Any, taken: Any) -> Any:
    """What two runs of a server have in common when everybody is back."""
    snapshot.epoch = snapshot.topology_seq = snapshot.settings_seq = None
    return snapshot, taken.values


async def look(connection: ControlConnection) -> Any:
    return everything(await take_snapshot(connection), await take_settings(connection))


async def look_until(connection: ControlConnection, wanted: Any) -> None:
    """Wait until the server knows all this, looking again at every event."""
    changed = asyncio.Event()

    async def watch(events: Any) -> None:
        async with aclosing(events):
            async for _ in events:
                changed.set()

    watching = [asyncio.create_task(watch(follow(connection))) for follow in (follow_topology, follow_settings)]
    async with asyncio.timeout(HANG):
        while True:
            changed.clear()
            try:
                if await look(connection) == wanted:
                    break
            except ConnectionLost:  # this loop had not noticed yet that the server was killed
                await connection.wait_connected()
            else:
                await changed.wait()
    for task in watching:
        task.cancel()
    await asyncio.wait(watching)


@pytest.mark.timeout(120)
async def test_a_server_that_is_killed_and_comes_back_is_missed_by_no_message(graph: Graph) -> None:
    """R6: shared memory, TCP and the same process; nothing is lost or comes twice, and everything is back."""
    graph.join("A", "A", "B", "C")
    graph.join("B", "A", "C", tcp=True)
    graph.join("C", "A", "B", "C")
    graph.ready()
    connection = await ControlConnection.open(Address.from_string(graph.address))
    before = await look(connection)
    assert len(before[0].sessions) == len(before[0].processes) == 3
    graph.kill_server()
    graph.balance()
    graph.balance()
    graph.serve_again()
    await look_until(connection, before)
    graph.balance()
    await connection.close()
    graph.end()


def test_a_line_that_breaks_off_is_missed_by_no_message(graph: Graph) -> None:
    """R6: the server lives on, and thinks at first that the node is gone with its publisher."""
    graph.join("A", "B")
    graph.join("B", "A", tcp=True)
    graph.ready()
    for node in graph.nodes.values():
        tell(node, "cut")
        node.says("back")
        graph.balance()
    graph.end()


@pytest.mark.timeout(120)
async def test_a_storm_of_restarts_leaves_what_its_clients_declare(graph: Graph) -> None:
    """R7: the server is killed again while its clients come back."""
    graph.join("A", "B")
    graph.join("B", "A")
    graph.ready()
    connection = await ControlConnection.open(Address.from_string(graph.address))
    before = await look(connection)
    moments = random.Random(7)
    for _ in range(5):
        graph.kill_server()
        graph.serve_again()
        await asyncio.sleep(moments.uniform(0, 0.3))  # at any moment of their return
    await look_until(connection, before)
    graph.balance()
    await connection.close()
    graph.end()


async def test_a_frozen_server_is_waited_for_and_forgets_nothing(graph: Graph) -> None:
    """R7: nobody loses anything by a server that stands still for a while."""
    graph.join("A", "A")
    graph.ready()
    connection = await ControlConnection.open(Address.from_string(graph.address))
    before = await look(connection)
    epoch = connection.epoch
    graph.server.process.send_signal(signal.SIGSTOP)
    with pytest.raises(DeadlineExceeded):
        await take_snapshot(connection, timeout=0.3)
    graph.balance()
    graph.server.process.send_signal(signal.SIGCONT)
    assert await look(connection) == before
    assert connection.epoch == epoch
    await connection.close()
    graph.end()


async def test_a_stream_over_a_killed_server_says_where_it_begins_anew(graph: Graph) -> None:
    connection = await ControlConnection.open(Address.from_string(graph.address))
    process = ProcessControlClient(Address.from_string(graph.address))
    async with asyncio.timeout(HANG):
        async with aclosing(follow_topology(connection)) as items:
            await process.register(["A"])
            assert (await anext(items)).seq == 1
            await asyncio.to_thread(graph.kill_server)
            await asyncio.to_thread(graph.serve_again)
            assert isinstance(await anext(items), Reset)
    await process.close()
    await connection.close()


# --- R5: frozen processes ----------------------------------------------------------------------------------


async def create_publisher(context: ez.GraphContext) -> None:
    (await context.publisher("A/FROM_A")).close()


async def create_subscriber(context: ez.GraphContext) -> None:
    (await context.subscriber("A/OUT")).close()


async def connect(context: ez.GraphContext) -> None:
    await context.connect("NEW", "A/FROM_A")


async def disconnect(context: ez.GraphContext) -> None:
    await context.disconnect("A/OUT", "B/FROM_A")


async def pause(context: ez.GraphContext) -> None:
    await context.pause()


async def sync(context: ez.GraphContext) -> None:
    await context.sync(timeout=0.5)


async def sync_as_it_is(context: ez.GraphContext) -> None:
    await context.sync()


async def snapshot(context: ez.GraphContext) -> None:
    await context.snapshot()


async def route(context: ez.GraphContext) -> None:
    """A large request, which does not fit into what the system keeps for a process that does not read."""
    response = await context.process_request("A", "TAKE", payload=bytes(16 * 1024 * 1024), timeout=0.5)
    assert not response.ok


@pytest.mark.parametrize(
    "call", [create_publisher, create_subscriber, connect, disconnect, pause, sync, sync_as_it_is, snapshot, route]
)
async def test_every_call_ends_while_a_process_is_frozen(graph: Graph, call: Any) -> None:
    """R5: it is publisher, subscriber, session and process of units in one; afterwards nothing needs a restart."""
    graph.join("A", "A")
    graph.join("B", "A")
    graph.ready()
    graph.nodes["A"].process.send_signal(signal.SIGSTOP)
    async with asyncio.timeout(HANG), ez.GraphContext(Address.from_string(graph.address)) as context:
        try:
            async with asyncio.timeout(CALL_LIMIT_S):
                await call(context)
        except EzmsgError:
            pass  # typed, and in time
        await context.snapshot()
        graph.nodes["A"].process.send_signal(signal.SIGCONT)
        await context.resume()
    graph.balance()
    graph.end()
