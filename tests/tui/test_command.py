"""``ezmsg top`` for scripts: one look in text and JSON, and each of its failures with its exit code."""

import json
import socket

import pytest
from tests.tui.conftest import RunningLab

from ezmsg.control.cli import main
from ezmsg.graphserver import GraphServer
from ezmsg.protocol.addresses import Address


def test_one_look_in_text(lab: RunningLab, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["top", "--once", "--address", str(lab.address), "--timeout", "20"]) == 0
    told = capsys.readouterr()
    assert "LAB/GEN/OUTPUT" in told.out
    assert "LAB/FILT/OUTPUT waits" in told.out
    assert told.err == f"3 units in 2 processes at {lab.address}\n"


def test_one_look_in_json(lab: RunningLab, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["top", "--once", "--json", "--address", str(lab.address), "--timeout", "20"]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    form = json.loads(line)
    assert form["$schema"] == "ezmsg.top/1"
    assert {unit["address"] for unit in form["units"]} == {"LAB/GEN", "LAB/FILT", "LAB/SLOW"}
    assert ["LAB/GEN/OUTPUT", "LAB/FILT/INPUT"] in form["edges"]
    (generator,) = [each for each in form["endpoints"] if each["topic"] == "LAB/GEN/OUTPUT"]
    assert generator["rate_hz"] > 0
    assert all(process["failure"] is None for process in form["processes"])
    assert "waits" in [each["what"] for each in form["news"]]


def test_an_empty_server_is_no_failure(capsys: pytest.CaptureFixture[str]) -> None:
    server = GraphServer()
    server.start(("127.0.0.1", 0))
    try:
        assert main(["top", "--once", "--json", "--address", str(Address(*server.address))]) == 0
        assert json.loads(capsys.readouterr().out)["units"] == []
    finally:
        server.stop()


def test_without_a_server_it_says_how_to_get_one(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    assert main(["top", "--once", "--address", f"127.0.0.1:{port}"]) == 3
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.startswith(f"ezmsg: EZ-3001  No graph server answers at 127.0.0.1:{port}")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["top"], "top wants a terminal"),
        (["top", "--json"], "--json is for one look"),
        (["top", "8000"], "8000 is a port, which --web takes"),
        (["top", "--once", "--address", "nowhere"], "EZ-3006"),
    ],
)
def test_what_makes_no_sense_is_said(words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 2
    assert said in capsys.readouterr().err


def test_a_wrong_token_is_refused(
    lab: RunningLab, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("EZMSG_TOKEN", "guessed")
    assert main(["top", "--once", "--address", str(lab.address)]) == 4
    assert "another token" in capsys.readouterr().err
