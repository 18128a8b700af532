"""The commands of ezmsg 3 as verbs of the ``ezmsg`` command."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

import ezmsg.core as ez
from ezmsg.core.commands.command_line import COMMANDS

HANG = 30.0
ENTRY = [sys.executable, "-c", "import sys; from ezmsg.control.cli import main; sys.exit(main())"]


@pytest.fixture
def server() -> Iterator[ez.GraphServer]:
    server = ez.GraphServer()
    server.start(("127.0.0.1", 0))
    yield server
    server.stop()


def ezmsg(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*ENTRY, *arguments],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        timeout=HANG,
        check=False,
    )


def test_help_lists_them_all_and_loads_nothing_of_the_core() -> None:
    code = (
        "import sys; from ezmsg.control.cli import main\n"
        "assert main(['--help']) == 0\n"
        "print(*(name for name in sys.modules if name.startswith('ezmsg.core.') or name == 'numpy'))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=HANG, check=True)
    assert all(f" {name} " in done.stdout for name in COMMANDS)
    faces = {"ezmsg.core.commands", "ezmsg.core.commands.programs", "ezmsg.core.demo"}
    loaded = set(done.stdout.splitlines()[-1].split())
    assert {name for name in loaded if not name.startswith("ezmsg.core.support")} <= faces


def test_a_drawing(server: ez.GraphServer) -> None:
    asyncio.run(ez.GraphService(server.address).connect("A/OUT", "B/\u202eIN"))
    done = ezmsg("mermaid", "-n", "--address", str(server.address))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("flowchart LR\n")
    assert r"\u202eIN" in done.stdout
    assert ezmsg("graphviz", EZMSG_GRAPHSERVER_ADDR=str(server.address)).stdout.startswith("digraph ezmsg {\n")


def test_errors_are_told_like_those_of_other_verbs() -> None:
    done = ezmsg("graphviz", "--address", "127.0.0.1:1")
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr.startswith("ezmsg: EZ-3001  No graph server answers at 127.0.0.1:1")
    done = ezmsg("dashboard")
    assert done.returncode == 4
    assert "pip install 'ezmsg[dashboard]>=4'" in done.stderr
    done = ezmsg("start", "--nonsense")
    assert done.returncode == 2
    assert "--nonsense" in done.stderr


def test_each_has_its_own_help() -> None:
    done = ezmsg("serve", "--help")
    assert done.returncode == 0
    assert done.stdout.startswith("usage: ezmsg serve ")
    assert "--log-file" in done.stdout


def test_a_server_is_served_until_a_signal() -> None:
    server = ez.GraphServer()
    server.start(("127.0.0.1", 0))
    server.stop()
    with subprocess.Popen(
        [*ENTRY, "serve", "--address", str(server.address)], stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stderr is not None
            assert f"Started GraphServer at {server.address}" in process.stderr.readline()
            process.send_signal(signal.SIGINT)
            _, told = process.communicate(timeout=HANG)
        finally:
            process.kill()
    assert process.returncode == 0
    assert f"The graph server at {server.address} has ended" in told


@pytest.mark.parametrize(
    ("module", "first"),
    [("ezmsg.core", "ezmsg-core"), ("ezmsg.graphserver", "ezmsg-graphserver"), ("ezmsg.tui", "ezmsg-tui")],
)
def test_every_command_tells_all_versions(module: str, first: str) -> None:
    command = [sys.executable, "-m", module, "--version"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=HANG, check=True)
    lines = done.stdout.splitlines()
    assert lines[0].startswith(f"{first} ")
    assert len(lines) >= 6
    assert sorted(lines) == sorted(ezmsg("--version").stdout.splitlines())
