"""What is claimed of shared memory, what happens when there is no more, and what is given back."""

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import ezmsg.core as ez

PROGRAM = Path(__file__).parent / "programs" / "data_plane.py"
LARGE = 1_000_000
"""Numbers in a message of eight megabytes."""

HANG = 30.0
TOKEN = "one for all"

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="this is how Linux tells of memory")


def tell(program: Any, *words: object) -> None:
    program.process.stdin.write(" ".join(map(str, words)) + "\n")
    program.process.stdin.flush()


def ask(program: Any, *words: object) -> list[str]:
    before = sum(line.startswith(str(words[0])) for line in program.out)
    tell(program, *words)
    return list(program.says(str(words[0]), before + 1)[1:])


def numbers(first: int, count: int) -> list[str]:
    return [str(number) for number in range(first, first + count)]


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[ez.GraphServer]:
    monkeypatch.setenv("EZMSG_RUNTIME_DIR", str(tmp_path / "run"))
    monkeypatch.setenv("EZMSG_TOKEN", TOKEN)
    server = ez.GraphServer()
    server.start(("127.0.0.1", 0))
    yield server
    server.stop()


def join(start: Any, server: ez.GraphServer, **more: str) -> list[Any]:
    address = ["--address", str(server.address)]
    programs = [
        start.command(sys.executable, str(PROGRAM), role, *address, stdin=subprocess.PIPE, **more)
        for role in ("publisher", "subscriber")
    ]
    for program in programs:
        program.says("ready")
    return programs


def end(*programs: Any) -> None:
    for program in programs:
        tell(program, "end")
        assert program.ends() == 0
        assert "Traceback" not in program.errors, program.story()
        program.process.stdin.close()


def in_shared_memory(program: Any) -> int:
    """The bytes of shared memory that a process has in use."""
    lines = Path(f"/proc/{program.pid}/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("RssShmem"))


def test_what_a_burst_took_is_given_back(start: Any, server: ez.GraphServer) -> None:
    publisher, subscriber = join(start, server, EZMSG_TOKEN=TOKEN)
    ask(publisher, "send", 0, 20, LARGE)
    assert in_shared_memory(publisher) > 20 * 8 * LARGE * 0.9
    assert ask(subscriber, "take", 20) == numbers(0, 20)
    number, deadline = 20, time.monotonic() + HANG
    while max(in_shared_memory(publisher), in_shared_memory(subscriber)) > 2**22:
        assert time.monotonic() < deadline, "the memory is still in use"
        ask(publisher, "send", number, 10)
        assert ask(subscriber, "take", 10) == numbers(number, 10)
        number += 10
    ask(publisher, "send", number, 3, LARGE)
    assert ask(subscriber, "take", 3) == numbers(number, 3)
    end(publisher, subscriber)


@pytest.fixture
def small_folder(tmp_path: Path) -> Iterator[Path]:
    """A runtime folder in which there is room for four megabytes."""
    folder = tmp_path / "small"
    folder.mkdir(mode=0o700)
    command = ["mount", "-t", "tmpfs", "-o", "size=4m,mode=700", "tmpfs", str(folder)]
    with contextlib.suppress(FileNotFoundError):
        if os.getuid() == 0 and subprocess.run(command, check=False, capture_output=True).returncode == 0:
            yield folder
            subprocess.run(["umount", "-l", str(folder)], check=True)
            return
    pytest.skip("a small file system can only be made by root, where mounting is allowed")


def test_a_message_without_room_is_refused_and_nobody_dies(
    start: Any, server: ez.GraphServer, small_folder: Path
) -> None:
    more = {"EZMSG_PORTABLE": "1", "EZMSG_RUNTIME_DIR": str(small_folder), "EZMSG_TOKEN": TOKEN}
    publisher, subscriber = join(start, server, **more)
    ask(publisher, "send", 0, 3, 1000)
    assert ask(publisher, "refused", LARGE) == ["SharedMemoryFull"]
    ask(publisher, "send", 3, 3, 1000)
    assert ask(subscriber, "take", 6) == numbers(0, 6)
    end(publisher, subscriber)
