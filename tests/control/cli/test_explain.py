"""``ezmsg explain``: every error of every distribution has its text, and a code that is none is said to be none."""

import json
import subprocess
import sys

import pytest

import ezmsg.core.errors
import ezmsg.util.errors  # noqa: F401  so that all classes are known
from ezmsg.control.cli import explain, main
from ezmsg.control.cli.explanations import EXPLANATIONS as CONTROL
from ezmsg.core.commands.explanations import EXPLANATIONS as CORE
from ezmsg.protocol.errors import EzmsgError, error_classes
from ezmsg.protocol.errors.explaining import EXPLANATIONS as PROTOCOL
from ezmsg.util.explanations import EXPLANATIONS as UTIL
from ezmsg.zenoh.explanations import EXPLANATIONS as ZENOH


def test_every_error_has_its_text_and_no_text_is_left_over() -> None:
    texts = {**PROTOCOL, **CONTROL, **CORE, **UTIL, **ZENOH}
    ours = {code for code, cls in error_classes().items() if cls.__module__.startswith("ezmsg.")}
    assert texts.keys() == ours - {EzmsgError.code}
    assert len(texts) == sum(map(len, (PROTOCOL, CONTROL, CORE, UTIL, ZENOH)))
    for why, following in texts.values():
        assert all(text.endswith((".", "?")) and not text[0].islower() for text in (why, following))


def test_a_command_by_itself_knows_them_all() -> None:
    """Here everything is imported; there, what the command imports."""
    command = [sys.executable, "-c", "from ezmsg.control.cli import main; main(['explain'])"]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True)
    codes = {line.split()[0] for line in ran.stdout.splitlines()[1:]}
    assert codes == {*PROTOCOL, *CONTROL, *CORE, *UTIL, *ZENOH}


@pytest.mark.parametrize("code", ["EZ-3001", "ez-3001", "3001", "ServerUnreachable", "serverunreachable"])
def test_one_in_text(code: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", code]) == 0
    told = capsys.readouterr()
    head, what, *_ = told.out.splitlines()
    assert head == "EZ-3001  ServerUnreachable   also a ConnectionRefusedError"
    assert what == "What   No graph server answers at an address."
    assert "\nWhy " in told.out
    assert "\nNext " in told.out
    assert told.err == ""


def test_one_in_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "EZ-2003", "--json"]) == 0
    form = json.loads(capsys.readouterr().out)
    assert (form["$schema"], form["name"]) == ("ezmsg.explain/1", "CyclicException")
    assert form["why"]
    assert form["next"]


def test_all_of_them(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain"]) == 0
    codes = [line.split()[0] for line in capsys.readouterr().out.splitlines()[1:]]
    assert {"EZ-1001", "EZ-2001", "EZ-3001", "EZ-4001", "EZ-5001", "EZ-6001", "EZ-7001"} <= set(codes)
    assert main(["explain", "--json"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == len(codes)


@pytest.mark.parametrize(
    ("code", "said"),
    [("ServerUnreachabel", "meant: ServerUnreachable"), ("EZ-0123", "No error has the code"), ("", "No error has")],
)
def test_a_code_that_is_none(code: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", code]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert said in told.err


def test_a_code_of_a_distribution_that_is_absent_names_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    here = {code: each for code, each in explain.known_explanations().items() if code[3] in "1234"}
    monkeypatch.setattr(explain, "known_explanations", lambda: here)
    assert main(["explain", "EZ-7001"]) == 2
    assert "pip install ezmsg-util" in capsys.readouterr().err
