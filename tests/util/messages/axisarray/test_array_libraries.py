"""Arrays of another library of the array API stay what they are; `array_api_strict` has nothing beyond it."""

import subprocess
import sys
from typing import Any

import array_api_strict as strict
import numpy as np
import pytest

from ezmsg.util.messages.axisarray import AxisArray, LinearAxis, sliding_win_oneaxis, view2d


def sample() -> tuple[AxisArray, AxisArray]:
    """Return the same array of both libraries."""
    data: Any = strict.reshape(strict.arange(24), (2, 3, 4))
    dims, axes = ["win", "time", "ch"], {"time": LinearAxis(gain=0.5)}
    return AxisArray(data, dims, dict(axes)), AxisArray(np.arange(24).reshape(2, 3, 4), dims, dict(axes))


def check(ours: Any, numpys: Any) -> None:
    assert type(ours) is type(strict.asarray(0))
    np.testing.assert_array_equal(np.from_dlpack(ours), numpys)


@pytest.mark.parametrize(
    "change",
    [
        lambda array: array,
        lambda array: array.isel(time=1),
        lambda array: array.isel(time=slice(0, 2), ch=slice(None, None, 2)),
        lambda array: array.isel(ch=np.array([3, 0])),
        lambda array: array.sel(time=slice(0.5, 1.5)),
        lambda array: next(array.iter_over_axis("time")),
        lambda array: AxisArray.transpose(array, ["ch", "win", "time"]),
        lambda array: AxisArray.concatenate(array, array, dim="time"),
        lambda array: AxisArray.concatenate(array, array, dim="new"),
    ],
)
def test_the_same_comes_of_it(change: Any) -> None:
    ours, numpys = map(change, sample())
    check(ours.data, numpys.data)
    assert (ours.dims, ours.axes) == (numpys.dims, numpys.axes)
    assert ours == change(sample()[0])
    assert ours != AxisArray(ours.data + 1, ours.dims, ours.axes)


def test_shapes_and_windows() -> None:
    ours, numpys = sample()
    check(ours.as2d("time"), numpys.as2d("time"))
    for nwin, step in ((2, 1), (1, 2), (3, 1), (5, 1)):
        windows: Any = sliding_win_oneaxis(ours.data, nwin, 1, step)
        check(windows, sliding_win_oneaxis(numpys.data, nwin, 1, step))
    with view2d(ours.data, 1) as lent, view2d(numpys.data, 1) as expected:
        lent[...] = lent + 1
        expected += 1
    check(ours.data, numpys.data)


def test_numpy_alone_imports_no_other_library() -> None:
    script = """
import sys, numpy as np
from ezmsg.util.messages.axisarray import AxisArray
array = AxisArray(np.zeros((2, 3)), ["a", "b"])
AxisArray.concatenate(array.isel(a=0), AxisArray.transpose(AxisArray.transpose(array)), dim="a").as2d("b")
print(sorted({"array_api_compat", "xarray", "pandas", "torch"} & set(sys.modules)))
"""
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=30)
    assert ran.stdout.strip() == "[]"
