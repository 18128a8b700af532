"""Windows that slide along an axis."""

from typing import Any

import numpy as np
import numpy.typing as npt

from ezmsg.util.errors import InvalidWindow
from ezmsg.util.messages.axisarray.namespaces import namespace
from ezmsg.util.messages.axisarray.shapes import slice_along_axis

__all__ = ["sliding_win_oneaxis"]


def sliding_win_oneaxis(in_arr: npt.NDArray[Any], nwin: int, axis: int, step: int = 1) -> npt.NDArray[Any]:
    """Return all windows of ``nwin`` samples along an axis, each ``step`` after the one before.

    The axis becomes two: which window, and which sample in it. Of NumPy's arrays this is a view, which cannot be
    written to as its windows overlap. An array with fewer samples than a window has no windows.

    :raises InvalidWindow: if a window has no samples.
    """
    if nwin < 1:
        raise InvalidWindow(nwin=nwin)
    axis = range(in_arr.ndim)[axis]
    step = max(step, 1)
    windows = max(0, (in_arr.shape[axis] - nwin) // step + 1)
    shape = (*in_arr.shape[:axis], windows, nwin, *in_arr.shape[axis + 1 :])
    xp = namespace(in_arr)
    if xp is np:
        return _view(in_arr, shape, axis, step)
    starts = xp.arange(windows)[:, None] * step
    samples = xp.reshape(starts + xp.arange(nwin)[None, :], (-1,))
    return xp.reshape(xp.take(in_arr, samples, axis=axis), shape)  # type: ignore[no-any-return]


def _view(in_arr: npt.NDArray[Any], shape: tuple[int, ...], axis: int, step: int) -> npt.NDArray[Any]:
    if shape[axis] == 0:
        return np.empty(shape, in_arr.dtype)
    every = np.lib.stride_tricks.sliding_window_view(in_arr, shape[axis + 1], axis=axis)
    return np.moveaxis(slice_along_axis(every, slice(None, None, step), axis), -1, axis + 1)
