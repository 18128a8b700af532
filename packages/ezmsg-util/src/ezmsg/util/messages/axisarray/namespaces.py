"""Which library an array is of, and what has to be done differently in each.

NumPy's arrays are told apart by their type alone; `array_api_compat` is imported when another kind comes along.
"""

from typing import Any

import numpy as np

__all__ = ["concatenate", "namespace", "permute", "same_values"]


def namespace(*arrays: Any) -> Any:
    """Return the library whose functions take these arrays.

    :raises TypeError: if they are of several libraries, or of one without the array API.
    """
    if all(isinstance(array, np.ndarray | np.generic) for array in arrays):
        return np
    from array_api_compat import array_namespace  # it looks for every other library, which takes its time

    return array_namespace(*arrays)


def concatenate(xp: Any, arrays: list[Any], axis: int) -> Any:
    """Return arrays joined along one of their axes; a mask stays."""
    if xp is not np:
        return xp.concat(arrays, axis=axis)
    if any(isinstance(array, np.ma.MaskedArray) for array in arrays):
        return np.ma.concatenate(arrays, axis=axis)  # type: ignore[no-untyped-call]
    return np.concatenate(arrays, axis=axis)


def permute(xp: Any, array: Any, order: tuple[int, ...]) -> Any:
    """Return an array with its axes in another order."""
    return np.transpose(array, order) if xp is np else xp.permute_dims(array, order)


def same_values(one: Any, other: Any) -> bool:
    """Return whether two arrays have the same shape and equal elements; what is no number equals nothing."""
    if isinstance(one, np.ndarray) and isinstance(other, np.ndarray):
        return bool(np.array_equal(one, other))
    if tuple(one.shape) != tuple(other.shape):
        return False
    return bool(namespace(one, other).all(one == other))
