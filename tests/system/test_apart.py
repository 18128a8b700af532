"""Two ends on one host that cannot share memory, for whatever reason: TCP takes over, and nothing is lost."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import ezmsg.core as ez

PROGRAM = Path(__file__).parent / "programs" / "data_plane.py"
SAID = "cannot share memory"
LARGE = 200_000
"""Numbers in a message for which a larger segment has to be made."""

NOBODY = "65534"
AS_NOBODY = [
    *("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"),
    *("--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"),  # its interpreter may be root's
]
users = pytest.mark.skipif(
    not hasattr(os, "getuid") or os.getuid() != 0 or shutil.which("setpriv") is None,
    reason="only root can start programs as somebody else, and needs setpriv for it",
)
linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the limits are Linux's")


class Ends:
    """A graph server in this process, and ends in processes of their own that differ in how they are started."""

    def __init__(self, start: Any, folder: Path) -> None:
        self._start = start
        self._folder = folder
        self._programs: list[Any] = []
        self.server = ez.GraphServer()
        self.server.start(("127.0.0.1", 0))

    def join(self, role: str, *options: str, prefix: tuple[str, ...] = (), **more: str) -> Any:
        command = [*prefix, sys.executable, str(PROGRAM), role, "--address", str(self.server.address), *options]
        program = self._start.command(*command, stdin=subprocess.PIPE, EZMSG_TOKEN="one for all", **more)
        self._programs.append(program)
        return program

    def folder(self, name: str, owner: int | None = None) -> str:
        """A runtime folder of one's own."""
        path = self._folder / name
        path.mkdir(mode=0o700)
        if owner is not None:
            os.chown(path, owner, owner)
        return str(path)

    def ready(self) -> None:
        for program in self._programs:
            program.says("ready")

    def end(self) -> None:
        for program in self._programs:
            if program.process.poll() is None:
                tell(program, "end")
                assert program.ends() == 0
            assert "Traceback" not in program.errors, program.story()

    def close(self) -> None:
        for program in self._programs:
            program.process.stdin.close()
        self.server.stop()


@pytest.fixture
def ends(start: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ends]:
    monkeypatch.setenv("EZMSG_RUNTIME_DIR", str(tmp_path / "run"))
    monkeypatch.setenv("EZMSG_TOKEN", "one for all")
    ends = Ends(start, tmp_path)
    yield ends
    ends.close()


def tell(program: Any, *words: object) -> None:
    program.process.stdin.write(" ".join(map(str, words)) + "\n")
    program.process.stdin.flush()


def ask(program: Any, *words: object) -> list[str]:
    before = sum(line.startswith(str(words[0])) for line in program.out)
    tell(program, *words)
    return list(program.says(str(words[0]), before + 1)[1:])


def numbers(first: int, count: int) -> list[str]:
    return [str(number) for number in range(first, first + count)]


def said(*programs: Any) -> int:
    return sum(program.errors.count(SAID) for program in programs)


# --- from the beginning -----------------------------------------------------------------------------------------


@users
@pytest.mark.parametrize("portable", ["0", "1"])
@pytest.mark.parametrize("who", ["publisher", "subscriber"])
def test_ends_of_different_users(ends: Ends, who: str, portable: str) -> None:
    roles = {}
    for role in ("publisher", "subscriber"):
        other = role == who
        folder = ends.folder(role, int(NOBODY) if other else None)
        prefix = tuple(AS_NOBODY) if other else ()
        more = {"EZMSG_RUNTIME_DIR": folder, "EZMSG_PORTABLE": portable}
        roles[role] = ends.join(role, prefix=prefix, **more)
    ends.ready()
    tell(roles["publisher"], "send", 0, 100)
    assert ask(roles["subscriber"], "take", 100) == numbers(0, 100)
    assert ask(roles["subscriber"], "kind") == ["TCP"]
    assert said(roles["subscriber"]) == 1, roles["subscriber"].story()
    ends.end()


def test_segments_in_different_folders(ends: Ends) -> None:
    publisher = ends.join("publisher", EZMSG_PORTABLE="1", EZMSG_RUNTIME_DIR=ends.folder("mine"))
    subscriber = ends.join("subscriber", EZMSG_PORTABLE="1", EZMSG_RUNTIME_DIR=ends.folder("yours"))
    ends.ready()
    tell(publisher, "send", 0, 100)
    assert ask(subscriber, "take", 100) == numbers(0, 100)
    assert ask(subscriber, "kind") == ["TCP"]
    assert said(subscriber) == 1, subscriber.story()

    again = ends.join("publisher", EZMSG_PORTABLE="1", EZMSG_RUNTIME_DIR=ends.folder("theirs"))
    ends.ready()
    ask(again, "send", 100, 20)
    tell(again, "end")
    assert again.ends() == 0  # it does not go before what it sent is read
    assert ask(subscriber, "take", 20) == numbers(100, 20)
    ends.end()


def limit(publisher: Any, subscriber: Any, who: str) -> None:
    """Let one end have no room for eight slots of large messages."""
    ask(*(publisher, "limit", "FSIZE", 10**6) if who == "publisher" else (subscriber, "limit", "AS", 20 * 10**6))


# --- in the middle ----------------------------------------------------------------------------------------------


@linux
@pytest.mark.parametrize("who", ["publisher", "subscriber"])
def test_a_larger_segment_cannot_be_made_or_mapped(ends: Ends, who: str) -> None:
    publisher, subscriber = ends.join("publisher", "--num-buffers", "8"), ends.join("subscriber")
    witness = ends.join("subscriber")
    ends.ready()
    tell(publisher, "send", 0, 5)
    assert ask(subscriber, "take", 2) == numbers(0, 2)
    tell(witness, "take", 100)
    assert ask(subscriber, "kind") == ["SHM"]
    limit(publisher, subscriber, who)
    tell(publisher, "send", 5, 45, LARGE)
    assert ask(subscriber, "take", 48) == numbers(2, 48)
    assert ask(subscriber, "kind") == ["TCP"]
    tell(publisher, "send", 50, 50)
    assert ask(subscriber, "take", 50) == numbers(50, 50)
    assert witness.says("take")[1:] == numbers(0, 100)
    assert ask(witness, "kind") == ["TCP" if who == "publisher" else "SHM"]
    assert said(subscriber) == 1, subscriber.story()
    ends.end()


@linux
@pytest.mark.parametrize("who", ["publisher", "subscriber"])
def test_a_publisher_that_closes_at_once_waits_until_they_talk_over_tcp(ends: Ends, who: str) -> None:
    publisher, subscriber = ends.join("publisher", "--num-buffers", "8"), ends.join("subscriber")
    ends.ready()
    ask(publisher, "send", 0, 1)
    limit(publisher, subscriber, who)
    tell(publisher, "send", 1, 7, LARGE)
    tell(publisher, "close")
    assert publisher.says("close")[1:] == ["0"]
    tell(publisher, "end")
    assert publisher.ends() == 0
    assert ask(subscriber, "take", 8) == numbers(0, 8)
    ends.end()
