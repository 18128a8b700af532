"""A band-pass filter for a stream: linear phase, so every frequency is late by the same number of samples.

The design is the windowed sinc: the ideal low-pass at the high cutoff minus the one at the low cutoff, under a
Hamming window (Oppenheim & Schafer, "Discrete-Time Signal Processing", on FIR design by windowing). A recursive
filter would need fewer multiplications, but its delay depends on the frequency, and a beat could then not be
traced to its sample in the record.
"""

import numpy as np
import numpy.typing as npt

Signal = npt.NDArray[np.float64]

LOW_HZ = 5.0
HIGH_HZ = 15.0
"""Where the QRS complex stands out from T waves and baseline below and muscle noise above (Pan & Tompkins, "A
real-time QRS detection algorithm", IEEE Trans. Biomed. Eng. 32(3):230-236, 1985). Elgendi (PLoS ONE 8(9):e73557,
2013) prefers 8-20 Hz; that finds as many beats, but in a wide ventricular beat it puts the largest deflection
after the R peak."""

LENGTH_S = 0.4
"""The length of the impulse response: half of it is the delay, and 3.3 / LENGTH_S the width of each edge in Hz."""


class InvalidCutoffs(ValueError):
    """The two cutoffs do not describe a band that the sampling rate can carry."""


class BandPass:
    """A band-pass filter that is fed block by block and can be retuned between two blocks.

    Before its first sample the signal is taken to have been constant, so an offset makes no step at the start.

    :param low_hz: The lower edge in Hz, where the gain is about one half.
    :param high_hz: The upper edge in Hz, likewise.
    :param fs_hz: Samples per second.
    :raises InvalidCutoffs: unless 0 < low_hz < high_hz < fs_hz / 2.
    """

    def __init__(self, low_hz: float, high_hz: float, fs_hz: float) -> None:
        self.fs_hz = fs_hz
        self.delay_samples = max(round(fs_hz * LENGTH_S / 2), 1)
        """How many samples the output is late: ``output[k]`` belongs to ``input[k - delay_samples]``."""
        self._target = self._design(low_hz, high_hz)
        self._low_hz, self._high_hz = low_hz, high_hz
        self._taps = self._target
        self._faded = len(self._target)  # samples since the last retune; the fade is over at one whole length
        self._history: Signal | None = None

    @property
    def low_hz(self) -> float:
        """The lower edge in Hz."""
        return self._low_hz

    @property
    def high_hz(self) -> float:
        """The upper edge in Hz."""
        return self._high_hz

    def retune(self, low_hz: float, high_hz: float) -> None:
        """Move the band from the next sample on, fading over one filter length so that the output does not jump.

        The delay stays what it was. A refused band leaves the filter as it is.

        :raises InvalidCutoffs: unless 0 < low_hz < high_hz < fs_hz / 2.
        """
        target = self._design(low_hz, high_hz)
        share = min(self._faded / len(target), 1.0)
        self._taps = self._taps + share * (self._target - self._taps)
        self._target, self._faded = target, 0
        self._low_hz, self._high_hz = low_hz, high_hz

    def process(self, block: Signal) -> Signal:
        """Return the next n filtered samples for n raw ones, shape (n,); how the stream is cut does not matter."""
        if len(block) == 0:
            return np.zeros(0)
        if self._history is None:
            self._history = np.full(2 * self.delay_samples, block[0], dtype=np.float64)
        samples = np.concatenate((self._history, block))
        self._history = samples[len(block) :].copy()
        output = np.convolve(samples, self._target, mode="valid")
        length = len(self._target)
        if self._faded < length:
            share = np.minimum((self._faded + 1 + np.arange(len(block))) / length, 1.0)
            output = share * output + (1.0 - share) * np.convolve(samples, self._taps, mode="valid")
            self._faded += len(block)
        return output

    def flush(self) -> Signal:
        """Return the last ``delay_samples`` outputs of a record, with its last sample held, and start afresh."""
        if self._history is None:
            return np.zeros(0)
        tail = self.process(np.full(self.delay_samples, self._history[-1]))
        self._history = None
        return tail

    def _design(self, low_hz: float, high_hz: float) -> Signal:
        """Return the impulse response, shape (2 * delay_samples + 1,): no gain at 0 Hz, gain one mid-band."""
        nyquist_hz = self.fs_hz / 2
        if not 0 < low_hz < high_hz < nyquist_hz:
            raise InvalidCutoffs(
                f"cannot pass {low_hz:g} to {high_hz:g} Hz: "
                f"the cutoffs must satisfy 0 < low < high < {nyquist_hz:g} Hz, half the sampling rate"
            )
        order = np.arange(-self.delay_samples, self.delay_samples + 1)
        window = np.hamming(len(order))
        taps: Signal = _low_pass(high_hz / self.fs_hz, order, window) - _low_pass(
            low_hz / self.fs_hz, order, window
        )
        middle = np.cos(np.pi * (low_hz + high_hz) / self.fs_hz * order)
        taps /= taps @ middle
        return taps


def _low_pass(cutoff: float, order: npt.NDArray[np.int_], window: Signal) -> Signal:
    """Return a low-pass with gain one at 0 Hz; the cutoff is a fraction of the sampling rate."""
    taps: Signal = np.sinc(2 * cutoff * order) * window
    taps /= taps.sum()
    return taps
