"""Several :class:`AxisArray` as one: along a dimension that they have, or along a new one."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

from ezmsg.util.errors import IncompatibleArrays
from ezmsg.util.messages.axisarray.axes import AxisBase, CoordinateAxis
from ezmsg.util.messages.axisarray.namespaces import concatenate, namespace
from ezmsg.util.messages.util import replace

if TYPE_CHECKING:
    from ezmsg.util.messages.axisarray.axis_array import AxisArray

__all__ = ["join"]


Joined = tuple[Any, list[str], dict[str, AxisBase]]


def join(arrays: "Sequence[AxisArray]", dim: str, axis: AxisBase | None) -> Joined:
    """Return the data, dimensions and axes of arrays one after the other.

    Along a dimension that they have, its axes are joined where they are coordinates; of lines the first goes on. An
    axis that only some of them have is left out then. A new dimension is the first one.

    :raises IncompatibleArrays: if their dimensions differ, or do not fit.
    """
    first = arrays[0]
    if any(list(each.dims) != list(first.dims) for each in arrays):
        reason = f"objects have incompatible dims: {sorted({str(list(each.dims)) for each in arrays})}"
        raise IncompatibleArrays(dim=dim, reason=reason)
    data = [each.data for each in arrays]
    xp = namespace(*data)
    try:
        if dim in first.dims:
            joined, dims = concatenate(xp, data, list(first.dims).index(dim)), list(first.dims)
        else:
            joined, dims = xp.stack(data, axis=0), [dim, *first.dims]
    except ValueError as error:
        raise IncompatibleArrays(dim=dim, reason=str(error)) from error
    kept = ((name, _join_axes(name, arrays, dim)) for name in first.axes)
    axes = {name: each for name, each in kept if each is not None}
    if axis is not None:
        axes[dim] = axis
    return joined, dims, axes


def _join_axes(name: str, arrays: "Sequence[AxisArray]", dim: str) -> AxisBase | None:
    """Return what an axis of the first array becomes, or `None` if that cannot be known."""
    first = arrays[0].axes[name]
    if dim not in arrays[0].dims or (dim not in getattr(first, "dims", ()) and name != dim):
        return first
    axes = [each.axes.get(name) for each in arrays]
    if not any(isinstance(axis, CoordinateAxis) for axis in axes):
        return first
    coordinates = [_coordinates(each, name) for each in arrays if name in each.axes]
    if len(coordinates) != len(arrays) or any(each.dims != coordinates[0].dims for each in coordinates):
        return None
    dims, data = coordinates[0].dims, [each.data for each in coordinates]
    position = dims.index(dim) if dim in dims else 0
    return cast(AxisBase, replace(coordinates[0], data=concatenate(namespace(*data), data, position)))


def _coordinates(array: "AxisArray", name: str) -> CoordinateAxis:
    """Return an axis as coordinates, for it is joined with one that has them."""
    axis = array.axes[name]
    if isinstance(axis, CoordinateAxis):
        return axis
    return CoordinateAxis(data=array.ax(name).values, dims=[name], unit=axis.unit)
