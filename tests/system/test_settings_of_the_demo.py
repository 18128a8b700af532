"""The demo's filter tuned from a second terminal while it runs: applied, told, refused, and no sample lost."""

import json
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

HANG = 30.0
DEMO = [sys.executable, "-m", "ezmsg.core", "demo", "--json", "--seconds", "25"]
EZMSG = [sys.executable, "-c", "import sys; from ezmsg.control.cli import main; sys.exit(main())"]


@pytest.fixture
def settings(environment: dict[str, str]) -> Callable[..., "subprocess.CompletedProcess[str]"]:
    """Run ``ezmsg settings`` in a process of its own, which finds the demo by itself."""

    def run(*arguments: str) -> "subprocess.CompletedProcess[str]":
        command = [*EZMSG, "settings", *arguments]
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=HANG, check=False)

    return run


def test_a_second_terminal_tunes_the_filter(
    start: Any, settings: Callable[..., "subprocess.CompletedProcess[str]"]
) -> None:
    demo = start.command(*DEMO)
    demo.says('{"sample"')
    watching = start.command(*EZMSG, "settings", "watch", "ECG/FILTER", "--json", "--count", "2")
    watching.complains("Watching the settings of ECG/FILTER")

    done = settings("set", "ECG/FILTER", "high_hz=40", "--json")
    assert done.returncode == 0, done.stderr
    applied = json.loads(done.stdout)["after"]
    assert applied["value"] == {"low_hz": 5.0, "high_hz": 40.0}
    assert applied["revision"] == 1

    for refused in (["high_hz=180"], ["low_hz=5", "high_hz=1000"]):
        done = settings("set", "ECG/FILTER", *refused)
        assert (done.returncode, done.stdout) == (4, "")
        assert "EZ-4101  high_hz cannot be " in done.stderr
        assert "it takes a number from 0.5 and below 180.0. Nothing was changed." in done.stderr
        assert "now 40.0 Hz   allowed 0.5 .. below 180 Hz" in done.stderr
        assert "half the sampling rate (Nyquist)" in done.stderr
    done = settings("set", "ECG/FILTER", "low_hz=40")
    assert (done.returncode, done.stdout) == (4, "")
    assert "EZ-4103  low_hz cannot be 40: low_hz must be below high_hz" in done.stderr

    done = settings("set", "ECG/FILTER", "low_hz=8", "high_hz=20", "--expect", "1")
    assert done.returncode == 0, done.stderr
    assert watching.ends() == 0
    events = [json.loads(line) for line in watching.out]
    assert [event["event_type"] for event in events] == ["SETTINGS_UPDATED"] * 2
    assert events[0]["value"] == applied
    assert events[1]["value"]["value"] == {"low_hz": 8.0, "high_hz": 20.0}
    assert events[1]["seq"] == events[0]["seq"] + 1
    assert all(event["source_process_id"] for event in events)

    assert demo.ends() == 0
    *beats, last = [json.loads(line) for line in demo.out]
    assert last["summary"]["samples_in"] == last["summary"]["samples_out"] == 9000
    assert len(beats) == last["summary"]["beats"] > 10
    assert demo.errors == ""
