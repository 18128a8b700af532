"""One rule for finding the graph, in real programs: see docs/explain/finding-the-graph.md."""

import json
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

HANG = 30.0
Start = Callable[..., Any]

RUN = "ez.run(HERE=Here())"
JOINS = {
    "GraphContext": """
        async def main():
            async with ez.GraphContext() as context:
                say("units", *sorted(u for p in (await context.snapshot()).processes.values() for u in p.units))
                say("spawned", context.server_spawned)
        asyncio.run(main())
    """,
    "sync": """
        with ez.sync.init() as context:
            subscriber = context.create_subscription("HERE/OUTPUT")
            say("got", subscriber.recv(timeout=30) >= 0)
    """,
    "publisher": """
        async def main():
            publisher = await ez.Publisher.create("ANOTHER")
            say("dag", "HERE/OUTPUT" in (await ez.GraphService().dag()).graph)
            publisher.close()
            await publisher.wait_closed()
        asyncio.run(main())
    """,
}
SAID = {"GraphContext": ["units HERE", "spawned False"], "sync": ["got True"], "publisher": []}


@pytest.fixture(autouse=True)
def _nobody_at_the_default_address() -> None:
    with socket.socket() as probe:
        if probe.connect_ex(("127.0.0.1", 25978)) == 0:
            pytest.skip("somebody has a graph server at the default address of this machine")


def running(start: Start, source: str = RUN) -> Any:
    program = start(source)
    program.says("running HERE")
    return program


def command(environment: dict[str, str], *words: str) -> subprocess.CompletedProcess[str]:
    code = "import sys; from ezmsg.control.cli import main; sys.exit(main())"
    return subprocess.run(
        [sys.executable, "-c", code, *words],
        env=environment,
        capture_output=True,
        text=True,
        timeout=HANG,
        check=False,
    )


@pytest.mark.parametrize("kind", JOINS)
def test_a_second_program_finds_the_first(start: Start, kind: str) -> None:
    first = running(start)
    second = start(JOINS[kind])
    assert second.ends() == 0
    for line in SAID[kind]:
        second.says(line)
    assert f"that of program_0.py (pid {first.pid}) at 127.0.0.1:" in second.errors
    assert "Started GraphServer" not in second.errors
    first.signal(signal.SIGINT)
    assert first.ends() == 0


def test_two_runs_side_by_side_stay_apart_and_then_one_has_to_be_named(
    start: Start, environment: dict[str, str]
) -> None:
    one, two = running(start), running(start)
    third = start(JOINS["GraphContext"])
    assert third.ends() == 1
    for program, name in ((one, "program_0.py"), (two, "program_1.py")):
        assert f"is {name} (pid {program.pid}, " in third.errors
    assert "unit HERE" in third.errors or "no units" in third.errors  # within a second of its start
    done = command(environment, "graph")
    assert (done.returncode, done.stdout) == (2, "")
    assert "program_0.py" in done.stderr
    for program in (one, two):
        program.signal(signal.SIGINT)
        assert program.ends() == 0


def test_the_command_ends_the_one_that_runs_and_python_m_draws_it(
    start: Start, environment: dict[str, str]
) -> None:
    first = running(start, "a = Here()\nez.run(HERE=a, connections=((a.OUTPUT, 'SOMEWHERE'),))")
    drawn = subprocess.run(
        [sys.executable, "-m", "ezmsg.core", "graphviz"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=HANG,
        check=True,
    )
    assert "SOMEWHERE" in drawn.stdout
    snapshot = json.loads(command(environment, "snapshot", "--json").stdout)
    assert "SOMEWHERE" in json.dumps(snapshot)
    done = command(environment, "shutdown")
    assert done.returncode == 0, done.stderr
    assert "has ended" in done.stderr
    first.signal(signal.SIGINT)
    first.ends()


def test_the_first_that_begins_one_is_found_by_the_second(start: Start) -> None:
    first = start(
        """
        async def main():
            async with ez.GraphContext() as context:
                publisher = await context.publisher("TOPIC", num_buffers=1)
                say("spawned", context.server_spawned)
                subscriber = await context.subscriber("ANSWER")
                await subscriber.recv()
        asyncio.run(main())
        """
    )
    first.says("spawned True")
    second = start(
        """
        with ez.sync.init() as context:
            context.create_publisher("ANSWER").publish("go")
        """
    )
    assert second.ends() == 0
    assert first.ends() == 0
