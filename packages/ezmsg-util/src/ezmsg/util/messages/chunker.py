"""An array as a stream: piece after piece, each with the time of its first sample."""

import asyncio
from collections.abc import AsyncGenerator, Generator
from typing import Any

import numpy as np
import numpy.typing as npt

import ezmsg.core as ez
from ezmsg.core.errors import InvalidOption
from ezmsg.util.generators.unit import GenState
from ezmsg.util.messages.axisarray.axes import LinearAxis
from ezmsg.util.messages.axisarray.axis_array import AxisArray
from ezmsg.util.messages.axisarray.shapes import slice_along_axis

__all__ = ["ArrayChunker", "ArrayChunkerSettings", "array_chunker"]


def array_chunker(
    data: npt.ArrayLike, chunk_len: int, axis: int = 0, fs: float = 1000.0, tzero: float = 0.0
) -> Generator[AxisArray, None, None]:
    """Yield an array in pieces along one of its axes, which is called ``time``; the others are ``d0``, ``d1``, ...

    :param chunk_len: how many samples a piece has; the last one has what is left.
    :param fs: samples in a second.
    :param tzero: when the first sample was taken, in seconds.
    :raises InvalidOption: if pieces have no samples, or the array has no such axis.
    """
    array = np.asarray(data)
    if chunk_len < 1:
        raise InvalidOption(option="chunk_len", value=repr(chunk_len), reason="a piece has at least one sample")
    if not -array.ndim <= axis < array.ndim:
        raise InvalidOption(option="axis", value=repr(axis), reason=f"the array has {array.ndim} axes")
    axis %= array.ndim
    dims = ["time" if position == axis else f"d{position}" for position in range(array.ndim)]
    for start in range(0, array.shape[axis], chunk_len):
        yield AxisArray(
            data=slice_along_axis(array, slice(start, start + chunk_len), axis),
            dims=dims.copy(),
            axes={"time": LinearAxis.create_time_axis(fs=fs, offset=tzero + start / fs)},
        )


class ArrayChunkerSettings(ez.Settings):
    """An array, and how it is cut: the arguments of :func:`array_chunker`."""

    data: npt.ArrayLike
    chunk_len: int
    axis: int = 0
    fs: float = 1000.0
    tzero: float = 0.0


class ArrayChunker(ez.Unit):
    """Publishes an array in pieces, as fast as they are taken."""

    SETTINGS = ArrayChunkerSettings
    STATE = GenState

    INPUT_SETTINGS = ez.InputStream(ArrayChunkerSettings)
    OUTPUT_SIGNAL = ez.OutputStream(AxisArray)

    async def initialize(self) -> None:
        """Begin at the beginning."""
        self.construct_generator()

    def construct_generator(self) -> None:
        """Begin at the beginning of the array of the settings."""
        cut = self.SETTINGS
        self.STATE.gen = array_chunker(cut.data, cut.chunk_len, cut.axis, cut.fs, cut.tzero)

    @ez.subscriber(INPUT_SETTINGS)
    async def on_settings(self, msg: ez.Settings) -> None:
        """Go on with the beginning of another array."""
        self.apply_settings(msg)
        self.construct_generator()

    @ez.publisher(OUTPUT_SIGNAL)
    async def send_chunk(self) -> AsyncGenerator[Any, None]:
        """Publish the pieces; the array may be another one in between."""
        while True:
            chunk = next(self.STATE.gen, None)
            if chunk is None:
                return
            yield self.OUTPUT_SIGNAL, chunk
            await asyncio.sleep(0)
