"""The demo as its users start it: with output to a program, to a file, to a terminal, and to nobody."""

import asyncio
import contextlib
import fcntl
import json
import os
import pty
import re
import select
import shutil
import signal
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from ezmsg.core import GraphContext, GraphServer
from ezmsg.core.demo.display import BARS
from ezmsg.core.demo.units import FilterSettings

HANG = 30.0
MAJORITY = Path(__file__).parents[1] / "core" / "demo" / "majority_beats.txt"
MODULE = [sys.executable, "-m", "ezmsg.core", "demo"]
WHOLE_RECORD = ["--speed", "max", "--seconds", "300", "--json"]


def command():
    """The `ezmsg` command of the environment that runs the tests."""
    found = shutil.which("ezmsg", path=str(Path(sys.executable).parent))
    if found is None:
        pytest.skip("the ezmsg command is not installed here")
    return [found, "demo"]


def agreement(ours, theirs, tolerance):
    """The share of ``theirs`` that one of ``ours`` is near to, each used once."""
    left, found = sorted(ours), 0
    for sample in theirs:
        near = [other for other in left if abs(other - sample) <= tolerance]
        if near:
            left.remove(min(near, key=lambda other: abs(other - sample)))
            found += 1
    return found / len(theirs)


def both_ways(program):
    return pytest.mark.parametrize("program", [MODULE, None], ids=["python -m ezmsg.core", "ezmsg"])(program)


@both_ways
def test_the_whole_record_at_full_speed_loses_nothing_and_finds_the_beats(start, program):
    run = start.command(*(program or command()), *WHOLE_RECORD)
    assert run.ends() == 0
    *beats, last = [json.loads(line) for line in run.out]
    summary = last["summary"]
    assert summary["samples_in"] == summary["samples_out"] == 108000
    assert summary["beats"] == len(beats)
    assert 0 < summary["latency_p50_ms"] <= summary["latency_p99_ms"]
    assert beats[0]["bpm"] is None
    assert all(set(beat) == {"sample", "time_s", "bpm"} for beat in beats)
    assert all(beat["time_s"] == pytest.approx(beat["sample"] / 360) for beat in beats)
    ours = [beat["sample"] for beat in beats]
    assert ours == sorted(set(ours))
    theirs = [int(line) for line in MAJORITY.read_text(encoding="utf-8").split("\n") if line and line[0] != "#"]
    assert agreement(ours, theirs, 0.15 * 360) >= 0.97
    assert agreement(theirs, ours, 0.15 * 360) >= 0.97
    assert run.errors == ""


def test_at_real_time_it_takes_as_long_as_the_heart_did(start):
    begin_s = time.monotonic()
    run = start.command(*MODULE, "--seconds", "3", "--json")
    assert run.ends() == 0
    assert time.monotonic() - begin_s >= 3.0
    *beats, last = [json.loads(line) for line in run.out]
    assert 3 <= len(beats) <= 8
    assert last["summary"]["samples_in"] == last["summary"]["samples_out"] == 1080


def test_without_a_terminal_it_writes_plain_lines(start):
    run = start.command(*MODULE, "--seconds", "20", "--speed", "max")
    assert run.ends() == 0
    *lines, last = run.out
    assert 10 <= len(lines) <= 20
    assert all(re.fullmatch(r" *\d+\.\d s +\d+ beats +[\d-]+ bpm +latency +\d+\.\d ms\n", line) for line in lines)
    assert re.match(r"40 beats, \d+ a minute, in 7200 samples \(0 lost between source and display\)", last)
    assert run.errors == ""


@both_ways
def test_no_seconds_are_refused(start, program):
    run = start.command(*(program or command()), "--json", "--seconds=0")
    assert run.ends() == 2
    assert run.out == []
    assert "positive number of seconds" in run.errors


@both_ways
def test_more_than_there_is_is_refused(start, program):
    run = start.command(*(program or command()), "--seconds", "400")
    assert run.ends() == 2
    assert "--seconds 400 is more than the record has. Give at most 300." in run.errors


@both_ways
def test_nonsense_is_refused(start, program):
    run = start.command(*(program or command()), "--speed", "warp")
    assert run.ends() == 2
    assert run.out == []
    assert "warp" in run.errors
    assert "Traceback" not in run.errors


def test_a_moment_is_played_and_ends(start):
    run = start.command(*MODULE, "--seconds", "0.0001", "--json")
    assert run.ends() == 0
    assert json.loads(run.out[-1])["summary"]["samples_out"] == 1


@both_ways
def test_a_reader_who_has_had_enough_ends_it_quietly(environment, program):
    """As `ezmsg demo --json | head -1` does."""
    environment = {**environment, "EZMSG_TEST_PROGRAM": f"broken pipe {os.getpid()}"}
    with subprocess.Popen(
        [*(program or command()), "--json", "--speed", "max", "--seconds", "300"],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert json.loads(process.stdout.readline())["bpm"] is None
        process.stdout.close()
        assert process.wait(HANG) == 1
        assert process.stderr.read() == b""  # which ends when the last process of it has left


def test_a_full_disk_is_a_sentence(environment):
    with open("/dev/full", "w") as full:  # noqa: PTH123
        done = subprocess.run(
            [*MODULE, "--json", "--speed", "max"],
            env=environment,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=HANG,
            check=False,
        )
    assert done.returncode == 1
    assert done.stderr == "ezmsg: The demo's output could not be written: No space left on device.\n"


def test_two_demos_at_a_time(start):
    runs = [start.command(*MODULE, *WHOLE_RECORD) for _ in range(2)]
    for run in runs:
        assert run.ends() == 0
        assert json.loads(run.out[-1])["summary"]["samples_out"] == 108000


def test_where_segments_have_names_none_is_left(start):
    run = start.command(*MODULE, *WHOLE_RECORD, EZMSG_PORTABLE="1")
    assert run.ends() == 0
    assert json.loads(run.out[-1])["summary"]["samples_out"] == 108000


def test_spawned_processes_do_as_well(start):
    run = start(
        """
        if __name__ == "__main__":
            start_as("spawn")
            from ezmsg.core.demo.command import demo

            sys.exit(demo(seconds=60, speed="max", json=True))
        """
    )
    assert run.ends() == 0
    assert json.loads(run.out[-1])["summary"]["samples_out"] == 21600


def test_a_killed_detector_ends_it_with_a_sentence(start):
    run = start.command(*MODULE, "--json", "--seconds", "300")
    run.says('{"sample"')
    workers = [process for process in run.processes() if process.pid != run.pid]
    assert len(workers) == 2
    workers[-1].kill()
    assert run.ends() == 1
    assert "was ended by SIGKILL" in run.errors
    assert "Traceback" not in run.errors


def test_the_filter_is_tuned_while_it_runs(start, environment, monkeypatch):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    server = GraphServer()
    server.start(("127.0.0.1", 0))
    try:
        run = start.command(
            *MODULE, "--json", "--seconds", "5", EZMSG_GRAPHSERVER_ADDR=str(server.address), EZMSG_LOGLEVEL="INFO"
        )
        run.says('{"sample"')

        async def tune():
            async with asyncio.timeout(HANG), GraphContext(server.address) as context:
                snapshot = await context.snapshot()
                assert snapshot.graph["ECG/SOURCE/OUTPUT"]
                publisher = await context.publisher("ECG/FILTER/INPUT_SETTINGS")
                await publisher.broadcast(SimpleNamespace(low_hz=30.0, high_hz=2.0))
                await publisher.broadcast(FilterSettings(low_hz=8.0, high_hz=20.0))
                await publisher.sync()

        asyncio.run(tune())
        assert run.ends() == 0
    finally:
        server.stop()
    assert run.errors.count("Exception in Task: ECG/FILTER:tune") == 1
    *beats, last = [json.loads(line) for line in run.out]
    assert last["summary"]["samples_out"] == 1800
    assert len(beats) >= 4


# --- in a terminal -----------------------------------------------------------------------------------------------


class Terminal:
    """A demo in a terminal of its own, of which it is the foreground process."""

    def __init__(self, arguments, environment, columns=100):
        self.mark = f"terminal {os.getpid()} {time.monotonic_ns()}"
        self.text = ""
        arguments = list(map(str, arguments))
        environment = {**environment, "EZMSG_TEST_PROGRAM": self.mark, "TERM": "xterm", "PYTHONUTF8": "1"}
        environment.pop("COLUMNS", None)
        self.ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        self.process = subprocess.Popen(
            [sys.executable, "-c", _IN_TERMINAL, *arguments],
            env=environment,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
        )
        os.close(theirs)

    def until(self, condition):
        """Read until the text fulfils the condition, or there is no more."""
        deadline_s = time.monotonic() + HANG
        while not condition(self.text):
            ready, _, _ = select.select([self.ours], [], [], max(0.0, deadline_s - time.monotonic()))
            assert ready, f"nothing more came: {self.text!r}"
            try:
                data = os.read(self.ours, 65536)
            except OSError:  # all who had the terminal open have left
                return
            self.text += data.decode(errors="replace")

    def type(self, keys):
        os.write(self.ours, keys)

    def ends(self):
        self.until(lambda _: False)
        return self.process.wait(HANG)

    def close(self):
        self.process.kill()
        self.process.wait(HANG)
        os.close(self.ours)


_IN_TERMINAL = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.argv[1], sys.argv[1:])
"""


@pytest.fixture
def terminal(environment):
    made = []

    def open_one(*arguments, columns=100):
        made.append(Terminal(arguments, environment, columns))
        return made[-1]

    yield open_one
    for each in made:
        each.close()


def drawn(text):
    """The live lines, as they were drawn one over the other."""
    return [line.split("\r\n")[0] for line in text.split("\r\x1b[K")[1:]]


def test_in_a_terminal_it_draws_one_live_line(terminal):
    screen = terminal(*command(), "--seconds", "3")
    assert screen.ends() == 0
    lines = drawn(screen.text)
    assert len(lines) >= 20
    assert screen.text.count("\n") == 3  # after the live line, and after the two lines of the summary
    assert all(len(line) < 100 for line in lines)
    assert len(set(lines[-1]) & set(BARS)) >= 3
    assert re.search(r"[♥♡] +\d\.\d s +\d+ beats +\d+ bpm +latency +\d+\.\d ms$", lines[-1])
    assert any("♥" in line for line in lines)
    assert re.search(r"\r\n\d beats, \d+ a minute, in 1080 samples \(0 lost", screen.text)


@pytest.mark.parametrize("columns", [40, 2])
def test_in_a_narrow_terminal_the_line_is_cut_and_never_wraps(terminal, columns):
    screen = terminal(*MODULE, "--seconds", "2", "--speed", "max", columns=columns)
    assert screen.ends() == 0
    lines = drawn(screen.text)
    assert lines
    assert all(len(line) < columns for line in lines)


def test_control_c_ends_it_quietly_and_leaves_the_cursor_on_a_line_of_its_own(terminal):
    screen = terminal(*MODULE, "--seconds", "300")
    screen.until(lambda text: len(drawn(text)) >= 5 and "beats" in text)
    screen.type(b"\x03")
    assert screen.ends() == 0
    assert screen.text.endswith("\r\n")
    assert "Traceback" not in screen.text
    assert "Interrupt" not in screen.text
    assert re.search(r"\r\n\d+ beats?[^\r]*, in \d+ samples \(", screen.text), "what was played is summed up"
    assert screen.text.count("\n") == 3


def test_control_c_twice_at_once_is_an_end_too(terminal):
    screen = terminal(*MODULE, "--seconds", "300")
    screen.until(lambda text: len(drawn(text)) >= 5)
    screen.type(b"\x03\x03")
    assert screen.ends() in (0, 130), screen.text
    assert "Traceback" not in screen.text


def test_json_in_a_terminal_is_json(terminal):
    screen = terminal(*MODULE, "--seconds", "5", "--speed", "max", "--json")
    assert screen.ends() == 0
    assert all(isinstance(json.loads(line), dict) for line in screen.text.splitlines())


def test_a_terminal_that_is_closed_ends_it(environment):
    screen = Terminal([*MODULE, "--seconds", "300"], environment)
    try:
        screen.until(lambda text: len(drawn(text)) >= 3)
    finally:
        os.close(screen.ours)
    assert screen.process.wait(HANG) in (1, 128 + signal.SIGHUP)
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.environ().get("EZMSG_TEST_PROGRAM") == screen.mark:
                process.wait(HANG)
