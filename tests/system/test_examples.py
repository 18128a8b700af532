"""What the documentation shows is run: each example as a process of its own, as a reader would start it."""

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ezmsg.graphserver import GraphServer

ROOT = Path(__file__).parents[2]
EXAMPLES = sorted((ROOT / "docs" / "examples").glob("*.py"))
DEADLINE_S = 30.0
"""For a process that hangs; none needs a fraction of it."""

ENDLESS = {"first.py": r"#*"}
"""Examples that run until they are interrupted, and what their lines look like."""

LINES_BEFORE_INTERRUPT = 20


def blocks(path: Path) -> list[str]:
    """The Python programs that a page shows."""
    return re.findall(r"^```python\n(.*?)^```$", path.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


PROGRAMS = {
    f"{path.relative_to(ROOT)}-{number}": program
    for path in sorted(ROOT.glob("packages/*/README.md"))
    for number, program in enumerate(blocks(path), 1)
}


@pytest.fixture
def address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A graph server of the test's own, so that it does not matter what else runs here."""
    monkeypatch.setenv("EZMSG_RUNTIME_DIR", str(tmp_path))
    for name in ("EZMSG_TOKEN", "EZMSG_TOKEN_FILE"):
        monkeypatch.delenv(name, raising=False)
    server = GraphServer()
    server.start(("127.0.0.1", 0))
    yield str(server.address)
    server.stop()


@contextmanager
def program(address: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [sys.executable, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"EZMSG_GRAPHSERVER_ADDR": address},
    ) as process:
        watchdog = threading.Timer(DEADLINE_S, process.kill)
        watchdog.start()
        try:
            yield process
        finally:
            watchdog.cancel()
            process.kill()


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_an_example_runs(path: Path, address: str) -> None:
    with program(address, str(path)) as process:
        lines: list[str] = []
        if path.name in ENDLESS:
            lines += (process.stdout.readline() for _ in range(LINES_BEFORE_INTERRUPT))
            process.send_signal(signal.SIGINT)
        more, complaints = process.communicate()

    assert process.returncode == 0, complaints
    assert "Traceback" not in complaints
    line_of = ENDLESS.get(path.name, ".*")
    assert [one for one in [*lines, *more.splitlines()] if not re.fullmatch(line_of, one.rstrip("\n"))] == []


def test_the_readme_shows_the_first_example_as_it_is() -> None:
    assert (ROOT / "docs" / "examples" / "first.py").read_text(encoding="utf-8") in blocks(ROOT / "README.md")


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_in_a_readme_runs(name: str, address: str) -> None:
    with program(address, "-c", PROGRAMS[name]) as process:
        _, complaints = process.communicate()

    assert process.returncode == 0, complaints
    assert "Traceback" not in complaints
