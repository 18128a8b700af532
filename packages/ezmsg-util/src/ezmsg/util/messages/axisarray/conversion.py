"""An :class:`AxisArray` as an array of xarray, for those who have that installed."""

from typing import TYPE_CHECKING, Any

from ezmsg.util.errors import ExtraMissing
from ezmsg.util.messages.axisarray.axes import CoordinateAxis

if TYPE_CHECKING:
    from xarray import DataArray

    from ezmsg.util.messages.axisarray.axis_array import AxisArray

__all__ = ["DataArray", "to_xarray"]


def to_xarray(array: "AxisArray") -> "DataArray":
    """Return an array of xarray with a coordinate for each axis.

    :raises ExtraMissing: if xarray is not installed.
    """
    try:
        from xarray import DataArray  # it brings pandas along, and few need either
    except ImportError as error:
        what = "AxisArray.to_xr_dataarray()"
        raise ExtraMissing(what=what, package="xarray", extra="xarray") from error
    coordinates: dict[str, Any] = {}
    for name, axis in array.axes.items():
        if isinstance(axis, CoordinateAxis):
            coordinates[name] = (axis.dims, axis.data)
        elif name in array.dims:
            coordinates[name] = (name, array.ax(name).values)
    return DataArray(array.data, coords=coordinates, dims=list(array.dims), attrs=array.attrs)
