"""A server that was killed and has its state file again has its persistent edges, and units their settings."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

PROGRAM = Path(__file__).parent / "programs" / "dead_workers.py"
HANG_S = 30.0


class Servers:
    """One server after the other, at one address, with one state file."""

    def __init__(self, environment: dict[str, str], state: Path) -> None:
        self._environment = environment
        self._state = state
        self.address = "127.0.0.1:0"
        self.pid = 0

    def start(self) -> None:
        told = self.verb("server", "start", "--address", self.address, "--state", str(self._state), "--json")
        known = json.loads(told)
        self.address, self.pid = known["address"], known["pid"]

    def kill(self) -> None:
        os.kill(self.pid, signal.SIGKILL)
        deadline_s = time.monotonic() + HANG_S
        while Path(f"/proc/{self.pid}/stat").exists() and _state_of(self.pid) != "Z":
            assert time.monotonic() < deadline_s
            time.sleep(0.01)

    def verb(self, *words: str) -> str:
        command = [sys.executable, "-m", "ezmsg.control", *words]
        ran = subprocess.run(
            command, capture_output=True, text=True, timeout=60, env=self._environment, check=False
        )
        assert ran.returncode == 0, ran.stderr
        return ran.stdout

    def ask(self, *words: str) -> str:
        return self.verb(*words, "--address", self.address)


def _state_of(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
    except OSError:
        return "Z"


@pytest.fixture
def servers(environment: dict[str, str], tmp_path: Path) -> Iterator[Servers]:
    servers = Servers({**environment, "EZMSG_TOKEN": "secret"}, tmp_path / "state")
    servers.start()
    yield servers
    if _state_of(servers.pid) != "Z":
        os.kill(servers.pid, signal.SIGKILL)


def begin(start: Any, servers: Servers, gain: int) -> Any:
    program = start.command(
        sys.executable,
        str(PROGRAM),
        "fork",
        "fail_fast",
        EZMSG_GRAPHSERVER_ADDR=servers.address,
        EZMSG_TOKEN="secret",
    )
    pid = int(program.says("born")[1])
    program.says(f"heard {pid} {gain}")
    return program


@pytest.mark.skipif(sys.platform != "linux", reason="looks at a process in /proc")
def test_edges_and_settings_survive_the_server_and_the_program(start: Any, servers: Servers) -> None:
    program = begin(start, servers, gain=1)
    servers.ask("settings", "set", "VICTIM", "gain=7")
    servers.ask("graph", "connect", "VICTIM/OUTPUT", "SPY")
    servers.ask("graph", "connect", "X", "Y")
    servers.ask("graph", "disconnect", "X", "Y")
    servers.kill()
    servers.start()
    assert "-> SPY  (persistent)" in servers.ask("graph")
    assert "X" not in servers.ask("graph").split()

    # The program goes on, and is not disturbed: it has what was set, and is not told again.
    deadline_s = time.monotonic() + HANG_S
    while "VICTIM" not in servers.ask("process"):
        assert time.monotonic() < deadline_s
    assert "gain" in servers.ask("settings", "get", "VICTIM")
    program.signal(signal.SIGINT)
    assert program.ends() == 0
    assert [line.split()[2] for line in program.out if line.startswith("heard")] == ["1", "7"]

    # Another run of the program has what the operator set; and so has one after yet another server.
    again = begin(start, servers, gain=7)
    again.signal(signal.SIGINT)
    assert again.ends() == 0
    servers.kill()
    servers.start()
    last = begin(start, servers, gain=7)
    history = servers.ask("settings", "get", "VICTIM", "--json")
    assert "7" in history

    # What is set back to how the program has it need not stand any more.
    servers.ask("settings", "set", "VICTIM", "gain=1")
    last.signal(signal.SIGINT)
    assert last.ends() == 0
    final = begin(start, servers, gain=1)
    final.signal(signal.SIGINT)
    assert final.ends() == 0
    assert not [line for line in final.out if line.startswith("heard") and line.split()[2] != "1"]
    servers.ask("server", "stop")
