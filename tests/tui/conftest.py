"""A real server and a real graph of processes for the application, apart from what the developer's machine has."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from ezmsg.control import ControlConnection, take_snapshot
from ezmsg.graphserver import GraphServer
from ezmsg.protocol.addresses import Address

HANG = 30.0
LAB = Path(__file__).parent / "lab.py"


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Whatever server, token, keys or terminal the developer has, these tests do not see it."""
    for name in ("EZMSG_TOKEN", "EZMSG_TOKEN_FILE", "EZMSG_GRAPHSERVER_ADDR", "NO_COLOR", "TEXTUAL_THEME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("EZMSG_KEYS", str(tmp_path / "keys.toml"))
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    if "EZMSG_RUNTIME_DIR" not in os.environ or "ezmsg-lab" not in os.environ["EZMSG_RUNTIME_DIR"]:
        folder = tmp_path / "run"
        folder.mkdir(mode=0o700)
        monkeypatch.setenv("EZMSG_RUNTIME_DIR", str(folder))


class RunningLab:
    """The laboratory of `lab.py`, and its server."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.server = GraphServer()
        self.server.start(("127.0.0.1", 0))
        self.address = Address(*self.server.address)
        self.program = self.run()
        self._wait_for_units()

    def _wait_for_units(self) -> None:
        """Wait until every unit has a process."""

        async def look() -> None:
            connection = await ControlConnection.open(self.address)
            try:
                async with asyncio.timeout(HANG):
                    owned = 0
                    while owned < 3:
                        await asyncio.sleep(0.05)
                        owned = sum(
                            len(each.units) for each in (await take_snapshot(connection)).processes.values()
                        )
            finally:
                await connection.close()

        with ThreadPoolExecutor(1) as thread:  # a test's event loop may run in this one
            thread.submit(lambda: asyncio.run(look())).result(2 * HANG)

    def run(self) -> "subprocess.Popen[bytes]":
        environment = {**os.environ, "EZMSG_GRAPHSERVER_ADDR": str(self.address), "EZMSG_LOGLEVEL": "ERROR"}
        return subprocess.Popen(
            [sys.executable, str(LAB)], env=environment, stdin=subprocess.DEVNULL, start_new_session=True
        )

    def end(self) -> None:
        self.program.send_signal(signal.SIGINT)
        try:
            self.program.wait(HANG)
        except subprocess.TimeoutExpired:
            os.killpg(self.program.pid, signal.SIGKILL)
            self.program.wait(HANG)
        self.server.stop()


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningLab]:
    """The laboratory, running, for all tests of a module: they leave it as they found it."""
    folder = tmp_path_factory.mktemp("ezmsg-lab")
    folder.chmod(0o700)
    before = os.environ.get("EZMSG_RUNTIME_DIR")
    os.environ["EZMSG_RUNTIME_DIR"] = str(folder)
    running = RunningLab(folder)
    try:
        yield running
    finally:
        running.end()
        if before is None:
            del os.environ["EZMSG_RUNTIME_DIR"]
        else:
            os.environ["EZMSG_RUNTIME_DIR"] = before


async def until(pilot: Any, holds: Any, what: str = "") -> None:
    """Wait until something holds, while the application goes on."""
    deadline = time.monotonic() + HANG
    while not holds():
        if time.monotonic() >= deadline:
            pytest.fail(f"it never came to be that {what or holds}; the screen is\n{screen_text(pilot.app)}")
        await pilot.pause(0.05)


def screen_text(app: Any) -> str:
    """What is on the screen, as text."""
    lines = app.screen._compositor.render_strips()
    return "\n".join("".join(segment.text for segment in strip).rstrip() for strip in lines)
