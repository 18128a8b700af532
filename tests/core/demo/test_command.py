"""The demo's command line, up to the point where the graph runs."""

import io

import pytest

from ezmsg.core.__main__ import main
from ezmsg.core.demo import command
from ezmsg.core.demo.display import JsonDisplay, LiveDisplay, PlainDisplay
from ezmsg.core.demo.record import load_record
from ezmsg.core.errors import RunFailed


class Terminal(io.StringIO):
    encoding = "utf-8"  # type: ignore[assignment]

    def isatty(self):
        return True


class NarrowTerminal(Terminal):
    encoding = "latin-1"  # type: ignore[assignment]


@pytest.fixture
def runs(monkeypatch):
    """What would be run."""
    made = []
    monkeypatch.setattr("ezmsg.core.runtime.run.run", lambda **components: made.append(components["ECG"]))
    monkeypatch.setattr(command, "_quieten", lambda **_: None)
    return made


@pytest.mark.parametrize("seconds", [0, -1, float("nan"), float("-inf")])
def test_seconds_that_play_nothing_are_refused_with_a_sentence(runs, capsys, seconds):
    assert command.demo(seconds=seconds) == 2
    told = capsys.readouterr()
    assert told.err.startswith("ezmsg: --seconds ")
    assert "Give a positive number of seconds." in told.err
    assert told.out == ""
    assert runs == []


def test_the_record_is_as_long_as_the_command_says():
    assert load_record().duration_s == command.RECORD_S


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["dem"],
        ["demo", "--seconds", "many"],
        ["demo", "--speed", "fast"],
        ["demo", "--jason"],
        ["demo", "extra"],
    ],
)
def test_nonsense_is_refused_with_a_sentence(runs, capsys, arguments):
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    told = capsys.readouterr()
    assert "usage: ezmsg.core" in told.err
    assert told.out == ""
    assert runs == []


def test_arguments_become_settings(runs):
    assert main(["demo", "--seconds", "5", "--speed", "max"]) == 0
    assert main(["demo"]) == 0
    settings = [(ecg.SETTINGS.seconds, ecg.SETTINGS.real_time) for ecg in runs]
    assert settings == [(5.0, False), (20.0, True)]


@pytest.mark.parametrize(
    ("out", "json", "kind"),
    [
        (Terminal, False, LiveDisplay),
        (NarrowTerminal, False, PlainDisplay),
        (io.StringIO, False, PlainDisplay),
        (Terminal, True, JsonDisplay),
        (io.StringIO, True, JsonDisplay),
    ],
)
def test_the_display_suits_the_output(runs, monkeypatch, out, json, kind):
    monkeypatch.setattr("sys.stdout", out())
    assert command.demo(json=json) == 0
    assert type(runs[0].DISPLAY.display) is kind


def test_a_run_that_fails_is_a_sentence_and_status_1(monkeypatch, capsys):
    def fail(**_):
        raise RunFailed(failures=["the process of ECG/SOURCE (pid 1) was ended by SIGKILL"])

    monkeypatch.setattr("ezmsg.core.runtime.run.run", fail)
    monkeypatch.setattr(command, "_quieten", lambda **_: None)
    assert command.demo() == 1
    assert "ECG/SOURCE" in capsys.readouterr().err


def test_the_log_level_of_the_user_stays(monkeypatch):
    monkeypatch.setenv("EZMSG_LOGLEVEL", "DEBUG")
    monkeypatch.setenv("EZMSG_DISABLE_BACKPRESSURE_WARNING", "0")
    command._quieten(full_speed=True)
    import os

    assert os.environ["EZMSG_LOGLEVEL"] == "DEBUG"
    assert os.environ["EZMSG_DISABLE_BACKPRESSURE_WARNING"] == "0"
