"""Parts of an :class:`AxisArray`, by index and by value, with the axes that belong to them."""

from collections.abc import Mapping
from typing import Any, cast

import numpy as np

from ezmsg.util.errors import IndexBeyond, InvalidIndexer
from ezmsg.util.messages.axisarray.axes import AxisBase, CoordinateAxis, LinearAxis
from ezmsg.util.messages.axisarray.namespaces import namespace
from ezmsg.util.messages.axisarray.shapes import slice_along_axis
from ezmsg.util.messages.util import replace

__all__ = ["axes_of_part", "choose", "indices_of_values", "part"]

Axes = dict[str, AxisBase]


def choose(positional: Any | None, named: Mapping[str, Any], method: str) -> Mapping[str, Any]:
    """Return what was asked for of each dimension, in a mapping or by keyword.

    :raises InvalidIndexer: if it is both, or no mapping.
    """
    if not positional:
        return named
    if not isinstance(positional, Mapping):
        reason = "it is no mapping from dimensions"
        raise InvalidIndexer(method=method, dim="an array", indexer=repr(positional), reason=reason)
    if named:
        reason = "there are keywords besides; use one of the two"
        raise InvalidIndexer(method=method, dim="an array", indexer=repr(positional), reason=reason)
    return positional


def part(data: Any, dims: list[str], axes: Axes, dim: str, indexer: Any) -> tuple[Any, Axes]:
    """Return what an index, a slice or an array of indices takes of the data, and the axes it then has.

    The dimension stays, with a length of 1 if it was an index.

    :raises InvalidIndexer: if it is nothing of these, or reaches beyond the array.
    """
    position, size = dims.index(dim), data.shape[dims.index(dim)]
    where = _indices(indexer, dim, size)
    if isinstance(where, slice):
        taken = slice_along_axis(data, where, position)
    else:
        xp = namespace(data)
        taken = xp.take(data, where if xp is np else xp.asarray(where), axis=position)
    return taken, axes_of_part(axes, dim, where, size)


def _indices(indexer: Any, dim: str, size: int) -> Any:
    """Return a slice, or an array of whole numbers that are not negative."""
    if isinstance(indexer, slice):
        return indexer
    if isinstance(indexer, int | np.integer) and not isinstance(indexer, bool):
        indexer = np.array([indexer])
    elif not hasattr(indexer, "ndim"):
        raise _refusal(indexer, dim, "it only accepts arrays, ints, or slices")
    where = np.atleast_1d(np.asarray(indexer))
    if where.dtype.kind == "b" and where.shape == (size,):
        return np.flatnonzero(where)
    if where.ndim != 1 or (where.size and where.dtype.kind not in "iu"):
        raise _refusal(indexer, dim, f"an array of indices has one dimension, and a mask {size} elements")
    if where.size and not -size <= where.min() <= where.max() < size:
        raise IndexBeyond(method="isel", dim=repr(dim), indexer=repr(indexer), reason=f"it has {size} indices")
    return np.where(where < 0, where + size, where).astype(np.intp)


def _refusal(indexer: Any, dim: str, reason: str) -> InvalidIndexer:
    return InvalidIndexer(method="isel", dim=repr(dim), indexer=repr(indexer), reason=reason)


def axes_of_part(axes: Axes, dim: str, where: Any, size: int) -> Axes:
    """Return the axes of the part of an array that ``where``, a slice or indices, takes of a dimension.

    Besides the axis of the dimension itself that concerns every axis of coordinates that has the dimension, too.
    """
    return {name: _axis_of_part(axis, name, dim, where, size) for name, axis in axes.items()}


def _axis_of_part(axis: AxisBase, name: str, dim: str, where: Any, size: int) -> AxisBase:
    if isinstance(axis, CoordinateAxis):
        # An axis may call its only dimension something else than the array does, for instance when it was renamed.
        position = axis.dims.index(dim) if dim in axis.dims else 0 if name == dim else None
        if position is None or axis.data.ndim <= position or axis.data.shape[position] != size:
            return axis
        return cast(AxisBase, replace(axis, data=slice_along_axis(axis.data, where, position)))
    if name == dim and isinstance(axis, LinearAxis):
        return _line_of_part(axis, dim, range(size)[where] if isinstance(where, slice) else where)
    return axis


def _line_of_part(axis: LinearAxis, dim: str, indices: Any) -> AxisBase:
    """Return a line through the values at some indices, or where there is none, their coordinates."""
    if len(indices) == 0:
        return axis
    first, step = int(indices[0]), int(indices[1] - indices[0]) if len(indices) > 1 else 1
    if not isinstance(indices, range) and (np.diff(indices) != step).any() and len(indices) > 2:
        return CoordinateAxis(data=axis.value(indices), dims=[dim], unit=axis.unit)
    changes: dict[str, Any] = {"offset": axis.value(first)} if first else {}
    if step != 1:
        changes["gain"] = axis.gain * step
    return cast(AxisBase, replace(axis, **changes)) if changes else axis


def indices_of_values(axis: AxisBase, dim: str, wanted: Any) -> slice:
    """Return the indices between two values of a line, each rounded to the nearest.

    :raises InvalidIndexer: if a slice is not what was asked for, or the axis is no line.
    """
    if not isinstance(wanted, slice):
        reason = "sel only supports slices of values, such as slice(0.1, 0.2)"
        raise InvalidIndexer(method="sel", dim=repr(dim), indexer=repr(wanted), reason=reason)
    if not isinstance(axis, LinearAxis):
        reason = "sel only supports a LinearAxis; find the indices of coordinates yourself, and use isel"
        raise InvalidIndexer(method="sel", dim=repr(dim), indexer=repr(wanted), reason=reason)
    # A value before the beginning is no index from the end.
    start, stop = (None if v is None else max(0, int(axis.index(v))) for v in (wanted.start, wanted.stop))
    step = None if wanted.step is None else int(np.rint(wanted.step / axis.gain))
    return slice(start, stop, step)
