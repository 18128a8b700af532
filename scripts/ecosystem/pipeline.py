"""Filter, window and spectrum of ezmsg-sigproc over the demo's electrocardiogram, in three processes.

The last line is JSON, the same on any engine: how many spectra came, of which shape, and what they add up to.
"""

import json
import time
from collections.abc import AsyncIterator
from dataclasses import field
from pathlib import Path
from typing import Any

import numpy as np
from ezmsg.sigproc.butterworthfilter import ButterworthFilter, ButterworthFilterSettings
from ezmsg.sigproc.spectrum import Spectrum, SpectrumSettings
from ezmsg.sigproc.window import Window, WindowSettings

import ezmsg.core as ez
from ezmsg.util.messages.axisarray import AxisArray

RECORD = Path(__file__).parents[2] / "packages/ezmsg-core/src/ezmsg/core/demo/data/mitbih_208_mlii.npz"
RATE_HZ, BLOCK, BLOCKS = 360.0, 36, 500


class EcgSource(ez.Unit):
    """Sends the record block by block, as fast as it is let."""

    OUTPUT = ez.OutputStream(AxisArray)

    @ez.publisher(OUTPUT)
    async def play(self) -> AsyncIterator[tuple[Any, AxisArray]]:
        with np.load(RECORD, allow_pickle=False) as record:
            signal_mv = record["ecg_adu"] / record["gain_adu_per_mv"]
        for number in range(BLOCKS):
            start = number * BLOCK
            signal = signal_mv[start : start + BLOCK]
            axes = {
                "time": AxisArray.TimeAxis(fs=RATE_HZ, offset=start / RATE_HZ),
                "ch": AxisArray.CoordinateAxis(data=np.array(["MLII", "V1"]), dims=["ch"]),
            }
            yield self.OUTPUT, AxisArray(np.stack([signal, -signal], 1), ["time", "ch"], axes, key="ecg")
        raise ez.Complete


class LastSettings(ez.Settings):
    expected: int


class LastState(ez.State):
    seen: list[Any] = field(default_factory=list)


class Last(ez.Unit):
    """Takes spectra, and ends the run with the last."""

    SETTINGS = LastSettings
    STATE = LastState
    INPUT = ez.InputStream(AxisArray)

    @ez.subscriber(INPUT)
    async def take(self, message: AxisArray) -> None:
        self.STATE.seen.append((message.dims, message.data.shape, float(np.abs(message.data).sum())))
        if len(self.STATE.seen) == self.SETTINGS.expected:
            frequencies = message.axes["freq"].value(np.arange(message.data.shape[message.dims.index("freq")]))
            loudest = float(frequencies[int(np.argmax(np.abs(message.data).sum(axis=_others(message))))])
            print(json.dumps({**_form(self.STATE.seen), "loudest_hz": round(loudest, 2)}), flush=True)
            raise ez.NormalTermination


def _others(message: AxisArray) -> tuple[int, ...]:
    return tuple(n for n, dim in enumerate(message.dims) if dim != "freq")


def _form(seen: list[Any]) -> dict[str, Any]:
    total = sum(each[2] for each in seen)
    return {"messages": len(seen), "dims": seen[-1][0], "shape": list(seen[-1][1]), "sum": round(total, 6)}


def main() -> None:
    """Run the pipeline."""
    source = EcgSource()
    window = Window(
        WindowSettings(axis="time", newaxis="win", window_dur=1.0, window_shift=0.5, zero_pad_until="none")
    )
    filtered = ButterworthFilter(ButterworthFilterSettings(order=4, coef_type="sos", axis="time", cutoff=30.0))
    spectrum = Spectrum(SpectrumSettings(axis="time"))
    expected = int((BLOCKS * BLOCK / RATE_HZ - 1.0) / 0.5) + 1
    last = Last(LastSettings(expected))
    began_s = time.monotonic()
    ez.run(
        SOURCE=source,
        FILTER=filtered,
        WINDOW=window,
        SPECTRUM=spectrum,
        LAST=last,
        connections=(
            (source.OUTPUT, filtered.INPUT_SIGNAL),
            (filtered.OUTPUT_SIGNAL, window.INPUT_SIGNAL),
            (window.OUTPUT_SIGNAL, spectrum.INPUT_SIGNAL),
            (spectrum.OUTPUT_SIGNAL, last.INPUT),
        ),
        process_components=(source, filtered),
    )
    assert time.monotonic() - began_s < 120


if __name__ == "__main__":
    main()
