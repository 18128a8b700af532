"""What the documentation shows is run: each example as a process of its own, as a reader would start it."""

import os
import re
import shlex
import shutil
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

ENDLESS = {"first.py": r"#*", "slow_unit.py": "found|nothing"}
"""Examples that run until they are interrupted, and what their lines look like."""

LINES_BEFORE_INTERRUPT = 20


def blocks(path: Path) -> list[str]:
    """The Python programs that a page shows."""
    return re.findall(r"^```python\n(.*?)^```$", path.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


def console(path: Path) -> Iterator[tuple[str, list[str]]]:
    """The commands that a page shows, each with the lines that it is said to print."""
    for block in re.findall(r"^```console\n(.*?)^```$", path.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE):
        for step in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, *lines = step.splitlines()
            yield command, lines


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


# --- a page that is a conversation between terminals --------------------------------------------------------

PAGE = ROOT / "docs" / "how-to" / "change-a-setting.md"
VARYING = {r"127\.0\.0\.1:\d+": "ADDRESS", r"\d\d:\d\d:\d\d": "TIME", r"[\d.]+ ms": "TOOK"}
"""What no two runs have in common."""


def alike(lines: list[str]) -> list[str]:
    text = "\n".join(lines)
    for pattern, word in VARYING.items():
        text = re.sub(pattern, word, text)
    return text.splitlines()


class Terminal:
    """One command of a page, with what it writes."""

    def __init__(self, command: str, folder: Path) -> None:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("EZMSG_")}
        paths = os.pathsep.join([str(Path(sys.executable).parent), environment.get("PATH", "")])
        # Unbuffered, so that output and notes come in the order in which a terminal shows them.
        environment |= {"PATH": paths, "EZMSG_RUNTIME_DIR": str(folder / "run"), "PYTHONUNBUFFERED": "1"}
        name, *arguments = shlex.split(command)
        program = shutil.which(name, path=paths)
        if program is None:
            pytest.skip(f"the command {name} is not installed here")
        self.process = subprocess.Popen(
            [program, *arguments],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.lines: list[str] = []
        self._watchdog = threading.Timer(2 * DEADLINE_S, self.process.kill)
        self._watchdog.start()

    def read_line(self) -> str:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, f"it ended: {self.lines}"
        self.lines.append(line.rstrip("\n"))
        return line

    def end(self) -> int:
        assert self.process.stdout is not None
        if not self.process.stdout.closed:
            self.lines += self.process.communicate()[0].splitlines()
            self._watchdog.cancel()
        return self.process.returncode

    def interrupt(self) -> int:
        """End it as Ctrl-C does."""
        self.process.send_signal(signal.SIGINT)
        return self.end()


@pytest.mark.timeout(180)  # it starts a dozen commands, one after the other
def test_the_page_on_changing_a_setting_is_what_happens(tmp_path: Path) -> None:
    (program_shown,) = blocks(PAGE)
    (tmp_path / "change_a_setting.py").write_text(program_shown, encoding="utf-8")
    (tmp_path / "run").mkdir(mode=0o700)
    steps = list(console(PAGE))
    started: list[Terminal] = []
    status = 0
    try:
        demo = Terminal(steps[0][0], tmp_path)
        started.append(demo)
        assert "beats" in demo.read_line()
        (watch, watched), *_ = [step for step in steps if "watch" in step[0]]
        for command, expected in steps[1:]:
            if command == "echo $?":
                assert expected == [str(status)]
                continue
            terminal = Terminal(command, tmp_path)
            started.append(terminal)
            if command == watch:
                watching = terminal
                watching.read_line()
                continue
            status = terminal.end()
            shown = [line for line in terminal.lines if " - INFO - " not in line]  # pages leave the log out
            assert alike(shown) == alike(expected), command
        while len(watching.lines) < len(watched):
            watching.read_line()
        assert watching.interrupt() == 130
        assert alike(watching.lines) == alike(watched)
        assert demo.interrupt() == 0
    finally:
        for terminal in started:
            terminal.interrupt()
