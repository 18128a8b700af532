"""Who holds a running graph back is found from outside, by its process and its task, and left as it was."""

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

import ezmsg.core as ez
from ezmsg.control import ControlConnection
from ezmsg.control.profiling.blame import Blame, measure_blame
from ezmsg.control.profiling.snapshots import profiling_snapshot_all

HANG = 30.0
WINDOW_S = 2.0
"""So that what the machine does besides is a small part of what the slow unit takes, 100 ms a message."""

PROGRAM = """
    class Source(ez.Unit):
        OUTPUT = ez.OutputStream(int)

        @ez.publisher(OUTPUT)
        async def count(self) -> Output:
            number = 0
            while True:
                yield self.OUTPUT, number
                number += 1

    class Middle(ez.Unit):
        INPUT = ez.InputStream(int)
        OUTPUT = ez.OutputStream(int)

        @ez.subscriber(INPUT)
        @ez.publisher(OUTPUT)
        async def hand_on(self, number: int) -> Output:
            yield self.OUTPUT, number

    class Slow(ez.Unit):
        INPUT = ez.InputStream(int)

        @ez.subscriber(INPUT)
        async def dawdle(self, number: int) -> None:
            time.sleep(0.1)

        @ez.subscriber(INPUT)
        async def note(self, number: int) -> None:
            pass

    class Quick(ez.Unit):
        INPUT = ez.InputStream(int)

        @ez.subscriber(INPUT)
        async def take(self, number: int) -> None:
            pass

    if __name__ == "__main__":
        source, middle, slow, quick = Source(), Middle(), Slow(), Quick()
        ez.run(
            SOURCE=source, MIDDLE=middle, SLOW=slow, QUICK=quick,
            connections=({connections}),
            process_components=(middle, slow, quick),
            graph_address=sys.argv[1],
        )
"""
BESIDE = "(source.OUTPUT, slow.INPUT), (source.OUTPUT, quick.INPUT)"
CHAIN = "(source.OUTPUT, middle.INPUT), (middle.OUTPUT, slow.INPUT), (middle.OUTPUT, quick.INPUT)"


@pytest.fixture
def server(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("EZMSG_RUNTIME_DIR", str(tmp_path / "run"))
    server = ez.GraphServer()
    server.start(("127.0.0.1", 0))
    yield server
    server.stop()


@asynccontextmanager
async def running(
    start: Callable[..., Any], server: Any, connections: str
) -> AsyncIterator[tuple[ControlConnection, dict[str, int]]]:
    """A connection to the server as soon as the source publishes, and the pid of each unit."""
    program = PROGRAM.replace("{connections}", connections)
    start(program, str(server.address), EZMSG_DISABLE_BACKPRESSURE_WARNING="1")
    async with ez.GraphContext(server.address, auto_start=False) as context, asyncio.timeout(HANG):
        pids: dict[str, int] = {}
        async for _ in context.subscribe_topology_events():
            processes = (await context.snapshot()).processes.values()
            pids = {unit: process.pid or 0 for process in processes for unit in process.units}
            if len(pids) == 4:
                break
        first = await context.subscriber("SOURCE/OUTPUT", leaky=True)
        await first.recv()
        first.close()
    connection = await ControlConnection.open(server.address)
    try:
        yield connection, pids
    finally:
        await connection.close()


def source_of(function: str, folder: Path) -> str:
    """Where the program that runs defines a function of a unit: at its decorator."""
    file = folder / "program_0.py"
    lines = file.read_text(encoding="utf-8").splitlines()
    (number,) = [number for number, line in enumerate(lines) if f" def {function}(" in line]
    return f"{file}:{number}"  # the line before, counted from 1


async def test_the_slow_unit_is_named_with_its_process_and_task(
    start: Callable[..., Any], server: Any, tmp_path: Path
) -> None:
    async with running(start, server, BESIDE) as (connection, pids):
        found = await measure_blame(connection, "SOURCE/OUTPUT", window_s=WINDOW_S)
        worst = found.culprits[0]
        assert (worst.topic, worst.pid) == ("SLOW/INPUT", pids["SLOW"]), found
        assert worst.share >= 0.9, found
        assert worst.tasks[0].name == "dawdle"
        assert worst.tasks[0].source == source_of("dawdle", tmp_path)
        assert worst.tasks[0].waited_ns >= 0.9 * found.waited_ns, found
        assert (worst.tasks[0].p50_ns or 0) >= 100_000_000
        assert found.share > 0.5
        assert all_of_it(found)
        left_on = await profiling_snapshot_all(connection)
        assert [each.tracers for each in left_on[0].values()] == [[], [], [], []]


async def test_a_unit_that_only_waits_hands_the_blame_on(start: Callable[..., Any], server: Any) -> None:
    async with running(start, server, CHAIN) as (connection, pids):
        found = await measure_blame(connection, "SOURCE/OUTPUT", window_s=WINDOW_S)
        worst = found.culprits[0]
        assert (worst.topic, worst.pid, worst.through) == ("SLOW/INPUT", pids["SLOW"], ["MIDDLE/INPUT"]), found
        assert worst.share >= 0.8, found  # the middle one has to have its turns on a machine that others use
        assert all_of_it(found)


def all_of_it(found: Blame) -> bool:
    return sum(each.waited_ns for each in found.culprits) + found.unattributed_ns == found.waited_ns


async def test_the_command_says_it(start: Callable[..., Any], server: Any, tmp_path: Path) -> None:
    async with running(start, server, BESIDE) as (_, pids):
        said = await asyncio.to_thread(ezmsg, server, "blame", "SOURCE/OUTPUT", "--window", "2")
        first, second, *_, last = said.stdout.splitlines()
        assert first.startswith("SOURCE/OUTPUT waited "), said
        assert first.endswith(" %), with 32 buffers")
        assert re.search(rf"SLOW/INPUT +pid {pids['SLOW']}   busy ", second)
        source = source_of("dawdle", tmp_path)
        assert second.endswith(f"   dawdle  {Path(source).name}")
        assert last.startswith(f"Next: ezmsg process stacks {pids['SLOW']}")
        said = await asyncio.to_thread(ezmsg, server, "blame", "SOURCE/OUTPUT", "--window", "1", "--json")
        told = json.loads(said.stdout)
        assert told["$schema"] == "ezmsg.blame/1"
        assert told["culprits"][0]["topic"] == "SLOW/INPUT"
        assert told["culprits"][0]["tasks"][0]["source"] == source
        said = await asyncio.to_thread(ezmsg, server, "blame", "SOU", "--window", "1")
        assert said.stdout.startswith("SOURCE/OUTPUT waited "), said
        said = await asyncio.to_thread(ezmsg, server, "blame", "--window", "1")
        assert said.stdout.startswith("SOURCE/OUTPUT waited "), said
        said = await asyncio.to_thread(ezmsg, server, "blame", "NOWHERE")
        assert said.returncode == 4
        assert said.stderr.startswith("ezmsg: EZ-4302  No process that answers has a publisher on 'NOWHERE'. Those")
        said = await asyncio.to_thread(ezmsg, server, "snapshot")
        assert f"pid {pids['SLOW']} on " in said.stdout
        assert "   -> SOURCE/OUTPUT" in said.stdout


def ezmsg(server: Any, *arguments: str) -> subprocess.CompletedProcess[str]:
    code = "import sys; from ezmsg.control.cli import main; sys.exit(main())"
    command = [sys.executable, "-c", code, "profile", *arguments, "--address", str(server.address)]
    return subprocess.run(command, capture_output=True, text=True, timeout=HANG, check=False)


@pytest.mark.parametrize("ended_by", ["interrupt", "server"])
async def test_a_trace_that_ends_early_is_kept(
    start: Callable[..., Any], server: Any, tmp_path: Path, ended_by: str
) -> None:
    file = tmp_path / "trace.json"
    code = (
        "import sys\n"
        "from ezmsg.control.cli import main\n"
        "from ezmsg.control.profiling.tracing import Tracing\n"
        "collect = Tracing.collect\n"
        "async def told(tracing):\n"
        "    await collect(tracing)\n"
        "    if tracing.batches: print('traced', flush=True)\n"
        "Tracing.collect = told\n"
        "sys.exit(main())\n"
    )
    arguments = ["profile", "trace", "-o", str(file), "--format", "chrome", "--seconds", "25"]
    command = [sys.executable, "-c", code, *arguments, "--address", str(server.address)]
    async with running(start, server, BESIDE):
        pipe = subprocess.PIPE
        with subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True) as tracing:  # noqa: ASYNC220  at once
            try:
                assert tracing.stdout is not None
                assert await asyncio.to_thread(tracing.stdout.readline) == "traced\n"
                if ended_by == "interrupt":
                    tracing.send_signal(signal.SIGINT)
                else:
                    await asyncio.to_thread(server.stop)
                _, said = await asyncio.to_thread(tracing.communicate, timeout=HANG)
            finally:
                tracing.kill()
        assert tracing.returncode == (0 if ended_by == "interrupt" else 3), said
        why = "Interrupted" if ended_by == "interrupt" else f"The graph server at {server.address} is gone"
        assert f"{why}: what was traced until now is kept.\n" in said
        assert json.loads(file.read_text(encoding="utf-8"))


async def test_a_program_that_dies_meanwhile_is_a_gap(start: Callable[..., Any], server: Any) -> None:
    async with running(start, server, BESIDE) as (connection, pids):
        asyncio.get_running_loop().call_later(0.5, os.kill, pids["SLOW"], signal.SIGKILL)
        found = await measure_blame(connection, "SOURCE/OUTPUT", window_s=WINDOW_S, timeout=HANG)
        # The run ends over it, so that what is asked of whom meets one gap or another.
        assert any(f"pid {pids['SLOW']} " in gap or "'SLOW', left" in gap for gap in found.gaps), found
        assert "SLOW/INPUT" not in [culprit.topic for culprit in found.culprits]
        assert all_of_it(found)
