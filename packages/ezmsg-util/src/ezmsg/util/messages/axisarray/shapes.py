"""Arrays cut along one of their axes, and seen with two: that axis, and everything else."""

import math
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt

from ezmsg.util.errors import InvalidIndexer
from ezmsg.util.messages.axisarray.namespaces import namespace

__all__ = ["as2d", "shape2d", "slice_along_axis", "view2d"]


def slice_along_axis(in_arr: npt.NDArray[Any], sl: slice | int, axis: int) -> npt.NDArray[Any]:
    """Return the part of an array that an index, a slice or an array of indices names along one axis.

    An index takes the axis away, a slice keeps it; of NumPy's arrays both give a view.

    :raises InvalidIndexer: if the array has no such axis.
    """
    if not -in_arr.ndim <= axis < in_arr.ndim:
        reason = f"the array has {in_arr.ndim} dimensions"
        raise InvalidIndexer(method="slice_along_axis", dim=f"axis {axis}", indexer=repr(sl), reason=reason)
    where = (*(slice(None),) * (axis % in_arr.ndim), sl)
    if isinstance(in_arr, np.ndarray):
        return in_arr[where]
    return in_arr[(*where, ...)]  # the standard wants all axes named, or this


def shape2d(arr: npt.NDArray[Any], axis: int = 0) -> tuple[int, int]:
    """Return the shape of an array that is seen with two axes: this one, and everything else."""
    shape = tuple(arr.shape)
    if not shape:
        return 1, 1
    axis = range(len(shape))[axis]
    return shape[axis], math.prod(shape[:axis] + shape[axis + 1 :])


def as2d(in_arr: npt.NDArray[Any], axis: int = 0, *, xp: Any) -> npt.NDArray[Any]:
    """Return an array with one axis first and all others as the second; a view where that can be.

    :param xp: the library that the array is of.
    """
    shape = shape2d(in_arr, axis)
    front = xp.moveaxis(in_arr, axis, 0) if in_arr.ndim and axis else in_arr
    return xp.reshape(front, shape)  # type: ignore[no-any-return]


@contextmanager
def view2d(in_arr: npt.NDArray[Any], axis: int = 0) -> Generator[npt.NDArray[Any]]:
    """Lend an array with two axes, this one and everything else; what is changed in it is changed in the array.

    Where the array cannot be seen like that without a copy, the copy is written back at the end.
    """
    xp = namespace(in_arr)
    lent = as2d(in_arr, axis, xp=xp)
    try:
        yield lent
    finally:
        if in_arr.ndim and not (xp is np and np.may_share_memory(lent, in_arr)):
            front = xp.moveaxis(in_arr, axis, 0)
            front[...] = xp.reshape(lent, front.shape)
