"""The array itself: data, a name for each of its dimensions, and an axis for those that have one."""

import warnings
from collections.abc import Generator, Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self, TypeVar, cast

import numpy as np
import numpy.typing as npt

from ezmsg.util.errors import InvalidArray, NothingToConcatenate, UnknownDimension
from ezmsg.util.messages.axisarray import axes as axis_kinds
from ezmsg.util.messages.axisarray.axes import AxisBase
from ezmsg.util.messages.axisarray.conversion import to_xarray
from ezmsg.util.messages.axisarray.equality import same
from ezmsg.util.messages.axisarray.joining import join
from ezmsg.util.messages.axisarray.named_dims import PUBLIC_MODULE, ArrayWithNamedDims
from ezmsg.util.messages.axisarray.namespaces import namespace, permute, same_values
from ezmsg.util.messages.axisarray.selecting import axes_of_part, choose, indices_of_values, part
from ezmsg.util.messages.axisarray.shapes import as2d, shape2d, slice_along_axis, view2d
from ezmsg.util.messages.util import replace

if TYPE_CHECKING:
    from ezmsg.util.messages.axisarray.conversion import DataArray

__all__ = ["AxisArray"]

T = TypeVar("T", bound="AxisArray")


@dataclass(eq=False)
class AxisArray(ArrayWithNamedDims):
    """An array with names for its dimensions, and axes that say what stands along them.

    Methods return new arrays, which share with this one what they did not have to change.

    :param axes: by dimension; one without counts its indices. Axes of coordinates may have names of their own.
    :param attrs: whatever else there is to say about the data.
    :param key: where it comes from, for those who listen to several sources on one topic.
    :param stream_dim: the dimension along which message follows message.
    :raises InvalidArray: if there are more or fewer names than dimensions, one name is there twice, or
        ``stream_dim`` is not among them.
    """

    __module__ = PUBLIC_MODULE

    axes: dict[str, AxisBase] = field(default_factory=dict)
    attrs: dict[str, Any] = field(default_factory=dict)
    key: str = ""
    stream_dim: str | None = None

    __ezmsg_encoding__ = "ezmsg.util.messages.axisarray.encoding:ENCODING"

    LinearAxis = axis_kinds.LinearAxis
    CoordinateAxis = axis_kinds.CoordinateAxis
    TimeAxis = axis_kinds.LinearAxis.create_time_axis

    @dataclass
    class Axis(axis_kinds.LinearAxis):
        """The deprecated name of a :class:`LinearAxis`."""

        __module__ = PUBLIC_MODULE

        def __post_init__(self) -> None:
            text = "AxisArray.Axis is deprecated: use AxisArray.LinearAxis, or AxisArray.TimeAxis(fs)"
            warnings.warn(text, DeprecationWarning, stacklevel=3)

        @classmethod
        def TimeAxis(cls, fs: float, offset: float = 0.0) -> Self:  # noqa: N802 - the public name
            """Return an axis in seconds; :meth:`LinearAxis.create_time_axis` is its present name."""
            return cls.create_time_axis(fs, offset)

    @dataclass(frozen=True)
    class AxisInfo:
        """An axis at its place in an array: which dimension it is, and how long. Coordinates know their length."""

        __module__ = PUBLIC_MODULE

        axis: AxisBase
        idx: int
        size: int | None = None

        def __post_init__(self) -> None:
            if isinstance(self.axis, axis_kinds.CoordinateAxis) == (self.size is not None):
                have = "must not define size if using CoordinateAxis"
                reason = have if self.size is not None else "must define size if not using CoordinateAxis"
                raise InvalidArray(owner="AxisInfo", reason=reason)

        def __len__(self) -> int:
            return len(cast(axis_kinds.CoordinateAxis, self.axis).data) if self.size is None else self.size

        @property
        def indices(self) -> npt.NDArray[np.int_]:
            """Every index along the axis."""
            return np.arange(len(self))

        @property
        def values(self) -> npt.NDArray[Any]:
            """The value at each index."""
            return cast("npt.NDArray[Any]", self.axis.value(self.indices))

    def __post_init__(self) -> None:
        ArrayWithNamedDims.__post_init__(self)
        if self.stream_dim is not None and self.stream_dim not in self.dims:
            reason = f"stream_dim {self.stream_dim!r} is not one of dims {list(self.dims)}"
            raise InvalidArray(owner=type(self).__name__, reason=f"{reason}; who renames one renames both")

    def __eq__(self, other: object) -> bool:
        """Return whether data, names, axes, attributes and key are equal; ``stream_dim`` is no content."""
        if self is other:
            return True
        if not isinstance(other, AxisArray) or type(other) is not type(self):
            return NotImplemented
        return (
            self.key == other.key
            and list(self.dims) == list(other.dims)
            and same(self.attrs, other.attrs)
            and self.axes == other.axes
            and same_values(self.data, other.data)
        )

    __hash__ = None

    @property
    def shape(self) -> tuple[int, ...]:
        """The length of each dimension."""
        return tuple(self.data.shape)

    # --- its axes

    def axis_idx(self, dim: str | int) -> int:
        """Return the position of a dimension; one that is given by position stays as it is.

        :raises UnknownDimension: if there is none of that name.
        """
        return dim if isinstance(dim, int) else self.get_axis_idx(dim)

    def get_axis_idx(self, dim: str) -> int:
        """Return the position of a dimension.

        :raises UnknownDimension: if there is none of that name.
        """
        try:
            return self.dims.index(dim)
        except ValueError:
            raise UnknownDimension(dim=repr(dim), dims=list(self.dims)) from None

    def get_axis_name(self, dim: int) -> str:
        """Return the name of the dimension at a position."""
        return self.dims[dim]

    def get_axis(self, dim: str | int) -> AxisBase:
        """Return what stands along a dimension; if nothing was said about it, its indices do.

        :raises UnknownDimension: if there is none of that name.
        """
        name = self.dims[dim] if isinstance(dim, int) else dim
        axis = self.axes.get(name)
        if axis is None or name not in self.dims:
            self.get_axis_idx(name)
            return axis_kinds.LinearAxis()
        return axis

    def ax(self, dim: str | int) -> AxisInfo:
        """Return what stands along a dimension, where, and how long it is.

        :raises UnknownDimension: if there is none of that name.
        """
        axis, idx = self.get_axis(dim), self.axis_idx(dim)
        size = None if isinstance(axis, axis_kinds.CoordinateAxis) else self.data.shape[idx]
        return AxisArray.AxisInfo(axis=axis, idx=idx, size=size)

    # --- its parts

    def isel(self, indexers: Any | None = None, **indexers_kwargs: Any) -> Self:
        """Return the part at an index, a slice or an array of indices of each dimension that is named.

        Every dimension stays, at an index with a length of 1. A line stays one if what is taken of it is regular,
        else its values become coordinates.

        :raises UnknownDimension: if there is no dimension of that name.
        :raises InvalidIndexer: if it is something else, or reaches beyond the array (then an IndexError, too).
        """
        data, axes = self.data, self.axes
        for dim, indexer in choose(indexers, indexers_kwargs, "isel").items():
            self.get_axis_idx(dim)
            data, axes = part(data, self.dims, axes, dim, indexer)
        return cast(Self, replace(self, data=data, axes=axes))

    def sel(self, indexers: Any | None = None, **indexers_kwargs: Any) -> Self:
        """Return the part between two values of each dimension that is named, as ``time=slice(0.1, 0.2)``.

        The values are rounded to the nearest index, the last is not in it, and a step is one of values, too.

        :raises UnknownDimension: if there is no dimension of that name.
        :raises InvalidIndexer: if it is no slice, or the axis no line.
        """
        wanted = choose(indexers, indexers_kwargs, "sel")
        return self.isel({dim: indices_of_values(self.get_axis(dim), dim, each) for dim, each in wanted.items()})

    def iter_over_axis(self, axis: str | int) -> Generator[Self, None, None]:
        """Yield the part at each index of a dimension, without that dimension.

        :raises UnknownDimension: if there is none of that name.
        """
        position = range(len(self.dims))[self.axis_idx(axis)]
        dim, size = self.dims[position], self.data.shape[position]
        dims = [name for name in self.dims if name != dim]
        others = {name: each for name, each in self.axes.items() if name != dim}
        shared = [each for each in others.values() if dim in getattr(each, "dims", ())]
        stream_dim = None if self.stream_dim == dim else self.stream_dim
        for index in range(size):
            axes = others.copy()
            if shared:
                axes = _without(axes_of_part(others, dim, slice(index, index + 1), size), dim)
            data = slice_along_axis(self.data, index, position)
            yield cast(Self, replace(self, data=data, dims=dims.copy(), axes=axes, stream_dim=stream_dim))

    # --- its shape

    def as2d(self, dim: str | int) -> npt.NDArray[Any]:
        """Return the data with one dimension first and all others as the second; a view where that can be."""
        return as2d(self.data, self.axis_idx(dim), xp=namespace(self.data))

    def view2d(self, dim: str | int) -> AbstractContextManager[npt.NDArray[Any]]:
        """Lend the data with two dimensions, this one and everything else, to be changed in place."""
        return view2d(self.data, self.axis_idx(dim))

    def shape2d(self, dim: str | int) -> tuple[int, int]:
        """Return the shape of the data with two dimensions: this one, and everything else."""
        return shape2d(self.data, self.axis_idx(dim))

    @staticmethod
    def transpose(aa: T, dims: Iterable[str] | Iterable[int] | None = None) -> T:
        """Return an array with its dimensions in another order, by name or position; in the reverse one by default.

        :raises UnknownDimension: if there is no dimension of that name.
        :raises ValueError: if they are not all there once.
        """
        order = tuple(range(aa.data.ndim))[::-1] if dims is None else tuple(aa.axis_idx(dim) for dim in dims)
        data = permute(namespace(aa.data), aa.data, order)
        return cast(T, replace(aa, data=data, dims=[aa.dims[position] for position in order]))

    @staticmethod
    def concatenate(*aas: T, dim: str, axis: AxisBase | None = None, filter_key: str | None = None) -> T:
        """Return arrays one after the other along a dimension; one that they do not have becomes the first.

        Attributes are those of the first; so is the key, if all have the same.

        :param axis: what stands along the dimension then, instead of what follows from theirs.
        :param filter_key: leave out those with another key.
        :raises NothingToConcatenate: if there are none.
        :raises IncompatibleArrays: if their dimensions differ, or do not fit.
        """
        wanted = [each for each in aas if filter_key is None or each.key == filter_key]
        if not wanted:
            raise NothingToConcatenate(dim=dim, filter_key=filter_key)
        data, dims, axes = join(wanted, dim, axis)
        key = wanted[0].key if all(each.key == wanted[0].key for each in wanted) else ""
        return cast(T, replace(wanted[0], data=data, dims=dims, axes=axes, key=key))

    def to_xr_dataarray(self) -> "DataArray":
        """Return this as an array of xarray, with a coordinate for each axis.

        :raises ExtraMissing: if xarray is not installed.
        """
        return to_xarray(self)


def _without(axes: dict[str, AxisBase], dim: str) -> dict[str, AxisBase]:
    """Return axes of an array from which a dimension of length 1 is taken away."""
    return {name: _dropped(axis, dim) for name, axis in axes.items()}


def _dropped(axis: AxisBase, dim: str) -> AxisBase:
    if not isinstance(axis, axis_kinds.CoordinateAxis) or dim not in axis.dims:
        return axis
    data = slice_along_axis(axis.data, 0, axis.dims.index(dim))
    return cast(AxisBase, replace(axis, data=np.asarray(data), dims=[each for each in axis.dims if each != dim]))
