"""What a new user does in the first five minutes, by command lines alone; in a terminal it is tests/tui/ends.

See the demo's graph; change its filter and see what it does; find the slow unit of `demo --slow`; stop it.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import pytest

HANG = 90.0
COMMAND = [sys.executable, "-c", "import sys; from ezmsg.control.cli import main; sys.exit(main())"]

Ezmsg = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("graph")
    folder.chmod(0o700)
    kept = {name: value for name, value in os.environ.items() if not name.startswith("EZMSG_")}
    return {**kept, "EZMSG_RUNTIME_DIR": str(folder), "EZMSG_LOGLEVEL": "ERROR"}


@pytest.fixture(scope="module")
def ezmsg(environment: dict[str, str]) -> Ezmsg:
    """Type a command line in a second terminal."""

    def run(*words: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [*COMMAND, *words], env=environment, capture_output=True, text=True, timeout=HANG, check=False
        )

    return run


@pytest.fixture(scope="module")
def demo(environment: dict[str, str], ezmsg: Ezmsg) -> "Iterator[subprocess.Popen[bytes]]":
    """`ezmsg demo --slow`, from when its units run on."""
    process = subprocess.Popen(
        [*COMMAND, "demo", "--slow", "--json"], env=environment, stdout=subprocess.DEVNULL, start_new_session=True
    )
    deadline = time.monotonic() + HANG
    while ezmsg("topic", "echo", "ECG/FILTER/OUTPUT", "--count", "1", "--timeout", "10").returncode:
        assert time.monotonic() < deadline, "the demo never came"
        assert process.poll() is None, "the demo has ended"
    yield process
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def test_the_graph_is_seen(demo: object, ezmsg: Ezmsg) -> None:
    done = ezmsg("graph", "--timeout", "30")
    assert done.returncode == 0, done.stderr
    for unit in ("SOURCE", "FILTER", "DETECTOR", "CLASSIFIER", "DISPLAY"):
        assert f"ECG/{unit}/" in done.stdout
    assert len(ezmsg("unit", "--timeout", "30", "--json").stdout.splitlines()) == 5


def test_the_filter_is_changed_and_what_it_does_is_seen(demo: object, ezmsg: Ezmsg) -> None:
    before = _spread(ezmsg)
    done = ezmsg("settings", "set", "ECG/FILTER", "low_hz=60", "high_hz=100", "--timeout", "60")
    assert done.returncode == 0, done.stderr
    assert "low_hz 5.0 -> 60.0" in done.stdout
    deadline = time.monotonic() + HANG
    while _spread(ezmsg) > before / 3:  # what was under way comes first
        assert time.monotonic() < deadline, "the heart still beats in what it hands on"
    done = ezmsg("settings", "undo", "ECG/FILTER", "--timeout", "60")
    assert "low_hz 60.0 -> 5.0" in done.stdout, done.stderr


def _spread(ezmsg: Ezmsg) -> float:
    """Return how far the values of some blocks lie apart, of all that the filter hands on."""
    words = ("ECG/FILTER/OUTPUT", "--field", "signal", "--count", "12", "--json", "--timeout", "30")
    done = ezmsg("topic", "echo", *words)
    assert done.returncode == 0, done.stderr
    values = [json.loads(line)["value"] for line in done.stdout.splitlines()]
    return max(each["max"] for each in values) - min(each["min"] for each in values)


def test_the_slow_unit_is_found_with_its_line(demo: object, ezmsg: Ezmsg) -> None:
    done = ezmsg("profile", "blame", "--window", "3", "--timeout", "30")
    assert done.returncode == 0, done.stderr
    waits, blamed, *_ = done.stdout.splitlines()
    assert " waited " in waits, done.stdout  # the filter for the classifier, or the source for both
    assert "ECG/CLASSIFIER/INPUT" in blamed
    assert "slow.py" in blamed
    stacks = ezmsg("process", "stacks", "ECG/CLASSIFIER", "--timeout", "30")
    assert "looks_ectopic" in stacks.stdout, stacks.stdout + stacks.stderr


def test_it_is_made_quick_and_nobody_waits(demo: object, ezmsg: Ezmsg) -> None:
    done = ezmsg("settings", "set", "ECG/CLASSIFIER", "work_ms=0", "--timeout", "60")
    assert done.returncode == 0, done.stderr
    deadline = time.monotonic() + HANG
    while True:
        done = ezmsg("profile", "blame", "ECG/FILTER/OUTPUT", "--window", "1", "--json", "--timeout", "30")
        assert done.returncode == 0, done.stderr
        form = json.loads(done.stdout)
        if form["waited_ns"] < 0.1 * form["window_ns"]:
            return
        assert time.monotonic() < deadline, done.stdout


def test_the_demo_is_stopped(demo: "subprocess.Popen[bytes]", ezmsg: Ezmsg) -> None:
    demo.send_signal(signal.SIGINT)
    assert demo.wait(HANG) == 0
    done = ezmsg("graph")
    assert (done.returncode, done.stdout) == (3, "")
    assert "ezmsg demo" in done.stderr
