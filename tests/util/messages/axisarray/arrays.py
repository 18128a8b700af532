"""Arrays with named axes of every kind, for the property tests, and the same arrays in xarray's words."""

from typing import Any

import numpy as np
from hypothesis import strategies as st

from ezmsg.util.messages.axisarray import AxisArray, AxisBase, CoordinateAxis, LinearAxis

NAMES = ["time", "ch", "freq"]
DTYPES = ["f4", "f8", "i4", "u1", "c8", "?", "U3", ">i2", "M8[ms]"]
FINITE = st.floats(-1e6, 1e6)


def linear() -> st.SearchStrategy[LinearAxis]:
    gain = st.floats(1e-3, 1e3) | st.floats(-1e3, -1e-3)
    return st.builds(LinearAxis, unit=st.sampled_from(["", "s"]), gain=gain, offset=FINITE)


def coordinates(dims: list[str], shape: tuple[int, ...]) -> CoordinateAxis:
    """Return an axis in which no two values are the same."""
    count = int(np.prod(shape))
    return CoordinateAxis(data=np.array([f"c{i}" for i in range(count)]).reshape(shape), dims=dims)


@st.composite
def arrays(draw: Any, min_dims: int = 1, min_length: int = 1, only_1d: bool = False) -> AxisArray:
    """Draw an array whose elements are all different, as far as its dtype has so many values."""
    dims = draw(st.permutations(NAMES))[: draw(st.integers(min_dims, len(NAMES)))]
    shape = tuple(draw(st.lists(st.integers(min_length, 5), min_size=len(dims), max_size=len(dims))))
    dtype = draw(st.sampled_from(DTYPES))
    data = np.arange(int(np.prod(shape))).reshape(shape).astype(dtype)
    if draw(st.booleans()):
        data = data[::-1]
    axes: dict[str, AxisBase] = {}
    for dim, length in zip(dims, shape, strict=True):
        kind = draw(st.sampled_from(["none", "linear", "coordinates", "two"]))
        if kind == "linear":
            axes[dim] = draw(linear())
        elif kind == "coordinates":
            axes[dim] = coordinates([dim], (length,))
        elif kind == "two" and not only_1d and len(dims) > 1:
            axes[f"{dim}_and_more"] = coordinates(list(dims[:2]), shape[:2])
    stream_dim = draw(st.none() | st.sampled_from(dims))
    return AxisArray(
        data, list(dims), axes, attrs={"note": np.arange(2)}, key=draw(st.text(max_size=2)), stream_dim=stream_dim
    )


def values(array: AxisArray) -> dict[str, Any]:
    """Return what stands along each dimension, as plain values that can be compared."""
    return {dim: array.ax(dim).values.tolist() for dim in array.dims if dim in array.axes}
