"""Finding heart beats (QRS complexes) in a band-passed electrocardiogram, as it arrives.

The steps are those of Pan & Tompkins, "A real-time QRS detection algorithm", IEEE Trans. Biomed. Eng.
32(3):230-236, 1985, with the rules of Hamilton, "Open source ECG analysis", Computers in Cardiology 29:101-104,
2002:

1. *energy*: the absolute slope, averaged over about the width of a QRS complex;
2. *peaks*: a sample whose energy is the largest within one refractory period on either side;
3. *decisions*: a peak is a beat if it stands above a threshold between the recent beats and the recent noise, and
   is no T wave; when a beat is overdue, the best of the refused peaks gets a second look.

Everything is relative to what the signal itself has shown, so neither its scale nor its polarity matters.
"""

from collections import deque
from dataclasses import dataclass
from statistics import median

import numpy as np
import numpy.typing as npt

Signal = npt.NDArray[np.float64]

QRS_S = 0.10
"""The averaging window: about the width of a QRS complex."""
REFRACTORY_S = 0.20
"""No heart beats twice within it (Pan & Tompkins 1985)."""
R_PEAK_S = 0.08
"""How far the R peak may lie from the middle of the complex, which is where its energy peaks."""
T_WAVE_S = 0.36
"""Sooner than this after a beat, a peak with less than half its slope is its T wave (Pan & Tompkins 1985)."""
LEARNING_S = 3.0
"""How long to look before the first decision."""
LOST_S = 5.0
"""How long without any beat before the levels are learnt anew: the gain may have changed."""
THRESHOLD = 0.3125
"""Where the threshold lies between the noise level, 0, and the beat level, 1 (Hamilton 2002)."""
OVERDUE = 1.5
"""In usual RR intervals: later than that, search back (Hamilton 2002)."""
MEMORY = 8
"""How many beats, noise peaks and intervals the levels are medians of (Hamilton 2002)."""


@dataclass(frozen=True)
class Beat:
    """One heart beat."""

    sample: int
    """The index of the R peak in the raw record, from 0."""
    time_s: float
    """The same in seconds from the start of the record."""
    bpm: float | None
    """Beats a minute, from the interval to the beat before; None for the first."""


@dataclass(frozen=True)
class _Peak:
    """A local maximum of the energy: a beat, a T wave or noise."""

    sample: int
    """Where the filtered signal is largest nearby, as an index into the filtered stream."""
    known: int
    """The index of the filtered sample that settled that this is a peak."""
    height: float
    """The energy, in signal units per sample."""
    slope: float
    """The steepest slope nearby, in signal units per sample."""


class Detector:
    """Finds the beats of one record, fed with its filtered signal block by block.

    How the stream is cut into blocks makes no difference to the beats, only to when they are told. The beats of the
    learning phase are told together at its end; later ones about 0.26 s after their filtered R peak has come in,
    or, when it took a search back, once they are overdue.

    :param fs_hz: Samples per second.
    :param delay_samples: How late the filter is: sample ``k`` of the filtered signal belongs to sample
        ``k - delay_samples`` of the record.
    """

    def __init__(self, fs_hz: float, delay_samples: int = 0) -> None:
        self._fs_hz = fs_hz
        self._delay = delay_samples
        self._half_qrs = max(round(fs_hz * QRS_S / 2), 1)
        self._refractory = max(round(fs_hz * REFRACTORY_S), 1)
        self._reach = max(round(fs_hz * R_PEAK_S), 1)
        self._ahead = 1 + self._half_qrs + self._refractory
        """How many samples after a peak it takes to know that it is one: slope, average and refractory period."""
        self._recent: Signal | None = None
        """The last ``2 * ahead`` filtered samples."""
        self._seen = 0
        """How many filtered samples have come in."""
        self._listening_since = 0
        """The filtered sample at which the learning phase, or the silence after the last beat, began."""
        self._last: _Peak | None = None
        self._refused: list[_Peak] = []
        """The peaks since the last beat: not beats so far. While learning, all of them."""
        self._beat_heights: deque[float] = deque(maxlen=MEMORY)
        """Empty while learning."""
        self._noise_heights: deque[float] = deque(maxlen=MEMORY)
        self._intervals: deque[int] = deque(maxlen=MEMORY)
        """Between beats, in samples."""

    def process(self, block: Signal) -> list[Beat]:
        """Take the next filtered samples, shape (n,), and return the beats that they decided, in order."""
        beats: list[Beat] = []
        for peak in self._find_peaks(block):
            beats += self._wait(peak.known)
            beats += self._judge(peak)
        return beats + self._wait(self._seen - 1)

    def flush(self) -> list[Beat]:
        """Return the beats that were still undecided at the end of the record; the detector is then done."""
        if self._recent is None:
            return []
        beats = self.process(np.full(self._ahead, self._recent[-1]))
        if not self._beat_heights:
            beats += self._learn()
        return beats

    def _find_peaks(self, block: Signal) -> list[_Peak]:
        """Return the peaks that these samples settle, each once."""
        if len(block) == 0:
            return []
        if self._recent is None:
            self._recent = np.full(2 * self._ahead, block[0], dtype=np.float64)
        signal = np.concatenate((self._recent, block))
        self._recent = signal[len(block) :].copy()
        start = self._seen - 2 * self._ahead
        self._seen += len(block)

        slope = np.abs(signal[2:] - signal[:-2]) / 2
        width = 2 * self._half_qrs + 1
        energy = np.convolve(slope, np.full(width, 1 / width), mode="valid")
        around = np.lib.stride_tricks.sliding_window_view(energy, 2 * self._refractory + 1)
        height = around[:, self._refractory]
        before = around[:, : self._refractory].max(axis=1)
        after = around[:, self._refractory + 1 :].max(axis=1)
        peaks = []
        for index in np.flatnonzero((height > before) & (height >= after)):
            middle = int(index) + self._ahead
            nearby = np.abs(signal[middle - self._reach : middle + self._reach + 1])
            peaks.append(
                _Peak(
                    sample=start + middle - self._reach + int(np.argmax(nearby)),
                    known=start + middle + self._ahead,
                    height=float(height[index]),
                    slope=float(slope[index + self._refractory : index + self._refractory + width].max()),
                )
            )
        return peaks

    def _judge(self, peak: _Peak) -> list[Beat]:
        """Return the peak as a beat, or keep it among the refused."""
        if self._beat_heights and peak.height > self._threshold() and not self._is_t_wave(peak):
            return [self._accept(peak)]
        self._refused.append(peak)
        return []

    def _wait(self, now: int) -> list[Beat]:
        """Return the beats that follow from nothing else having come up to filtered sample ``now``.

        What is due is done in the order in which it became due, so that it makes no difference how often this is
        called.
        """
        beats: list[Beat] = []
        while True:
            learning_at = self._listening_since + self._patience() + self._ahead
            if self._overdue_at() <= min(now, learning_at) and (missed := self._search_back()):
                beats.append(self._accept(missed))
            elif learning_at <= now:
                beats += self._learn()
            else:
                return beats

    def _learn(self) -> list[Beat]:
        """Take the level of the beats from the peaks refused so far, and judge those again.

        The level is the median over the seconds of the largest peak in each, so that one artefact cannot set it
        (Hamilton 2002).
        """
        largest: dict[int, float] = {}
        for peak in self._refused:
            second = int((peak.sample - self._listening_since) / self._fs_hz)
            largest[second] = max(peak.height, largest.get(second, 0.0))
        self._listening_since += self._patience()
        self._beat_heights.clear()
        self._noise_heights.clear()
        if not largest:
            return []
        self._beat_heights.append(median(largest.values()))
        again, self._refused = self._refused, []
        beats: list[Beat] = []
        for peak in again:
            beats += self._wait(peak.known)
            beats += self._judge(peak)
        return beats

    def _patience(self) -> int:
        """Return for how many samples to listen before learning the levels, for the first time or anew."""
        return round(self._fs_hz * (LOST_S if self._beat_heights else LEARNING_S))

    def _threshold(self) -> float:
        """Return the energy above which a peak is a beat."""
        noise = median(self._noise_heights) if self._noise_heights else 0.0
        return noise + THRESHOLD * (median(self._beat_heights) - noise)

    def _is_t_wave(self, peak: _Peak) -> bool:
        """Whether the peak follows the last beat so soon and so gently that it is its T wave."""
        return self._last is not None and self._is_soon(peak) and peak.slope < self._last.slope / 2

    def _is_soon(self, peak: _Peak) -> bool:
        """Whether the peak lies where the T wave of the last beat may be."""
        return self._last is not None and peak.sample - self._last.sample < T_WAVE_S * self._fs_hz

    def _overdue_at(self) -> float:
        """Return the filtered sample at which a beat should long have become known; never, before two beats."""
        if self._last is None or not self._intervals or not self._beat_heights:
            return float("inf")
        return self._last.sample + OVERDUE * median(self._intervals) + self._ahead

    def _search_back(self) -> _Peak | None:
        """Return the best of the peaks refused since the last beat, if it reaches half the threshold."""
        late_enough = [peak for peak in self._refused if not self._is_soon(peak)]
        best = max(late_enough, key=lambda peak: peak.height, default=None)
        return best if best and best.height > self._threshold() / 2 else None

    def _accept(self, peak: _Peak) -> Beat:
        """Remember the peak as the last beat, the refused ones before it as noise, and return it."""
        sample = max(peak.sample - self._delay, 0)
        bpm = None
        if self._last is not None:
            interval = peak.sample - self._last.sample
            self._intervals.append(interval)
            bpm = 60 * self._fs_hz / interval
        self._noise_heights.extend(other.height for other in self._refused if other.sample < peak.sample)
        self._refused = [other for other in self._refused if other.sample > peak.sample]
        self._beat_heights.append(peak.height)
        self._last = peak
        self._listening_since = peak.sample
        return Beat(sample=sample, time_s=sample / self._fs_hz, bpm=bpm)
