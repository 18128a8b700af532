"""The page on three computers, followed word by word on three hosts by somebody who has nothing."""

import os
import re
import select
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.zenoh.hosts import DESK, LAB, STORE, Hosts

HANG = 60.0
PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "three-computers.md"
NAMES = {LAB: "lab", STORE: "store", DESK: "desk"}

SSH = """#!/bin/bash
host=$1; shift
cd "$HOMES/$host" && HOME=$PWD bash -c "$*"
"""
SCP = """#!/bin/bash
[ "$1" = -p ] && shift
to=${!#}
cp -p "${@:1:$#-1}" "$HOMES/${to/:/\\/}"
"""
"""They reach the homes of the three."""

pytestmark = pytest.mark.timeout(300)


class Typed:
    """A command that was typed into a terminal of one of the three."""

    def __init__(self, hosts: Hosts, at: str, command: str, environ: dict[str, str]) -> None:
        home = Path(environ["HOMES"]) / NAMES[at]
        self.process = subprocess.Popen(
            [*hosts.on(at), "bash", "-c", command],
            cwd=home,
            env={**environ, "HOME": str(home), "EZMSG_RUNTIME_DIR": str(home / "run")},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            bufsize=0,
            start_new_session=True,
        )
        self.said: list[str] = []
        self._unread = b""

    def says(self, words: str) -> str:
        """Wait for a line that has these words, and return it."""
        assert self.process.stdout is not None
        end_s = time.monotonic() + HANG
        while True:
            while b"\n" not in self._unread:
                ready = select.select([self.process.stdout], [], [], max(0.0, end_s - time.monotonic()))[0]
                piece = os.read(self.process.stdout.fileno(), 4096) if ready else b""
                assert piece, f"no {words!r} in {self.said} {self._unread!r}"
                self._unread += piece
            line, _, self._unread = self._unread.partition(b"\n")
            self.said.append(line.decode())
            if words in self.said[-1]:
                return self.said[-1]

    def ends(self) -> int:
        said, _ = self.process.communicate(timeout=HANG)
        self.said += (self._unread + said).decode().splitlines()
        return self.process.returncode

    def close(self) -> None:
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()


class Desk:
    """Where somebody sits who has read the page, and has terminals on all three."""

    def __init__(self, hosts: Hosts, folder: Path) -> None:
        self.hosts = hosts
        self.typed: list[Typed] = []
        tools = folder / "tools"
        tools.mkdir()
        for name, text in (("ssh", SSH), ("scp", SCP)):
            (tools / name).write_text(text)
            (tools / name).chmod(0o755)
        path = f"{tools}:{Path(sys.executable).parent}:{os.environ['PATH']}"
        given = {name: value for name, value in os.environ.items() if not name.startswith("EZMSG_")}
        self.environ = {**given, "HOMES": str(folder), "PATH": path}
        for name in NAMES.values():
            (folder / name / "run").mkdir(parents=True, mode=0o700)

    def type(self, at: str, *lines: str) -> Typed:
        self.typed.append(Typed(self.hosts, at, "\n".join(lines), self.environ))
        return self.typed[-1]


@pytest.fixture
def desk(hosts: Hosts, tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(hosts, tmp_path)
    yield desk
    for typed in desk.typed:
        typed.close()


def test_the_page_is_what_happens(desk: Desk, tmp_path: Path) -> None:
    page = PAGE.read_text(encoding="utf-8")
    blocks = re.findall(r"^```(sh|text)\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    install, certificates, bring, config, router, server, export, graph, top = (
        text for language, text in blocks if language == "sh"
    )
    ready, beats = (text.strip() for language, text in blocks if language == "text")
    assert (install, top) == ("pip install ezmsg-zenoh\n", "ezmsg top\n")
    for name, text in re.findall(r"this is `(\w+\.py)`[^`]*```python\n(.*?)^```$", page, re.MULTILINE | re.DOTALL):
        for host in NAMES.values():
            (tmp_path / host / name).write_text(text)
    (copy,) = re.findall(r"`(scp [^`]*store:[^`]*)`", page)

    for lines in (certificates, bring, config, f"{copy}\n{copy.replace('store:', 'desk:')}"):
        typed = desk.type(LAB, "set -e", lines)
        assert typed.ends() == 0, typed.said
    routing = desk.type(LAB, f"exec {router}")
    routing.says("A router of Zenoh listens at tls/10.0.0.1:7447")
    assert ready in desk.type(LAB, server.replace("python", "exec python")).says("is ready at")
    show = desk.type(DESK, export, "exec python show.py")
    find = desk.type(STORE, export, "exec python find.py")
    deadline_s = time.monotonic() + HANG
    looked = ""
    while "DETECTOR/OUTPUT" not in looked or "SHOW/INPUT" not in looked:
        assert time.monotonic() < deadline_s, looked
        looking = desk.type(STORE, export, graph)
        looking.ends()
        looked = "\n".join(looking.said)
    play = desk.type(LAB, export, "exec python play.py")
    assert play.ends() == 0, play.said
    assert show.says("beats in") == beats
    alone = desk.type(LAB, "unset EZMSG_GRAPHSERVER_ADDR; ezmsg demo --seconds 10 --speed max --json")
    assert alone.ends() == 0
    # The same as on one computer.
    assert any(f'"beats": {beats.split()[0]},' in line for line in alone.said), alone.said
    assert show.ends() == 0, show.said
    find.process.send_signal(signal.SIGINT)
    assert find.ends() == 0, find.said
    stranger = desk.type(DESK, export, f"EZMSG_TOKEN_FILE= EZMSG_TOKEN={shlex.quote('guessed')} {graph}")
    assert stranger.ends() != 0
    assert any("EZ-3003" in line for line in stranger.said), stranger.said
