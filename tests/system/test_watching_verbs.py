"""``--watch`` and the bar of what takes longer, by the command in a process of its own."""

import json
import os
import pty
import select
import signal
import subprocess
import sys
import time
from typing import Any

import pytest
from tests.tui.conftest import RunningLab, lab

__all__ = ["lab"]

HANG = 60.0
COMMAND = [sys.executable, "-c", "import sys; from ezmsg.control.cli import main; sys.exit(main())"]


def until_said(read: Any, holds: Any) -> str:
    """Read until what was said is so."""
    said, deadline = "", time.monotonic() + HANG
    while not holds(said):
        assert time.monotonic() < deadline, said
        said += read()
    return said


@pytest.mark.parametrize("verb", [["graph"], ["topic", "list"], ["unit"], ["session"], ["settings"], ["process"]])
def test_a_look_is_repeated_until_an_interrupt(lab: RunningLab, verb: list[str]) -> None:
    words = [*COMMAND, *verb, "--watch", "0.05", "--json", "--timeout", "20", "--address", str(lab.address)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(12)]
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=HANG)
    assert process.returncode == 130
    heads = [each for each in map(json.loads, lines) if "$schema" in each]
    assert len(heads) >= 2
    assert err == ""


def test_a_look_on_a_terminal_takes_the_place_of_the_one_before(lab: RunningLab) -> None:
    main, end = pty.openpty()
    words = [*COMMAND, "graph", "--watch", "0.1", "--timeout", "20", "--address", str(lab.address)]
    with subprocess.Popen(words, stdin=end, stdout=end, stderr=end, start_new_session=True) as process:
        os.close(end)
        shown = until_said(lambda: os.read(main, 65536).decode(), lambda said: said.count("\x1b[2J") > 2)
        process.send_signal(signal.SIGINT)
        process.wait(HANG)
    os.close(main)
    assert shown.startswith("\x1b[H\x1b[2J")
    assert "LAB/GEN/OUTPUT" in shown
    assert "edges at" in shown


def test_what_takes_longer_has_a_bar_on_a_terminal_and_leaves_nothing_of_it(lab: RunningLab) -> None:
    main, end = pty.openpty()
    words = [*COMMAND, "topic", "hz", "--window", "1.5", "--timeout", "20", "--address", str(lab.address)]
    environment = {**os.environ, "TERM": "xterm-256color"}
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=end, env=environment, text=True) as process:
        os.close(end)
        shown = ""
        while select.select([main], [], [], HANG)[0]:
            try:
                shown += os.read(main, 65536).decode()
            except OSError:  # all have closed it
                break
        out, _ = process.communicate(timeout=HANG)
    os.close(main)
    assert process.returncode == 0
    assert "counting" in shown
    assert "LAB/GEN/OUTPUT" in out
    assert "\x1b" not in out


@pytest.mark.parametrize("given", ["0", "-1", "nan", "soon"])
def test_a_period_that_is_none_is_refused(given: str) -> None:
    words = [*COMMAND, "graph", "--watch", given]
    done = subprocess.run(words, capture_output=True, text=True, timeout=HANG, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert "--watch" in done.stderr


def test_a_server_that_goes_ends_it_with_a_sentence() -> None:
    from ezmsg.graphserver import GraphServer
    from ezmsg.protocol.addresses import Address

    server = GraphServer()
    server.start(("127.0.0.1", 0))
    address = str(Address(*server.address))
    words = [*COMMAND, "graph", "--watch", "0.05", "--json", "--address", address]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            process.stdout.readline()
        finally:
            server.stop()
        _, err = process.communicate(timeout=HANG)
    assert process.returncode == 3
    assert err.startswith("ezmsg: EZ-300")
    assert "Traceback" not in err
