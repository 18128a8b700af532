"""Programs that meet over Zenoh, and a graph server for them."""

import os
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
from tests.ports import unused_port
from tests.zenoh.hosts import Hosts

import ezmsg.core as ez

HANG = 30.0
PROGRAMS = Path(__file__).parent / "programs"
MODULES = {"ezmsg": "ezmsg.control", "ezmsg-graphserver": "ezmsg.graphserver"}
"""The commands, which speak on standard error."""


class Program:
    """A process that says on its output what it does: one of ``programs``, or the command.

    :param on: what stands before its command line, so that it runs on another host.
    """

    def __init__(
        self,
        *arguments: str,
        config: str = "",
        server: str = "",
        graph: str = "",
        on: Sequence[str] = (),
        environ: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        every = {
            **os.environ,
            "EZMSG_ZENOH_CONFIG": config,
            "EZMSG_GRAPHSERVER_ADDR": server,
            "EZMSG_ZENOH_GRAPH": graph,
            **environ,
        }
        module = MODULES.get(arguments[0])
        begin = ["-m", module] if module else [str(PROGRAMS / arguments[0])]
        self.process = subprocess.Popen(
            [*on, sys.executable, *begin, *arguments[1:]],
            env={name: value for name, value in every.items() if value},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
        )
        self._unread = b""
        self._speaks = self.process.stderr if module else self.process.stdout

    def says(self) -> str:
        """Return its next line; of the command, its next note."""
        assert self._speaks is not None
        deadline_s = time.monotonic() + HANG
        while b"\n" not in self._unread:
            if not select.select([self._speaks], [], [], max(0.0, deadline_s - time.monotonic()))[0]:
                raise TimeoutError
            piece = os.read(self._speaks.fileno(), 4096)
            if not piece:
                assert self.process.stderr is not None
                raise AssertionError(self.process.stderr.read().decode())
            self._unread += piece
        line, _, self._unread = self._unread.partition(b"\n")
        return line.decode()

    def until(self, line: str) -> None:
        while (said := self.says()) != line:
            assert not said.startswith("not all"), said

    def go(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(b"go\n")

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def close(self) -> None:
        self.kill()
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            assert pipe is not None
            pipe.close()


def routed(start: Callable[..., Program], *words: str, **options: Any) -> Program:
    """Start a router, and return when it listens."""
    router = start("ezmsg", "zenoh", "router", *words, **options)
    said = router.says()
    assert "A router of Zenoh listens at" in said, said
    return router


@pytest.fixture
def start() -> Iterator[Callable[..., Program]]:
    programs: list[Program] = []

    def started(*arguments: str, **options: Any) -> Program:
        programs.append(Program(*arguments, **options))
        return programs[-1]

    yield started
    for program in programs:
        program.close()


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    folder = tmp_path / "run"
    folder.mkdir(mode=0o700)
    monkeypatch.setenv("EZMSG_RUNTIME_DIR", str(folder))
    server = ez.GraphServer()
    server.start(("127.0.0.1", 0))
    yield str(server.address)
    server.stop()


@pytest.fixture
def port() -> int:
    return unused_port()


@pytest.fixture
def other_port() -> int:
    return unused_port()


@pytest.fixture
def hosts() -> Iterator[Hosts]:
    if shutil.which("ip") is None:
        pytest.skip("there is no `ip` here")
    hosts = Hosts()
    try:
        why_not = hosts.set_up()
        if why_not:
            pytest.skip(f"there can be no network namespaces here: {why_not}")
        yield hosts
    finally:
        hosts.remove()
