"""The page on how to find the slow unit is followed to the letter, and the numbers in it are of the right kind."""

import asyncio
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import ezmsg.core as ez

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "how-to" / "find-the-slow-unit.md").read_text(encoding="utf-8")
HANG = 30.0


def consoles() -> dict[str, list[str]]:
    """What the page shows to be typed, and what it shows to come of it."""
    blocks = re.findall(r"^```console\n\$ (.*?)\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    return {command: shown.splitlines() for command, shown in blocks}


def kind_of(line: str) -> str:
    """A line without its numbers and their units of time, without folders, and without the name of the machine."""
    line = re.sub(r'"[^"]*/', '"', re.sub(r" on \S+ ", " on # ", line))
    return re.sub(r"[\d.]+( (ms|us|s)\b)?", "#", " ".join(line.split()))


def sources(line: str) -> list[str]:
    """The places in files that a line names."""
    return re.findall(r"\w+\.py\W+(?:line )?\d+", line)


def is_like(said: list[str], shown: list[str]) -> bool:
    """Whether all lines that the page shows were said in their order, others in place of its dots."""
    rest = iter([(kind_of(line), sources(line)) for line in said])
    return all((kind_of(line), sources(line)) in rest for line in shown if line != "...")


def run(command: list[str]) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
    return subprocess.run(
        command, capture_output=True, text=True, timeout=HANG, check=False, env={**os.environ, "PATH": path}
    )


async def test_the_page(start: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EZMSG_RUNTIME_DIR", str(tmp_path / "run"))
    server = ez.GraphServer()
    server.start(("127.0.0.1", 0))
    monkeypatch.setenv("EZMSG_GRAPHSERVER_ADDR", str(server.address))
    try:
        (begin, _), (ask, shown), (look, stacks) = consoles().items()
        python, example = shlex.split(begin)
        assert python == "python"
        program = start.command(
            sys.executable, str(ROOT / example), EZMSG_GRAPHSERVER_ADDR=str(server.address), EZMSG_LOGLEVEL="INFO"
        )
        await asyncio.to_thread(program.says, "nothing", 30)
        warned = "GENERATOR/OUTPUT under subscriber backpressure!"
        assert warned in PAGE
        assert warned in program.errors

        done = await asyncio.to_thread(run, shlex.split(ask))
        said = done.stdout.splitlines()
        assert done.returncode == 0, done.stderr
        assert [kind_of(line) for line in said[:2]] == [kind_of(line) for line in shown[:2]]
        assert sources(said[1]) == sources(shown[1])
        assert float(said[1].split()[0]) >= 90
        assert shown[-1] == f"Next: {look}"
        assert kind_of(said[-1]) == kind_of(shown[-1])

        for _ in range(10):  # of a hundred times that one looks, it is elsewhere once or twice
            done = await asyncio.to_thread(run, shlex.split(said[-1].removeprefix("Next: ")))
            assert done.returncode == 0, done.stderr
            if is_like(done.stdout.splitlines(), stacks):
                break
        assert is_like(done.stdout.splitlines(), stacks), done.stdout

        (source,) = re.findall(r"^```python\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
        done = await asyncio.to_thread(run, [sys.executable, "-c", source])
        assert re.fullmatch(r"CLASSIFY/INPUT in process \d+: (9\d|100)% of \d\.\d s\n", done.stdout), done
    finally:
        server.stop()


def test_every_command_that_is_named_exists() -> None:
    for noun, verb in re.findall(r"\bezmsg (profile|process) (\w+)", PAGE):
        assert run(["ezmsg", noun, verb, "--help"]).returncode == 0
    assert {"blame", "snapshot", "trace"} == set(re.findall(r"`ezmsg profile (\w+)", PAGE))
