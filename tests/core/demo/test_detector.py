"""The beat detector: against nine public detectors on the real record, and rule by rule on made-up hearts."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ezmsg.core.demo.bandpass import HIGH_HZ, LOW_HZ, BandPass
from ezmsg.core.demo.detector import Beat, Detector
from ezmsg.core.demo.record import load_record

FS_HZ = 360.0
RECORD = load_record()
MAJORITY = np.loadtxt(Path(__file__).with_name("majority_beats.txt"), dtype=int)
TOLERANCE_S = 0.15

Signal = npt.NDArray[np.float64]


def detect(
    signal: Signal,
    block: int = 36,
    fs_hz: float = FS_HZ,
    bands: tuple[tuple[float, float], ...] = ((LOW_HZ, HIGH_HZ),),
    retune_every: int = 100,
) -> list[Beat]:
    """Filter and detect block by block; every so many blocks the filter is tuned to the next of the bands."""
    bandpass = BandPass(*bands[0], fs_hz)
    detector = Detector(fs_hz, bandpass.delay_samples)
    beats = []
    for count, start in enumerate(range(0, len(signal), block)):
        if len(bands) > 1 and count and count % retune_every == 0:
            bandpass.retune(*bands[count // retune_every % len(bands)])
        beats += detector.process(bandpass.process(signal[start : start + block]))
    return [*beats, *detector.process(bandpass.flush()), *detector.flush()]


def samples(beats: list[Beat]) -> list[int]:
    return [beat.sample for beat in beats]


def matched(ours: list[int], theirs: list[int], tolerance: float) -> int:
    """Return how many can be paired, each at most once, within the tolerance in samples; both are in order."""
    pairs = i = j = 0
    while i < len(ours) and j < len(theirs):
        if abs(ours[i] - theirs[j]) <= tolerance:
            pairs, i, j = pairs + 1, i + 1, j + 1
        elif ours[i] < theirs[j]:
            i += 1
        else:
            j += 1
    return pairs


def agreement(beats: list[Beat], start: int = 0, stop: int = len(RECORD.signal_mv)) -> tuple[float, float]:
    """Return sensitivity and precision against the majority between two samples of the record."""
    theirs = [sample for sample in MAJORITY.tolist() if start <= sample < stop]
    ours = [sample + start for sample in samples(beats)]
    pairs = matched(ours, theirs, TOLERANCE_S * FS_HZ)
    return pairs / len(theirs), pairs / len(ours)


def heart(
    peaks_s: list[float],
    duration_s: float,
    fs_hz: float = FS_HZ,
    heights: dict[int, float] | None = None,
    t_wave: float = 0.35,
) -> Signal:
    """Return narrow R waves, each with a T wave 0.28 s later; heights in mV, 1.0 unless given by position."""
    time_s = np.arange(round(duration_s * fs_hz)) / fs_hz
    signal = np.zeros_like(time_s)
    for index, peak_s in enumerate(peaks_s):
        wave = np.exp(-(((time_s - peak_s) / 0.012) ** 2))
        wave += t_wave * np.exp(-(((time_s - peak_s - 0.28) / 0.08) ** 2))
        signal += (heights or {}).get(index, 1.0) * wave
    return signal


def regular(interval_s: float, duration_s: float) -> list[float]:
    return np.arange(0.4, duration_s - 0.1, interval_s).tolist()


def near(beats: list[Beat], peaks_s: list[float], fs_hz: float = FS_HZ) -> bool:
    """Whether there is exactly one beat for each peak, within two samples."""
    return len(beats) == len(peaks_s) and all(
        abs(beat.sample - peak_s * fs_hz) <= 2 for beat, peak_s in zip(beats, peaks_s, strict=True)
    )


class TestTheRecord:
    @pytest.mark.parametrize("block", [7, 36, 360, 108_000])
    def test_agrees_with_the_majority_of_nine_public_detectors(self, block: int) -> None:
        beats = detect(RECORD.signal_mv, block)
        sensitivity, precision = agreement(beats)
        assert sensitivity >= 0.99
        assert precision >= 0.99
        assert all(a.sample < b.sample for a, b in pairwise(beats))

    def test_loses_no_beat_of_the_learning_phase(self) -> None:
        assert len(detect(RECORD.signal_mv[: round(20 * FS_HZ)], block=1)) == 40

    def test_puts_beats_on_r_peaks(self) -> None:
        """The R waves of this record point up, those of its wide premature beats too."""
        late = []
        for sample in samples(detect(RECORD.signal_mv)):
            start = max(sample - 36, 0)
            late.append(start + int(np.argmax(RECORD.signal_mv[start : sample + 37])) - sample)
        assert np.mean(np.abs(late) <= 0.012 * FS_HZ) >= 0.9
        assert np.mean(np.abs(late) <= 0.025 * FS_HZ) >= 0.95

    @pytest.mark.parametrize("factor", [-1.0, 1e-6, 1e4])
    def test_neither_scale_nor_polarity_matters(self, factor: float) -> None:
        assert samples(detect(RECORD.signal_mv * factor)) == samples(detect(RECORD.signal_mv))

    @pytest.mark.parametrize("band", [(1.0, 40.0), (5.0, 25.0), (8.0, 20.0), (10.0, 25.0), (15.0, 40.0)])
    def test_other_bands_do_too(self, band: tuple[float, float]) -> None:
        assert min(agreement(detect(RECORD.signal_mv, bands=(band,)))) >= 0.97

    def test_an_operator_may_retune_while_it_runs(self) -> None:
        bands = ((5.0, 15.0), (8.0, 20.0), (1.0, 40.0), (10.0, 25.0), (3.0, 30.0), (15.0, 40.0))
        assert min(agreement(detect(RECORD.signal_mv, bands=bands))) >= 0.97

    @pytest.mark.parametrize("factor", [0.1, 10.0])
    def test_survives_a_change_of_gain(self, factor: float) -> None:
        signal = RECORD.signal_mv.copy()
        signal[54_000:] *= factor
        assert min(agreement(detect(signal))) >= 0.97

    @settings(deadline=None, max_examples=25)
    @given(
        start=st.integers(0, 100_000),
        cuts=st.lists(st.integers(0, 7200), max_size=60).map(sorted),
    )
    @example(start=32457, cuts=[1172])  # what was overdue when the learning ended was forgotten
    def test_how_the_stream_is_cut_makes_no_difference(self, start: int, cuts: list[int]) -> None:
        signal = RECORD.signal_mv[start : start + 7200]
        bandpass = BandPass(LOW_HZ, HIGH_HZ, FS_HZ)
        detector = Detector(FS_HZ, bandpass.delay_samples)
        filtered = np.concatenate((bandpass.process(signal), bandpass.flush()))
        beats = []
        for first, last in zip([0, *cuts], [*cuts, len(filtered)], strict=True):
            beats += detector.process(filtered[first:last])
        assert [*beats, *detector.flush()] == detect(signal, block=len(signal))


class TestTheRules:
    @pytest.mark.parametrize("fs_hz", [100.0, 128.0, 250.0, 360.0, 1000.0])
    @pytest.mark.parametrize("interval_s", [0.4, 0.8, 1.3])
    def test_a_regular_heart_at_any_sampling_rate(self, fs_hz: float, interval_s: float) -> None:
        peaks_s = regular(interval_s, 20)
        beats = detect(heart(peaks_s, 20, fs_hz), fs_hz=fs_hz)
        assert near(beats, peaks_s, fs_hz)
        assert beats[0].bpm is None
        for last, beat in pairwise(beats):
            assert beat.bpm == pytest.approx(60 / (beat.time_s - last.time_s))
            assert beat.bpm == pytest.approx(60 / interval_s, rel=0.06)
            assert beat.time_s == beat.sample / fs_hz

    def test_after_learning_a_beat_is_told_within_half_a_second(self) -> None:
        bandpass = BandPass(LOW_HZ, HIGH_HZ, FS_HZ)
        detector = Detector(FS_HZ, bandpass.delay_samples)
        late = []
        for index, value in enumerate(heart(regular(0.8, 20), 20)):
            late += [index - beat.sample for beat in detector.process(bandpass.process(np.array([value])))]
        settled = late[5:]
        assert len(settled) >= 15
        assert max(settled) <= 0.5 * FS_HZ

    def test_large_t_waves_are_not_beats(self) -> None:
        peaks_s = regular(0.8, 20)
        assert near(detect(heart(peaks_s, 20, t_wave=2.0)), peaks_s)

    def test_a_gentle_slope_long_after_the_last_beat_is_no_t_wave(self) -> None:
        """The record ends before that beat would be overdue, so looking back cannot be what finds it."""
        peaks_s = regular(0.8, 10)
        time_s = np.arange(round((peaks_s[-1] + 0.3) * FS_HZ)) / FS_HZ
        wide = 0.7 * np.exp(-(((time_s - peaks_s[-1]) / 0.05) ** 2))
        assert near(detect(heart(peaks_s[:-1], len(time_s) / FS_HZ, t_wave=0.1) + wide), peaks_s)

    def test_a_premature_beat_is_a_beat(self) -> None:
        peaks_s = sorted([*regular(0.8, 20), 10.35])
        assert near(detect(heart(peaks_s, 20)), peaks_s)

    def test_a_weak_beat_is_found_by_looking_back(self) -> None:
        peaks_s = regular(0.8, 20)
        assert near(detect(heart(peaks_s, 20, heights={12: 0.25}, t_wave=0.1)), peaks_s)

    def test_an_artefact_while_learning_does_not_hide_the_beats(self) -> None:
        peaks_s = regular(0.8, 20)
        beats = detect(heart(peaks_s, 20, heights={1: 30.0}, t_wave=0.1))
        assert near([beats[0], *beats[2:]], [peaks_s[0], *peaks_s[2:]])

    def test_a_pause_is_not_filled_with_noise(self) -> None:
        peaks_s = [peak_s for peak_s in regular(0.8, 30) if not 14 < peak_s < 18]
        noise = 0.01 * np.random.default_rng(4).standard_normal(round(30 * FS_HZ))
        assert near(detect(heart(peaks_s, 30) + noise), peaks_s)

    def test_a_heart_that_starts_late_is_learnt_late(self) -> None:
        peaks_s = [peak_s for peak_s in regular(0.8, 30) if peak_s > 12]
        assert near(detect(heart(peaks_s, 30)), peaks_s)

    def test_a_record_shorter_than_the_learning_phase_is_decided_at_its_end(self) -> None:
        assert near(detect(heart([0.4, 1.2, 1.9], 2.0)), [0.4, 1.2, 1.9])

    def test_nothing_gives_nothing(self) -> None:
        assert Detector(FS_HZ).flush() == []
        assert Detector(FS_HZ).process(np.zeros(0)) == []
        assert detect(np.full(10_000, 3.3)) == []
