"""Who is there: processes that are stopped, units whose loop is stuck, hosts that are cut off."""

import asyncio
import json
import os
import shlex
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

from ezmsg.control import ControlConnection
from ezmsg.control.graph.operations import take_snapshot
from ezmsg.control.graph.watching import follow_topology
from ezmsg.control.process.requests import route_request
from ezmsg.protocol.addresses import Address
from ezmsg.protocol.model.process_control import ProcessControlErrorCode, ProcessControlOperation
from ezmsg.protocol.model.snapshot import ProcessState
from ezmsg.protocol.wire.presence.lease import LEASE_S

HANG = 30.0
MORE_S = 2.0
"""What a machine that is busy may take more, in seconds: less than a lease."""

Start = Callable[..., Any]

APPLICATION = """
    class Sticky(ez.Unit):
        @ez.task
        async def stick(self):
            say("running")
            while True:
                await asyncio.sleep(0.05)
                if os.path.exists(sys.argv[1]):
                    os.remove(sys.argv[1])
                    time.sleep(5)
                    say("moves")

    if __name__ == "__main__":
        ez.run(STICKY=Sticky())
"""


@pytest.fixture
async def server(
    start: Start, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[ControlConnection]:
    """A connection to a graph server that is a process."""
    monkeypatch.setenv("EZMSG_RUNTIME_DIR", environment["EZMSG_RUNTIME_DIR"])
    server = start.command(sys.executable, "-m", "ezmsg.graphserver", "--address", "127.0.0.1:0")  # type: ignore[attr-defined]
    address = server.complains("ready at").split("ready at")[1].split()[0]
    connection = await ControlConnection.open(Address.from_string(address))
    connection.server_process = server  # type: ignore[attr-defined]
    yield connection
    await connection.close()


class States:
    """The states that the events tell, in their order, and when they came."""

    def __init__(self, connection: ControlConnection) -> None:
        self.came: list[tuple[float, ProcessState]] = []
        self._changed = asyncio.Event()
        self._task = asyncio.create_task(self._follow(connection))

    async def _follow(self, connection: ControlConnection) -> None:
        async with aclosing(follow_topology(connection)) as events:
            async for event in events:
                state = getattr(event, "process_state", None)
                if state is not None:
                    self.came.append((time.monotonic(), state))
                    self._changed.set()

    async def until(self, state: ProcessState) -> float:
        """Wait for a state, and return when it came."""
        async with asyncio.timeout(HANG):
            while not self.came or self.came[-1][1] is not state:
                self._changed.clear()
                await self._changed.wait()
        return self.came[-1][0]

    async def end(self) -> None:
        self._task.cancel()
        await asyncio.wait([self._task])


async def state_in_snapshot(connection: ControlConnection) -> ProcessState:
    (process,) = (await take_snapshot(connection)).processes.values()
    return process.state


def listed(address: Address) -> str:
    """What `ezmsg process` says of the one process."""
    command = [sys.executable, "-m", "ezmsg.control", "process", "--address", str(address), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=HANG)
    return str(json.loads(done.stdout.splitlines()[0])["state"])


async def ping(connection: ControlConnection, timeout: float) -> Any:
    return await route_request(connection, "STICKY", ProcessControlOperation.PING, timeout=timeout)


async def test_a_stopped_process_is_unresponsive_and_a_request_to_it_ends_with_the_lease(
    server: ControlConnection, start: Start, tmp_path: Path
) -> None:
    application = start(APPLICATION, str(tmp_path / "stick"), EZMSG_GRAPHSERVER_ADDR=str(server.address))
    application.says("running")
    states = States(server)
    await asyncio.sleep(LEASE_S / 2)  # so that it has beaten
    application.process.send_signal(signal.SIGSTOP)
    began = time.monotonic()
    response = await ping(server, 20.0)
    assert time.monotonic() - began < LEASE_S + MORE_S
    assert response.error_code == ProcessControlErrorCode.PROCESS_UNRESPONSIVE
    assert "no sign of life" in response.error
    assert await states.until(ProcessState.UNRESPONSIVE) - began < LEASE_S + MORE_S
    assert await state_in_snapshot(server) is ProcessState.UNRESPONSIVE
    began = time.monotonic()
    assert (await ping(server, 20.0)).error_code == ProcessControlErrorCode.PROCESS_UNRESPONSIVE
    assert time.monotonic() - began < MORE_S
    assert await asyncio.to_thread(listed, server.address) == "UNRESPONSIVE"
    application.process.send_signal(signal.SIGCONT)
    await states.until(ProcessState.ALIVE)
    assert (await ping(server, 20.0)).ok
    assert await state_in_snapshot(server) is ProcessState.ALIVE
    await states.end()
    application.process.send_signal(signal.SIGTERM)
    application.ends()


async def test_a_process_whose_units_do_not_move_is_stalled_and_answers(
    server: ControlConnection, start: Start, tmp_path: Path
) -> None:
    application = start(APPLICATION, str(tmp_path / "stick"), EZMSG_GRAPHSERVER_ADDR=str(server.address))
    application.says("running")
    states = States(server)
    (tmp_path / "stick").touch()
    await states.until(ProcessState.STALLED)
    began = time.monotonic()
    assert (await ping(server, 20.0)).ok
    assert time.monotonic() - began < MORE_S
    assert await state_in_snapshot(server) is ProcessState.STALLED
    application.says("moves")
    await states.until(ProcessState.ALIVE)
    assert [state for _, state in states.came] == [ProcessState.STALLED, ProcessState.ALIVE]
    await states.end()
    application.process.send_signal(signal.SIGTERM)
    application.ends()


async def test_a_server_that_was_stopped_lets_nobody_go_for_it(
    server: ControlConnection, start: Start, tmp_path: Path
) -> None:
    application = start(APPLICATION, str(tmp_path / "stick"), EZMSG_GRAPHSERVER_ADDR=str(server.address))
    application.says("running")
    before = await take_snapshot(server)
    (process,) = before.processes
    states = States(server)
    await asyncio.sleep(LEASE_S / 2)  # so that it has beaten
    stopped = server.server_process.process  # type: ignore[attr-defined]
    stopped.send_signal(signal.SIGSTOP)
    await asyncio.sleep(2 * LEASE_S)
    stopped.send_signal(signal.SIGCONT)
    after = await take_snapshot(server, HANG)
    assert list(after.processes) == [process]
    assert after.topology_seq == before.topology_seq
    await asyncio.sleep(LEASE_S)
    assert states.came == []
    assert server.lines == 1
    await states.end()
    application.process.send_signal(signal.SIGTERM)
    application.ends()


# --- hosts that are cut off -----------------------------------------------------------------------------------

END = """
    async def main():
        address, own, other = ("10.0.0.1", 25978), sys.argv[1], sys.argv[2]
        async with ez.GraphContext(address) as context:
            from ezmsg.control import ProcessControlClient

            process = ProcessControlClient(address)
            await process.register([own])
            publisher = await context.publisher(f"{own}/OUT")
            await context.connect(f"{other}/OUT", f"{own}/IN")
            subscriber = await context.subscriber(f"{own}/IN")

            async def publish():
                number = 0
                while True:
                    await publisher.broadcast(number)
                    number += 1
                    await asyncio.sleep(0.02)

            async def hear():
                expected, missing, twice = None, 0, 0
                while True:
                    number = await subscriber.recv()
                    missing += 0 if expected is None else max(0, number - expected)
                    twice += expected is not None and number < expected
                    expected = number + 1
                    say("heard", time.monotonic(), missing, twice, subscriber.messages_missed)

            say("joined")
            await asyncio.gather(publish(), hear())

    asyncio.run(main())
"""

OBSERVER = """
    from contextlib import aclosing

    from ezmsg.control import ControlConnection
    from ezmsg.control.graph.operations import take_snapshot
    from ezmsg.control.graph.watching import follow_topology
    from ezmsg.protocol.addresses import Address

    async def main():
        connection = await ControlConnection.open(Address("10.0.0.1", 25978))
        async with aclosing(follow_topology(connection)) as events:
            say("watching")
            async for event in events:
                snapshot = await take_snapshot(connection)
                units = [unit for process in snapshot.processes.values() for unit in process.units]
                dead = [unit for process in snapshot.dead.values() for unit in process.units]
                edges = sum(map(len, snapshot.graph.values()))
                state = getattr(getattr(event, "process_state", None), "value", "-")
                say("graph", time.monotonic(), "".join(sorted(units)) or "-", edges, "".join(dead) or "-", state)

    asyncio.run(main())
"""


class Hosts:
    """Programs on two machines with a network between that can be cut."""

    def __init__(self, start: Start, machines: list[str], folder: Path) -> None:
        self._start, self._machines, self._folder = start, machines, folder
        self._token = folder / "token"
        self._token.write_text("what both machines know", encoding="utf-8")
        self._token.chmod(0o600)
        self._count = 0

    def on(self, machine: int, source: str, *arguments: str) -> Any:
        self._count += 1
        path = self._folder / f"host_program_{self._count}.py"
        path.write_text("from run_units import *\n" + textwrap.dedent(source), encoding="utf-8")
        return self.command(machine, str(path), *arguments)

    def command(self, machine: int, *arguments: str) -> Any:
        runtime = self._folder / f"run_{machine}"
        runtime.mkdir(mode=0o700, exist_ok=True)
        command = (*shlex.split(self._machines[machine]), sys.executable, *arguments)
        return self._start.command(  # type: ignore[attr-defined]
            *command, EZMSG_TOKEN_FILE=str(self._token), EZMSG_RUNTIME_DIR=str(runtime)
        )

    def network(self, *, whole: bool) -> float:
        """Let packets through, or none, of which nobody is told: each host sends them to where nobody is."""
        for number, machine in enumerate(self._machines):
            name = machine.split()[-1]
            other = f"10.0.0.{2 - number} dev {name}-v"
            nobody = f"neigh replace {other} lladdr 02:00:00:00:00:99 nud permanent"
            change = f"neigh del {other}" if whole else nobody
            subprocess.run(["ip", "-n", name, *change.split()], check=True)
        return time.monotonic()


@pytest.fixture
def hosts(start: Start, machines: list[str], tmp_path: Path) -> Hosts:
    return Hosts(start, machines, tmp_path)


def after(program: Any, word: str, moment: float, fits: Callable[[list[str]], bool] = lambda _: True) -> list[str]:
    """Wait for a line with a moment later than another, and return its words."""
    times = 0
    while True:
        times += 1
        words: list[str] = program.says(word, times)
        if float(words[1]) > moment and fits(words):
            return words


CUT_S = float(os.environ.get("EZMSG_TEST_CUT_S", "6"))


def test_a_host_that_was_cut_off_is_missed_within_the_lease_and_back_within_two_seconds(hosts: Hosts) -> None:
    hosts.command(0, "-m", "ezmsg.graphserver", "--address", "10.0.0.1:25978").complains("ready at")
    observer = hosts.on(0, OBSERVER)
    observer.says("watching")
    near, far = hosts.on(0, END, "A", "B"), hosts.on(1, END, "B", "A")
    for end in (near, far):
        end.says("heard", 150)
    cut_s = hosts.network(whole=False)
    gone = after(observer, "graph", cut_s, lambda words: words[2] == "A")
    assert float(gone[1]) - cut_s < LEASE_S + 1.0, observer.story()
    assert gone[4] == "B", observer.story()
    after(observer, "graph", cut_s, lambda words: words[5] == "DEAD")  # its own event, before the other or after it
    assert far.complains("acknowledges nothing")
    time.sleep(max(0.0, cut_s + CUT_S - time.monotonic()))
    healed_s = hosts.network(whole=True)
    back = after(observer, "graph", healed_s, lambda words: words[2:4] == ["AB", "2"])
    heard = [after(end, "heard", healed_s + 0.05) for end in (near, far)]
    took = [float(words[1]) - healed_s for words in (back, *heard)]
    assert max(took) < 2.0 + MORE_S, (took, near.story()[-3000:], far.story()[-3000:])
    for end in (near, far):
        words = end.says("heard", len([line for line in end.out if line.startswith("heard")]) + 50)
        assert words[3] == "0", end.story()[-2000:]  # twice
        assert words[2] == words[4], end.story()[-2000:]  # what is missing is counted
