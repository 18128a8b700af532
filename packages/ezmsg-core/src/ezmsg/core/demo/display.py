"""Three ways to show the demo: one live line in a terminal, plain lines elsewhere, JSON lines for programs."""

import json
import shutil
import sys
from abc import ABC, abstractmethod
from collections import deque
from textwrap import wrap
from typing import IO

import numpy as np

from ezmsg.control.rendering.quantities import counted
from ezmsg.core.demo.detector import Beat
from ezmsg.core.demo.signals import Block, Detection

BARS = "▁▂▃▄▅▆▇█"
HEARTS = "♡♥"
SYMBOLS = BARS + HEARTS
"""What an output must be able to show for the live line."""

SPARKLINE_COLUMNS = 40
SPARKLINE_SAMPLES_PER_COLUMN = 18  # 0.05 s, so that the line spans two seconds
RECENT_BEATS = 8


class Display(ABC):
    """Counts what arrives, and leaves the showing to a subclass."""

    def __init__(self, out: IO[str] | None = None) -> None:
        self._out = out
        self.samples_in = 0
        self.samples_out = 0
        self.beats: list[Beat] = []
        self.latencies_ms: list[float] = []
        self.error: OSError | None = None
        """Why the output takes no more."""
        self._summed_up = False

    def signal(self, block: Block) -> None:  # noqa: B027  only a display that draws it has a use for it
        """Take a block of the raw signal."""

    def detection(self, detection: Detection, now_ns: int) -> None:
        """Take what the detector found in one block, at a time of ``time.monotonic_ns``."""
        self.samples_in = detection.start + detection.count
        self.samples_out += detection.count
        self.beats += detection.beats
        self.latencies_ms.append((now_ns - detection.published_ns) / 1e6)
        self.show(detection)

    @abstractmethod
    def show(self, detection: Detection) -> None:
        """Show one block's worth of news."""

    def sum_up(self) -> None:
        """Show the totals, unless they are shown already or the output takes no more.

        :raises OSError: if it cannot take them.
        """
        if not self._summed_up and self.error is None:
            self._summed_up = True
            self.summary()

    @abstractmethod
    def summary(self) -> None:
        """Show the totals, each time."""

    def close(self) -> None:  # noqa: B027  most leave nothing unfinished
        """Leave the output as the next program expects it, however the run ended."""

    def bpm(self) -> float | None:
        """Return the heart rate over the last beats, in beats a minute."""
        return mean_bpm(self.beats[-RECENT_BEATS:])

    def latency_ms(self, percentile: float) -> float:
        """Return a percentile of the time from a block's leaving the source to its arrival here."""
        return float(np.percentile(self.latencies_ms, percentile)) if self.latencies_ms else 0.0

    def write(self, text: str) -> None:
        """Write to standard output at once.

        :raises OSError: if nobody reads it any more, or it cannot take more; it is kept in ``error``.
        """
        out = self._out or sys.stdout
        try:
            out.write(text)
            out.flush()
        except OSError as error:
            self.error = error
            raise


def mean_bpm(beats: list[Beat]) -> float | None:
    """Return the mean rate from the first to the last of these beats, in beats a minute."""
    if len(beats) < 2 or beats[-1].time_s <= beats[0].time_s:
        return None
    return 60.0 * (len(beats) - 1) / (beats[-1].time_s - beats[0].time_s)


class JsonDisplay(Display):
    """One JSON object a line: each beat, then the summary."""

    def show(self, detection: Detection) -> None:
        for beat in detection.beats:
            self._line({"sample": beat.sample, "time_s": beat.time_s, "bpm": beat.bpm})

    def summary(self) -> None:
        self._line(
            {
                "summary": {
                    "samples_in": self.samples_in,
                    "samples_out": self.samples_out,
                    "beats": len(self.beats),
                    "mean_bpm": mean_bpm(self.beats),
                    "latency_p50_ms": self.latency_ms(50),
                    "latency_p99_ms": self.latency_ms(99),
                }
            }
        )

    def _line(self, content: dict[str, object]) -> None:
        self.write(json.dumps(content) + "\n")


class PlainDisplay(Display):
    """At most one line for each second of the record, when a beat was found."""

    def __init__(self, out: IO[str] | None = None) -> None:
        super().__init__(out)
        self._next_s = 1.0

    def show(self, detection: Detection) -> None:
        if detection.beats and detection.beats[-1].time_s >= self._next_s:
            self.write(self._status() + "\n")
            self._next_s = float(int(detection.beats[-1].time_s)) + 1.0

    def summary(self) -> None:
        bpm = mean_bpm(self.beats)
        rate = "" if bpm is None else f", {bpm:.0f} a minute"
        lost = self.samples_in - self.samples_out
        self.write_summary(
            f"{counted(len(self.beats), 'beat')}{rate}, in {counted(self.samples_out, 'sample')} "
            f"({lost} lost between source and display)"
            f"; latency {self.latency_ms(50):.1f} ms (median), {self.latency_ms(99):.1f} ms (99 %)"
        )

    def write_summary(self, text: str) -> None:
        """Write the totals on a line."""
        self.write(f"{text}\n")

    def _status(self) -> str:
        time_s = self.beats[-1].time_s if self.beats else 0.0
        bpm = self.bpm()
        rate = "---" if bpm is None else f"{bpm:3.0f}"
        latency = self.latencies_ms[-1] if self.latencies_ms else 0.0
        return f"{time_s:6.1f} s  {len(self.beats):4d} beats  {rate} bpm  latency {latency:5.1f} ms"


class LiveDisplay(PlainDisplay):
    """One line that is drawn anew: the signal's last two seconds, beats, heart rate, latency.

    In a terminal that is too narrow for it, the signal goes first.
    """

    def __init__(self, out: IO[str] | None = None) -> None:
        super().__init__(out)
        self._drawing = False
        self._signal: deque[float] = deque(maxlen=SPARKLINE_COLUMNS * SPARKLINE_SAMPLES_PER_COLUMN)

    def signal(self, block: Block) -> None:
        self._signal.extend(block.signal.tolist())

    def show(self, detection: Detection) -> None:
        heart = HEARTS[bool(detection.beats)]
        status = f"{heart} {self._status()}"
        width = shutil.get_terminal_size().columns - 1  # in the last column a terminal would begin another line
        room = width - len(status) - 2
        line = f"{sparkline(self._signal)[-room:]}  {status}" if room > 0 else status[: max(width, 0)]
        self._drawing = True
        self.write(f"\r\x1b[K{line}")

    def summary(self) -> None:
        self.close()
        super().summary()

    def write_summary(self, text: str) -> None:
        """Write the totals on as many lines as they need here, so that no word is cut."""
        width = max(shutil.get_terminal_size().columns - 1, 1)
        self.write("".join(f"{line}\n" for line in wrap(text, width, break_on_hyphens=False)))

    def close(self) -> None:
        if self._drawing:
            self._drawing = False
            self.write("\n")


def sparkline(samples: "deque[float]") -> str:
    """Return the signal as one row of bars: the largest value of each column's samples, scaled to what is there."""
    if not samples:
        return " " * SPARKLINE_COLUMNS
    columns = np.asarray(samples)
    columns = columns[len(columns) % SPARKLINE_SAMPLES_PER_COLUMN :]
    peaks = columns.reshape(-1, SPARKLINE_SAMPLES_PER_COLUMN).max(axis=1) if len(columns) else np.zeros(0)
    if not len(peaks):
        return " " * SPARKLINE_COLUMNS
    low, high = float(peaks.min()), float(peaks.max())
    heights = ((peaks - low) / ((high - low) or 1.0) * (len(BARS) - 1)).round().astype(int)
    return "".join(BARS[height] for height in heights).rjust(SPARKLINE_COLUMNS)
