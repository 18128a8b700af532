"""``ezmsg topic echo`` and ``pub`` on a real graph, in text and JSON, and each of their failures."""

import json
import socket
import subprocess
import sys
from typing import Any

import pytest
from tests.tui.conftest import RunningLab, lab

from ezmsg.control.cli import main

__all__ = ["lab"]

HANG = 60.0
COMMAND = [sys.executable, "-c", "import sys; from ezmsg.control.cli import main; sys.exit(main())"]


@pytest.fixture
def run(lab: RunningLab, capsys: pytest.CaptureFixture[str]) -> Any:
    def one(*words: str, timeout: str = "30") -> tuple[int, str, str]:
        code = main([*words, "--address", str(lab.address), "--timeout", timeout])
        told = capsys.readouterr()
        return code, told.out, told.err

    return one


def test_messages_are_shown_as_they_come(run: Any) -> None:
    code, out, err = run("topic", "echo", "LAB/GEN/OUTPUT", "--count", "3")
    assert (code, err) == (0, "")
    first, second, third = map(int, out.splitlines())
    assert first < second < third


def test_messages_as_json_lines(run: Any) -> None:
    code, out, _ = run("topic", "echo", "LAB/GEN", "--count", "2", "--every", "0.05", "--json")
    assert code == 0
    head, after = map(json.loads, out.splitlines())
    assert (head["$schema"], head["topic"], head["type"]) == ("ezmsg.message/1", "LAB/GEN/OUTPUT", "int")
    assert after["value"] > head["value"]


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["LAB/GEN/OUTPUT", "--field", "data"], 2, "data is not there: the message is int"),
        (["LAB/GEN/OUTPUT", "--field", "!"], 2, "is no path"),
        (["LAB/GEN/OUTPUT", "--count", "0"], 2, "--count a whole number from 1 on"),
        (["LAB/GEN/OUTPUT", "--every", "-1"], 2, "--every takes seconds from 0 on"),
        (["LAB/"], 2, "begins several"),
    ],
)
def test_what_cannot_be_shown_is_said(run: Any, words: list[str], code: int, said: str) -> None:
    found, out, err = run("topic", "echo", *words)
    assert (found, out) == (code, "")
    assert said in err


def test_a_topic_on_which_nothing_comes(run: Any) -> None:
    code, out, err = run("topic", "echo", "LAB/GNE/OUTPUT", timeout="1.5")
    assert (code, out) == (5, "")
    assert "No message came on LAB/GNE/OUTPUT within 1.5 s. No unit has a topic LAB/GNE/OUTPUT yet; is" in err
    assert "LAB/GEN/OUTPUT" in err


def test_what_is_typed_is_received(lab: RunningLab, run: Any) -> None:
    words = ["topic", "echo", "TYPED", "--count", "2", "--json", "--timeout", "50", "--address", str(lab.address)]
    with subprocess.Popen([*COMMAND, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as echo:
        nested = "[[1, 2], [3, 4]]"
        words = ["TYPED", nested, "--array", "float32", "--count", "2", "--every", "0.01", "--json"]
        code, out, _ = run("topic", "pub", *words, timeout="50")
        received, err = echo.communicate(timeout=HANG)
    assert code == 0, err
    assert json.loads(out) == {
        "$schema": "ezmsg.published/1",
        "topic": "TYPED",
        "messages": 2,
        "subscribers": 1,
    }
    assert echo.returncode == 0, err
    form = json.loads(received.splitlines()[0])
    assert form["value"] == {"dtype": "float32", "shape": [2, 2], "values": [[1.0, 2.0], [3.0, 4.0]]}


def test_what_is_typed_reaches_a_unit(run: Any) -> None:
    code, out, err = run("topic", "pub", "LAB/SLOW/INPUT", "7")
    assert (code, out) == (0, "")
    assert err == "LAB/SLOW/INPUT: 1 message for 1 process\n"


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["NOBODY", "1"], 1, "Nobody has subscribed to NOBODY within 0.5 s"),
        (["X", "word", "--array", "float32"], 2, "makes no array"),
        (["X", "1", "--array", "flaot"], 2, "makes no array"),
        (["X", "1", "--array", "O"], 2, "makes no array"),
        (["X", "1", "--count", "0"], 2, "--count"),
    ],
)
def test_what_cannot_be_published_is_said(run: Any, words: list[str], code: int, said: str) -> None:
    found, out, err = run("topic", "pub", *words, timeout="0.5")
    assert (found, out) == (code, "")
    assert said in err


@pytest.mark.parametrize("words", [["echo", "X"], ["pub", "X", "1"]])
def test_without_a_server_none_is_started(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
    assert main(["topic", *words, "--address", address]) == 3
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.startswith("ezmsg: EZ-3001  No graph server answers")
