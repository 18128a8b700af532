"""Every page is followed to the letter: its programs are saved and run, its commands typed, its lines compared.

What a page writes, and what is done with it:

- a Python program is saved under the name that the text before it says last; if that is a path of the checkout, it
  has to be what is there;
- ``console``: each command is typed when the one before has ended. What it writes to standard output has to be on
  the page, line by line; of standard error it may show some. ``...`` stands for lines that are left out;
- ``console running``: the command goes on in a terminal of its own until the page is over, and then gets Ctrl-C;
- ``sh`` and the other languages are not run.

Two pages are conversations of several terminals about one graph and have tests of their own.
"""

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from tests.ports import unused_port

from ezmsg.control.cli import main

ROOT = Path(__file__).parents[2]
ON_THEIR_OWN = {"change-a-setting.md", "find-the-slow-unit.md"}
PAGES = [
    path
    for folder in ("start", "how-to", "explain", "reference")
    for path in sorted((ROOT / "docs" / folder).glob("*.md"))
    if path.name not in ON_THEIR_OWN
]
HANG = 30.0
FENCED = re.compile(r"^```(\w*)(?: (\w+))?\n(.*?)^```$", re.DOTALL | re.MULTILINE)
NAMED = re.compile(r"`([\w/.-]+\.\w+)`")

VARYING = {
    r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} - pid: \d+ - \w[\w-]*": "TIME - PID - THREAD",
    r"127\.0\.0\.1:\d+": "ADDRESS",
    r"\bpid \d+": "pid N",
    r"\b\d+\.\d+ ?m?s\b": "SECONDS",
}
"""What no two runs have in common."""


@dataclass
class Step:
    """A program to save, or a command to type, as a page has it."""

    command: str = ""
    lines: list[str] = field(default_factory=list)
    stays: bool = False
    file: str = ""
    source: str = ""


def steps(page: str) -> Iterator[Step]:
    end = 0
    for block in FENCED.finditer(page):
        language, option, content = block.groups()
        before, end = page[end : block.start()], block.end()
        if language == "python":
            named = [name for name in NAMED.findall(before) if name.endswith(".py")]
            assert named, f"no file is named before this program:\n{content}"
            yield Step(file=named[-1], source=content)
        elif language == "console":
            for typed in re.split(r"^\$ ", content, flags=re.MULTILINE)[1:]:
                command, *lines = typed.splitlines()
                yield Step(command, lines, stays=option == "running")


class Typed:
    """A command that was typed, in a session of its own, with what it writes."""

    def __init__(self, command: str, folder: Path, environment: dict[str, str]) -> None:
        self.command = command
        self.out: list[str] = []
        self.err: list[str] = []
        self._written = threading.Condition()
        self.process = subprocess.Popen(
            ["bash", "-c", command],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        pipes = ((self.process.stdout, self.out), (self.process.stderr, self.err))
        self._readers = [threading.Thread(target=self._read, args=pipe) for pipe in pipes]
        for reader in self._readers:
            reader.start()

    def _read(self, stream: object, lines: list[str]) -> None:
        for line in stream:  # type: ignore[attr-defined]
            with self._written:
                lines.append(line.rstrip("\n"))
                self._written.notify_all()

    def ends(self) -> int:
        try:
            status = self.process.wait(HANG)
        except subprocess.TimeoutExpired:
            pytest.fail(f"{self.command} does not end\n{self.story()}")
        for reader in self._readers:
            reader.join(HANG)
        return status

    def writes(self, number: int) -> None:
        """Wait until there are so many lines, of either kind."""
        with self._written:
            there = self._written.wait_for(lambda: len(self.out) + len(self.err) >= number, HANG)
        assert there, f"{self.command} writes too little\n{self.story()}"

    def interrupt(self) -> int:
        """End it as Ctrl-C does: every process of its terminal gets the signal."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGINT)
        return self.ends()

    def kill(self) -> None:
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        for reader in self._readers:
            reader.join()
        for stream in (self.process.stdout, self.process.stderr):
            assert stream is not None
            stream.close()

    def story(self) -> str:
        return "\n".join(["--- output:", *self.out, "--- errors:", *self.err])


def alike(line: str) -> str:
    for pattern, word in VARYING.items():
        line = re.sub(pattern, word, line)
    return " ".join(line.split())


def compare(shown: list[str], typed: Typed) -> None:
    """See that a page shows what a command wrote: all of its output, and of its errors what is there."""
    out, err = [alike(line) for line in typed.out], [alike(line) for line in typed.err]
    skipping = False
    for line in map(alike, shown):
        if line == "...":
            skipping = True
            continue
        if skipping and line in out:
            del out[: out.index(line)]
        if out and out[0] == line:
            del out[0]
        else:
            assert line in err, f"{typed.command} does not write {line!r}\n{typed.story()}"
            del err[: err.index(line) + 1]
        skipping = False
    assert skipping or not out, f"{typed.command} writes more than the page shows: {out}"


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """A reader's environment, in which no other graph is seen."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("EZMSG_")}
    (tmp_path / "run").mkdir(mode=0o700)
    return kept | {
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), kept.get("PATH", "")]),
        "EZMSG_RUNTIME_DIR": str(tmp_path / "run"),
        # Clients of a server that has ended try its port again for a while, and must not find another test's there.
        "EZMSG_SERVER_PORT_START": str(unused_port()),
        "PYTHONUNBUFFERED": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "COLUMNS": "80",
        "NO_COLOR": "1",
    }


@pytest.mark.timeout(180)  # a page may start a dozen commands, one after the other
@pytest.mark.parametrize("path", PAGES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_a_page_says_what_happens(path: Path, tmp_path: Path, environment: dict[str, str]) -> None:
    folder = tmp_path / "reader"
    folder.mkdir()
    (folder / "docs").symlink_to(ROOT / "docs")
    started: list[tuple[Typed, list[str]]] = []
    status = 0
    try:
        for step in steps(path.read_text(encoding="utf-8")):
            if step.source:
                save(step, folder)
                continue
            if step.command == "echo $?":
                assert step.lines == [str(status)]
                continue
            typed = Typed(step.command, folder, environment)
            started.append((typed, step.lines))
            if step.stays:
                typed.writes(len(step.lines) or 1)
                continue
            status = typed.ends()
            compare(step.lines, typed)
            started.pop()
            typed.kill()
        for typed, lines in reversed(started):
            assert typed.interrupt() == 0, typed.story()
            compare([*lines, "..."], typed)
    finally:
        for typed, _ in started:
            typed.kill()


def save(step: Step, folder: Path) -> None:
    if (ROOT / step.file).is_file():
        assert step.source == (ROOT / step.file).read_text(encoding="utf-8"), f"{step.file} is another one"
    else:
        (folder / step.file).write_text(step.source, encoding="utf-8")


# --- links --------------------------------------------------------------------------------------------------

ALL = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


@pytest.mark.parametrize("path", ALL, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_leads_somewhere(path: Path) -> None:
    targets = re.findall(r"\]\(([^)\s]+)\)", path.read_text(encoding="utf-8"))
    files = [target.partition("#")[0] for target in targets if "://" not in target]
    missing = [name for name in files if name and not (path.parent / name).exists()]
    assert missing == []


def test_the_index_names_every_page() -> None:
    index = (ROOT / "docs" / "README.md").read_text(encoding="utf-8")
    folders = ("start", "how-to", "explain", "reference")
    pages = [path for folder in folders for path in (ROOT / "docs" / folder).glob("*.md")]
    assert [path.name for path in pages if f"({path.relative_to(ROOT / 'docs')})" not in index] == []


# --- files that pages show ----------------------------------------------------------------------------------

SERVICE = ROOT / "docs" / "examples" / "service"


@pytest.mark.parametrize("name", ["ezmsg-graphserver.service", "Containerfile"])
def test_the_page_on_services_shows_the_file_as_it_is(name: str) -> None:
    page = (ROOT / "docs" / "how-to" / "a-server-as-a-service.md").read_text(encoding="utf-8")
    assert f"\n{(SERVICE / name).read_text(encoding='utf-8')}```" in page


def test_the_service_starts_and_ends_as_systemd_would_have_it(tmp_path: Path, environment: dict[str, str]) -> None:
    """Its command line, with a port, a token and a Python of this machine; a stop is a SIGTERM to all of it."""
    (line,) = re.findall(r"^ExecStart=(.*)$", (SERVICE / "ezmsg-graphserver.service").read_text(), re.MULTILINE)
    token = tmp_path / "token"
    token.write_text("a secret\n", encoding="utf-8")
    for theirs, ours in (
        ("/opt/ezmsg/bin/python", sys.executable),
        ("/etc/ezmsg/token", str(token)),
        ("0.0.0.0:25978", "127.0.0.1:0"),
    ):
        assert theirs in line
        line = line.replace(theirs, ours)
    typed = Typed(line, tmp_path, environment)
    try:
        typed.writes(1)
        assert "The graph server is ready at 127.0.0.1:" in typed.err[0]
        os.killpg(typed.process.pid, signal.SIGTERM)
        assert typed.ends() == 0, typed.story()
    finally:
        typed.kill()


def test_the_container_starts_with_options_that_there_are(tmp_path: Path, environment: dict[str, str]) -> None:
    content = (SERVICE / "Containerfile").read_text(encoding="utf-8")
    lines = [line.partition(" ") for line in content.splitlines()]
    words = [word for kind, _, rest in lines if kind in ("ENTRYPOINT", "CMD") for word in json.loads(rest)]
    typed = Typed(shlex.join([*words, "--help"]), tmp_path, environment)
    try:
        assert typed.ends() == 0, typed.story()
    finally:
        typed.kill()
    assert [name for name in re.findall(r"^COPY (\S+)", content, re.MULTILINE) if not (ROOT / name).is_dir()] == []


# --- commands that are only named ---------------------------------------------------------------------------


def test_every_command_that_is_named_exists(capsys: pytest.CaptureFixture[str]) -> None:
    texts = [path.read_text(encoding="utf-8") for path in ALL]
    named = {words.strip() for text in texts for words in re.findall(r"`ezmsg ((?:[a-z]+\b ?)+)", text)}
    assert len(named) > 10
    for words in sorted(named):
        assert main([*words.split(), "--help"]) == 0
        assert f"usage: ezmsg {words} " in capsys.readouterr().out.lower(), f"there is no ezmsg {words}"


# --- two machines, as two network namespaces ----------------------------------------------------------------


def test_the_page_on_two_machines_is_what_happens(
    machines: list[str], tmp_path: Path, environment: dict[str, str]
) -> None:
    page = (ROOT / "docs" / "how-to" / "two-machines.md").read_text(encoding="utf-8")
    for step in steps(page):
        if step.source:
            save(step, tmp_path)
    blocks = [content for language, _, content in FENCED.findall(page) if language in ("sh", "text")]
    (make,) = re.findall(r"^(\(umask.*)$", page, re.MULTILINE)
    (serve,) = (content for content in blocks if content.startswith("python -m ezmsg.graphserver"))
    (export,) = (content for content in blocks if content.startswith("export"))
    (shown,) = (content for content in blocks if content.startswith("listening"))
    (tmp_path / ".config" / "ezmsg").mkdir(parents=True)
    lab, desk = ({**environment, "HOME": str(tmp_path), "EZMSG_RUNTIME_DIR": str(tmp_path / n)} for n in ("l", "d"))
    started: list[Typed] = []

    def on(machine: int, command: str) -> Typed:
        typed = Typed(f"{machines[machine]} bash -c {shlex.quote(command)}", tmp_path, (lab, desk)[machine])
        started.append(typed)
        return typed

    try:
        assert on(0, make).ends() == 0
        server = on(0, serve)
        server.writes(1)
        receiver = on(1, f"{export}python receiver.py")
        receiver.writes(1)
        assert on(0, f"{export}python sender.py").ends() == 0
        assert receiver.ends() == 0, receiver.story()
        assert receiver.out == shown.splitlines()
        stranger = on(1, "EZMSG_GRAPHSERVER_ADDR=10.0.0.1:25978 EZMSG_TOKEN=guessed python sender.py")
        assert stranger.ends() == 1
        assert "EZ-3003" in stranger.err[-1]
        assert server.interrupt() == 0
        assert any("EZ-3003" in line for line in server.err)
    finally:
        for typed in started:
            typed.kill()
