"""``ezmsg server``: a server that is started, looked at and stopped; and each of its failures."""

import importlib.util
import json
import os
import signal
import subprocess
import sys
from typing import Any

import pytest

from ezmsg.control.cli import main
from ezmsg.control.connection.announcements import runs

HANG = 60.0


@pytest.fixture(autouse=True)
def _with_tokens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("EZMSG_INSECURE", raising=False)


def test_one_is_started_looked_at_and_stopped(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["server", "start", "--address", "127.0.0.1:0", "--json", "--timeout", "50"]) == 0
    form = json.loads(capsys.readouterr().out)
    try:
        assert form["$schema"] == "ezmsg.server/1"
        assert main(["server", "status", "--timeout", "30"]) == 0
        head, row = capsys.readouterr().out.splitlines()
        assert head.split()[0] == "SERVER"
        assert row.split()[:2] == [form["address"], str(form["pid"])]
        assert main(["server", "--json", "--address", form["address"], "--timeout", "30"]) == 0
        assert json.loads(capsys.readouterr().out)["units"] == 0
        assert main(["server", "start", "--address", form["address"]]) == 4
        assert "EZ-3004" in capsys.readouterr().err
        assert main(["server", "stop", "--timeout", "30"]) == 0
        assert "has ended" in capsys.readouterr().err
    finally:
        if runs(form["pid"]):
            os.kill(form["pid"], signal.SIGTERM)
    assert main(["server", "status"]) == 3
    told = capsys.readouterr()
    assert told.out == ""
    assert "No graph server of yours runs here" in told.err


def test_one_that_does_not_answer_is_told_with_its_reason(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["server", "status", "--address", "127.0.0.1:1"]) == 3
    told = capsys.readouterr()
    assert told.out.splitlines()[1].startswith("127.0.0.1:1 ")
    assert "! 127.0.0.1:1: Connection refused" in told.err
    assert main(["server", "stop", "--address", "127.0.0.1:1"]) == 3


def test_one_runs_in_this_terminal_until_an_interrupt() -> None:
    code = "import sys; from ezmsg.control.cli import main; sys.exit(main())"
    words = [sys.executable, "-c", code, "server", "run", "--address", "127.0.0.1:0"]
    with subprocess.Popen(words, stderr=subprocess.PIPE, text=True, start_new_session=True) as process:
        assert process.stderr is not None
        line: Any = ""
        while "is ready" not in line:
            line = process.stderr.readline()
            assert line, "it has ended"
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does
        _, err = process.communicate(timeout=HANG)
    assert process.returncode == 0
    assert "Traceback" not in err


def test_one_that_cannot_start_says_why(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["server", "start", "--address", "192.0.2.1:1", "--timeout", "50"]) == 3
    told = capsys.readouterr()
    assert told.out == ""
    assert "EZ-4012  No graph server could be started at 192.0.2.1:1: it ended with status" in told.err
    assert ".." not in told.err


def test_without_its_distribution_it_names_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if "graphserver" in name else find(name))
    for verb in ("run", "start"):
        assert main(["server", verb]) == 1
        assert "pip install ezmsg-graphserver" in capsys.readouterr().err
