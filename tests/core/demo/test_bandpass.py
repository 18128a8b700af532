"""The band-pass filter: its frequency response, its delay, and that neither blocks nor retuning leave a mark."""

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ezmsg.core.demo.bandpass import HIGH_HZ, LOW_HZ, BandPass, InvalidCutoffs

FS_HZ = 360.0
BANDS = [(5.0, 15.0), (8.0, 20.0), (5.0, 40.0), (20.0, 60.0)]


def sine(frequency_hz: float, samples: int) -> npt.NDArray[np.float64]:
    wave: npt.NDArray[np.float64] = np.sin(2 * np.pi * frequency_hz / FS_HZ * np.arange(samples))
    return wave


def gain(bandpass: BandPass, frequency_hz: float) -> float:
    """Return the amplitude of a unit sine after the filter has settled; a whole number of periods is looked at."""
    output = bandpass.process(sine(frequency_hz, 1440))[-720:]
    return float(np.sqrt(2 * np.mean(output**2)))


@pytest.mark.parametrize(("low_hz", "high_hz"), BANDS)
def test_the_band_passes_and_the_rest_does_not(low_hz: float, high_hz: float) -> None:
    assert gain(BandPass(low_hz, high_hz, FS_HZ), (low_hz + high_hz) / 2) == pytest.approx(1.0, abs=0.01)
    assert gain(BandPass(low_hz, high_hz, FS_HZ), low_hz) == pytest.approx(0.5, abs=0.1)
    assert gain(BandPass(low_hz, high_hz, FS_HZ), high_hz) == pytest.approx(0.5, abs=0.1)
    assert gain(BandPass(low_hz, high_hz, FS_HZ), high_hz + 10) < 0.01
    if low_hz > 10:
        assert gain(BandPass(low_hz, high_hz, FS_HZ), low_hz - 10) < 0.01


def test_an_offset_leaves_no_trace_from_the_first_sample_on() -> None:
    np.testing.assert_allclose(BandPass(LOW_HZ, HIGH_HZ, FS_HZ).process(np.full(500, 1000.0)), 0.0, atol=1e-9)


@pytest.mark.parametrize("fs_hz", [100.0, 360.0, 1000.0])
def test_a_pulse_comes_out_delay_samples_later(fs_hz: float) -> None:
    bandpass = BandPass(LOW_HZ, HIGH_HZ, fs_hz)
    pulse = np.zeros(3 * bandpass.delay_samples)
    pulse[7] = 1.0
    output = bandpass.process(pulse)
    assert np.argmax(np.abs(output)) == 7 + bandpass.delay_samples
    response = output[7 : 8 + 2 * bandpass.delay_samples]
    np.testing.assert_allclose(response, response[::-1], atol=1e-12)


@settings(deadline=None, max_examples=50)
@given(
    cuts=st.lists(st.integers(0, 600), max_size=40).map(sorted),
    retunes=st.lists(st.tuples(st.integers(0, 600), st.sampled_from(BANDS)), max_size=4),
    seed=st.integers(0, 2**32 - 1),
)
def test_how_the_stream_is_cut_makes_no_difference(
    cuts: list[int], retunes: list[tuple[int, tuple[float, float]]], seed: int
) -> None:
    signal = np.random.default_rng(seed).standard_normal(600)
    retunes.sort(key=lambda retune: retune[0])

    def run(edges: list[int]) -> npt.NDArray[np.float64]:
        bandpass = BandPass(LOW_HZ, HIGH_HZ, FS_HZ)
        waiting, start, output = list(retunes), 0, []
        for stop in [*edges, len(signal)]:
            while waiting and waiting[0][0] <= start:
                bandpass.retune(*waiting.pop(0)[1])
            output.append(bandpass.process(signal[start:stop]))
            start = stop
        return np.concatenate([*output, bandpass.flush()])

    at_retunes = [sample for sample, _ in retunes]
    coarse, fine = run(at_retunes), run(sorted([*cuts, *at_retunes]))
    assert coarse.shape == (600 + BandPass(LOW_HZ, HIGH_HZ, FS_HZ).delay_samples,)
    np.testing.assert_allclose(fine, coarse, atol=1e-12)


def test_retuning_in_mid_stream_makes_no_jump() -> None:
    bandpass = BandPass(5.0, 15.0, FS_HZ)
    signal = sine(10.0, 2000) + 50.0
    output = [bandpass.process(signal[:1000])]
    bandpass.retune(20.0, 60.0)
    output.append(bandpass.process(signal[1000:1050]))
    bandpass.retune(5.0, 15.0)
    output.append(bandpass.process(signal[1050:]))
    steps = np.abs(np.diff(np.concatenate(output)))[300:]
    assert steps.max() <= 1.1 * np.abs(np.diff(signal)).max()


def test_retuning_ends_in_the_new_band_with_the_old_delay() -> None:
    signal = np.random.default_rng(1).standard_normal(1500)
    retuned, fresh = BandPass(5.0, 15.0, FS_HZ), BandPass(20.0, 60.0, FS_HZ)
    delay = retuned.delay_samples
    before = retuned.process(signal[:700])
    retuned.retune(20.0, 60.0)
    assert (retuned.low_hz, retuned.high_hz, retuned.delay_samples) == (20.0, 60.0, delay)
    after = retuned.process(signal[700:])
    expected = fresh.process(signal)
    np.testing.assert_allclose(after[2 * delay + 1 :], expected[700 + 2 * delay + 1 :], atol=1e-12)
    assert not np.allclose(before, expected[:700], atol=0.1)


@pytest.mark.parametrize(
    ("low_hz", "high_hz"),
    [(0.0, 15.0), (-1.0, 15.0), (15.0, 5.0), (5.0, 5.0), (5.0, 180.0), (5.0, float("inf")), (float("nan"), 15.0)],
)
def test_a_band_that_cannot_be_is_refused_and_changes_nothing(low_hz: float, high_hz: float) -> None:
    with pytest.raises(InvalidCutoffs, match=r"0 < low < high < 180 Hz"):
        BandPass(low_hz, high_hz, FS_HZ)
    signal = np.random.default_rng(2).standard_normal(400)
    tried, untouched = BandPass(5.0, 15.0, FS_HZ), BandPass(5.0, 15.0, FS_HZ)
    tried.process(signal)
    untouched.process(signal)
    with pytest.raises(ValueError, match="cannot pass"):
        tried.retune(low_hz, high_hz)
    assert (tried.low_hz, tried.high_hz) == (5.0, 15.0)
    np.testing.assert_array_equal(tried.process(signal), untouched.process(signal))


def test_flushing_gives_the_rest_and_starts_afresh() -> None:
    bandpass = BandPass(LOW_HZ, HIGH_HZ, FS_HZ)
    assert len(bandpass.flush()) == 0
    assert len(bandpass.process(np.zeros(0))) == 0
    signal = np.random.default_rng(3).standard_normal(500)
    first = np.concatenate((bandpass.process(signal), bandpass.flush()))
    held = np.concatenate((signal, np.full(bandpass.delay_samples, signal[-1])))
    np.testing.assert_allclose(first, BandPass(LOW_HZ, HIGH_HZ, FS_HZ).process(held), atol=1e-12)
    np.testing.assert_allclose(bandpass.process(signal), first[:500], atol=1e-12)
