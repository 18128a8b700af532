"""The application in a real terminal, as a person at one has it: tmux types, and reads the screen."""

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

HANG = 60.0
LONG = 600
EZMSG = str(Path(sys.executable).parent / "ezmsg")

pytestmark = [
    pytest.mark.skipif(shutil.which("tmux") is None, reason="there is no tmux here"),
    pytest.mark.timeout(240),
]


class Terminal:
    """A terminal of some size in which a command runs."""

    def __init__(self, socket: str, folder: Path, size: tuple[int, int], command: str, **more: str) -> None:
        self._socket = socket
        kept = {name: value for name, value in os.environ.items() if not name.startswith("EZMSG_")}
        self._environment = {
            **kept,
            "EZMSG_RUNTIME_DIR": str(folder),
            "EZMSG_KEYS": str(folder / "keys.toml"),
            "TERM": "xterm-256color",
            "LC_ALL": "C.UTF-8",
            **more,
        }
        # The shell tells how the command ended: tmux 3.3 now and then misses that its own child has.
        self._code = folder / f"code-{socket}"
        told = f"{command}; echo $? >{shlex.quote(str(self._code))}; exec sleep {LONG}"
        width, height = size
        self._tmux("-f", os.devnull, "new-session", "-d", "-x", str(width), "-y", str(height), told)

    def _tmux(self, *words: str) -> str:
        done = subprocess.run(
            ["tmux", "-L", self._socket, *words],
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=HANG,
            check=False,
        )
        return done.stdout

    def screen(self) -> str:
        return self._tmux("capture-pane", "-p")

    def keys(self, *keys: str) -> None:
        for key in keys:
            self._tmux("send-keys", key)
            time.sleep(0.05)

    def until(self, holds: str | Callable[[str], bool]) -> str:
        deadline = time.monotonic() + HANG
        while True:
            shown = self.screen()
            if (holds in shown) if isinstance(holds, str) else holds(shown):
                return shown
            assert time.monotonic() < deadline, f"{holds!r} never came; the screen is\n{shown}"
            time.sleep(0.1)

    def press_until(self, key: str, holds: str) -> str:
        """Press a key again and again, until what it does has come: a screen takes a moment to be there."""
        deadline = time.monotonic() + HANG
        while True:
            self.keys(key)
            for _ in range(10):
                shown = self.screen()
                if holds in shown:
                    return shown
                time.sleep(0.1)
            assert time.monotonic() < deadline, f"{holds!r} never came; the screen is\n{shown}"

    def quit(self) -> None:
        """Press q, and wait for the command's end, which is a good one."""
        self.keys("q")
        deadline = time.monotonic() + HANG
        while not (code := self._code.read_text() if self._code.exists() else "").endswith("\n"):
            assert time.monotonic() < deadline, f"it never ended; the screen is\n{self.screen()}"
            time.sleep(0.1)
        assert code == "0\n", self.screen()

    def kill(self) -> None:
        self._tmux("kill-server")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "graph"
    made.mkdir(mode=0o700)
    return made


@pytest.fixture
def terminal(folder: Path) -> Iterator[Callable[..., Terminal]]:
    opened: list[Terminal] = []

    def open_one(size: tuple[int, int], command: str, **more: str) -> Terminal:
        opened.append(Terminal(f"ezmsg-{os.getpid()}-{len(opened)}", folder, size, command, **more))
        return opened[-1]

    yield open_one
    for each in opened:
        each.kill()
    for process in psutil.process_iter(["environ"]):
        environment = process.info["environ"] or {}
        if environment.get("EZMSG_RUNTIME_DIR") == str(folder):
            process.send_signal(signal.SIGKILL)


def run(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run a command line beside the terminal."""
    environment = {**os.environ, "EZMSG_RUNTIME_DIR": str(folder)}
    environment.pop("EZMSG_GRAPHSERVER_ADDR", None)
    return subprocess.run(
        [EZMSG, *words], env=environment, capture_output=True, text=True, timeout=HANG, check=False
    )


@pytest.mark.parametrize("size", [(80, 24), (200, 50)])
def test_five_minutes_with_the_demo(terminal: Callable[..., Terminal], folder: Path, size: tuple[int, int]) -> None:
    """See the graph, change the filter and see what it does, find the slow unit, stop it; also by command lines."""
    top = terminal(size, f"{EZMSG} demo --top --slow")
    top.until("ECG/FILTER/OUTPUT")

    top.press_until("2", "GRAPH")  # see the demo's graph
    top.until(lambda shown: all(name in shown for name in ("SOURCE", "FILTER", "DETECTOR")))
    listed = run(folder, "graph")
    assert "ECG/SOURCE/OUTPUT" in listed.stdout, listed.stderr

    top.press_until("3", "REV")  # change its filter, and see the effect
    top.keys("/", *"FILTER", "Enter")
    top.until(lambda shown: "FILTER" in shown and "ECG/SOURCE" not in shown)
    top.press_until("Enter", "lower edge of the pass band")
    top.press_until("Right", "staged: low_hz")
    top.keys("C-s")
    asked = top.until("Apply to ECG/FILTER?")
    value = re.search(r"low_hz   5\.0 -> (\S+) Hz", asked.partition("Apply to")[2])
    assert value, asked
    top.keys("y")
    top.until("revision 1")
    got = run(folder, "settings", "get", "ECG/FILTER")
    assert f"low_hz    {value[1]} Hz" in got.stdout, got.stdout + got.stderr
    changed = run(folder, "settings", "set", "ECG/FILTER", "low_hz=7")
    assert changed.returncode == 0, changed.stderr
    top.until("revision 2")
    top.keys("Escape")
    time.sleep(0.5)  # else a terminal takes escape and what follows for one key
    top.keys("Escape")
    time.sleep(0.5)

    top.press_until("1", "NEWS")  # find the slow unit
    top.until(lambda shown: any("waits" in line and "ECG/CLASSIFIER/INPUT" in line for line in shown.splitlines()))
    found = run(folder, "profile", "blame", "ECG/FILTER/OUTPUT", "--window", "2")
    assert "ECG/CLASSIFIER/INPUT" in found.stdout.splitlines()[1], found.stdout + found.stderr

    slow = run(folder, "settings", "set", "ECG/CLASSIFIER", "work_ms=0", "--timeout", "30")  # stop it
    assert slow.returncode == 0, slow.stderr
    top.until(lambda shown: "ECG/CLASSIFIER/INPUT" not in shown.partition("TOPIC")[0])
    top.quit()
    nothing = run(folder, "graph")
    assert nothing.returncode == 3, nothing.stdout


def test_a_very_small_terminal_breaks_nothing(terminal: Callable[..., Terminal]) -> None:
    # A size that a program around it has left behind is not the terminal's.
    top = terminal((40, 10), f"{EZMSG} demo --top", COLUMNS="80", LINES="24")
    top.until("OUTPUT")
    for key, holds in zip("234567", ("GRAPH", "REV", "ENDPOINT", "PID", "SESSION", "EVENT"), strict=True):
        top.press_until(key, holds)
    assert "Traceback" not in top.screen()
    top.press_until("1", "NEWS")
    top.quit()


def test_without_a_server_it_says_how_to_start_one(terminal: Callable[..., Terminal]) -> None:
    top = terminal((80, 24), f"{EZMSG} top")
    top.until("No graph server answers")
    assert "ezmsg demo" in top.screen()
    top.quit()


def test_without_colour(terminal: Callable[..., Terminal]) -> None:
    top = terminal((80, 24), f"{EZMSG} demo --top", NO_COLOR="1", TERM="vt100")
    top.until("OUTPUT")
    top.quit()
