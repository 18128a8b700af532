"""What the three displays write, from blocks and detections made by hand."""

import io
import json
import os
import re
from collections import deque

import numpy as np
import pytest

from ezmsg.core.demo.detector import Beat
from ezmsg.core.demo.display import (
    BARS,
    SPARKLINE_COLUMNS,
    JsonDisplay,
    LiveDisplay,
    PlainDisplay,
    mean_bpm,
    sparkline,
)
from ezmsg.core.demo.signals import Block, Detection

MS = 1_000_000


def beat(time_s, bpm=None):
    return Beat(sample=round(time_s * 360), time_s=time_s, bpm=bpm)


def detection(*times_s, start=0, count=36, published_ns=0, last=False):
    return Detection(start, count, [beat(time_s) for time_s in times_s], published_ns, last)


def lines(out):
    return out.getvalue().splitlines()


def test_json_lines_hold_what_was_agreed_and_nothing_else():
    out = io.StringIO()
    display = JsonDisplay(out)
    display.detection(Detection(0, 36, [Beat(10, 0.5, None), Beat(20, 1.0, 120.0)], 0, last=False), 2 * MS)
    display.detection(Detection(36, 36, [], 0, last=True), 4 * MS)
    display.summary()
    display.close()
    assert [json.loads(line) for line in lines(out)] == [
        {"sample": 10, "time_s": 0.5, "bpm": None},
        {"sample": 20, "time_s": 1.0, "bpm": 120.0},
        {
            "summary": {
                "samples_in": 72,
                "samples_out": 72,
                "beats": 2,
                "mean_bpm": 120.0,
                "latency_p50_ms": 3.0,
                "latency_p99_ms": pytest.approx(3.98),
            }
        },
    ]


def test_a_lost_block_shows_in_the_summary():
    out = io.StringIO()
    display = JsonDisplay(out)
    display.detection(detection(start=0), 0)
    display.detection(detection(start=72, last=True), 0)
    display.summary()
    summary = json.loads(lines(out)[-1])["summary"]
    assert (summary["samples_in"], summary["samples_out"]) == (108, 72)


def test_a_summary_of_nothing():
    for kind in (JsonDisplay, PlainDisplay, LiveDisplay):
        out = io.StringIO()
        display = kind(out)
        display.summary()
        display.close()
        assert "0" in lines(out)[-1]


@pytest.mark.parametrize(
    ("times_s", "rate"),
    [([], None), ([1.0], None), ([1.0, 1.0], None), ([1.0, 2.0], 60.0), ([1.0, 1.5, 2.0], 120.0)],
)
def test_the_mean_rate(times_s, rate):
    assert mean_bpm([beat(time_s) for time_s in times_s]) == rate


def test_plain_lines_come_at_most_once_a_second():
    out = io.StringIO()
    display = PlainDisplay(out)
    for tenth in range(100):
        display.detection(detection(tenth / 10, start=36 * tenth), 0)
    assert len(lines(out)) == 9
    assert all(re.match(r" +\d\.\d s +\d+ beats +\d+ bpm +latency +0\.0 ms$", line) for line in lines(out))
    display.summary()
    assert lines(out)[-1].startswith("100 beats, 600 a minute, in 3600 samples (0 lost")


def test_plain_output_has_no_control_characters():
    out = io.StringIO()
    display = PlainDisplay(out)
    display.signal(Block(0, 36, np.ones(36), 0, last=False))
    display.detection(detection(2.0), 0)
    display.summary()
    assert "\x1b" not in out.getvalue()
    assert "\r" not in out.getvalue()


@pytest.fixture
def columns(monkeypatch):
    def set_columns(number):
        size = os.terminal_size((number, 24))
        monkeypatch.setattr("shutil.get_terminal_size", lambda *_: size)

    return set_columns


@pytest.mark.parametrize("width", [200, 100, 80, 60, 50, 40, 20, 3, 1])
def test_the_live_line_never_fills_the_terminals_width(columns, width):
    columns(width)
    out = io.StringIO()
    display = LiveDisplay(out)
    rng = np.random.default_rng(1)
    for tenth in range(60):
        display.signal(Block(36 * tenth, 36, rng.normal(size=36), 0, last=False))
        display.detection(detection(tenth / 10, start=36 * tenth), 0)
    drawn = out.getvalue().split("\r\x1b[K")[1:]
    assert len(drawn) == 60
    assert all(len(line) < max(width, 2) for line in drawn)
    assert "\n" not in out.getvalue()
    if width >= 80:
        assert len(set(drawn[-1]) & set(BARS)) > 2
    if width >= 50:
        assert "bpm" in drawn[-1]


def test_the_live_line_is_ended_once(columns):
    columns(80)
    out = io.StringIO()
    display = LiveDisplay(out)
    display.close()
    assert out.getvalue() == ""
    display.detection(detection(), 0)
    display.close()
    display.close()
    assert out.getvalue().count("\n") == 1
    display.sum_up()
    display.sum_up()
    *before, first, second = out.getvalue().splitlines()
    assert first.startswith("0 beats, in 36 samples ("), "the totals come once, and no line of them is cut"
    assert second
    assert max(len(first), len(second)) < 80
    assert before[-1].startswith("\x1b[K"), "the line that was drawn last is ended, and there is no other"
    assert out.getvalue().count("\n") == 3


def test_the_sparkline_is_one_row_of_a_fixed_width():
    for count in (0, 1, 17, 18, 19, 36, 719, 720):
        row = sparkline(deque(np.linspace(0, 1, count)))
        assert len(row) == SPARKLINE_COLUMNS
    assert row[0] == BARS[0]
    assert row[-1] == BARS[-1]


def test_a_flat_signal_has_a_sparkline_too():
    assert set(sparkline(deque([0.5] * 720))) == {BARS[0]}


def test_a_peak_stays_visible():
    signal = np.zeros(720)
    signal[355] = 1.0
    assert sparkline(deque(signal)).count(BARS[-1]) == 1


def test_an_output_that_takes_no_more_is_kept_and_raised():
    class Full(io.StringIO):
        def write(self, text):
            raise BrokenPipeError(32, "Broken pipe")

    display = JsonDisplay(Full())
    with pytest.raises(BrokenPipeError):
        display.detection(detection(1.0), 0)
    assert isinstance(display.error, BrokenPipeError)
