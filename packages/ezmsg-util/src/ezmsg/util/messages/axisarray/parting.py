"""An :class:`AxisArray` in parts: what rarely changes in a stream of them, and what does with each message.

The form has the kind of the data, the names, the units and gains, and the coordinates that stay. The head
has the shape, the offsets and the attributes; the data follow, and the coordinates that do not stay. Whether
coordinates are the same is seen by a look at their bytes: a change in place is seen, and nothing is taken for
equal that is not.

::

    form: msgpack of [dtype, order, dims, key, stream_dim, [axis, ...]], an axis one of
          [name, LINE, unit, gain]
          [name, FIXED, unit, dims, dtype, shape, bytes]
          [name, FREE, unit, dims, dtype, number of dimensions]
    head: shape, offset of each line, shape of each free axis, length of the attributes (8 bytes each) | attributes
"""

import struct
from typing import Any

import msgpack
import numpy as np

from ezmsg.core.messages.forms import Parted
from ezmsg.core.messages.payload import align
from ezmsg.util.messages.axisarray.axes import CoordinateAxis, LinearAxis, digest
from ezmsg.util.messages.axisarray.axis_array import AxisArray
from ezmsg.util.messages.axisarray.plain_parts import PLAIN_KINDS, NotPlain, plain

LINE, FIXED, FREE = 0, 1, 2

FIXED_BYTES = 8 * 1024
"""Coordinates of more bytes than this are sent with each message."""

STAYED = 100
"""For so many messages coordinates must have stayed to be thought of as fixed again once they have changed."""

PLANS = 4
"""So many kinds of messages may take turns in one stream without the plan for each being made anew."""

_FLOATS = (float, np.float64)
_new = object.__new__


class Parting:
    """Parts the arrays of one publisher."""

    def __init__(self) -> None:
        self._plans: list[_Plan] = []

    def __call__(self, array: AxisArray) -> Parted | None:
        """Return an array in parts, or ``None`` if it has something that is not plain."""
        state = array.__dict__
        try:
            for place, plan in enumerate(self._plans):
                parted = plan.part(state)
                if parted is not None:
                    if place:
                        self._plans.insert(0, self._plans.pop(place))
                    return parted
            plan = _Plan(state, self._plans)
            self._plans = [plan, *self._plans[: PLANS - 1]]
            return plan.part(state)
        except (NotPlain, AttributeError, KeyError, TypeError, ValueError, OverflowError, struct.error):
            return None  # whatever is amiss with it, the way of all objects brings it or says why not


class _Axis:
    """What is fixed about one axis."""

    __slots__ = ("described", "dims", "dtype", "gain", "kind", "name", "raw", "shape", "unit")

    def __init__(self, name: str, axis: Any, before: "_Axis | None", stayed: bool) -> None:
        state = axis.__dict__
        self.name, self.unit = _text(name), _text(state["unit"])
        self.dims: list[str] = []
        self.gain: Any = 0.0
        self.raw = b""
        if type(axis) is LinearAxis:
            _expect(len(state) == 3 and type(state["gain"]) in _FLOATS)
            self.kind, self.gain = LINE, float(state["gain"])
            self.described = [self.name, LINE, self.unit, self.gain]
            return
        data, self.dims = state["data"], list(state["dims"])
        _expect(type(axis) is CoordinateAxis and all(type(dim) is str for dim in self.dims))
        self.dtype, self.shape = _plain_dtype(data), data.shape
        self.raw = data.tobytes()
        free = data.nbytes > FIXED_BYTES
        if before is not None and before.kind != LINE:
            free |= before.kind == FREE or (before.raw != self.raw and not stayed)
        self.kind = FREE if free else FIXED
        place = data.ndim if free else list(data.shape)
        self.described = [self.name, self.kind, self.unit, self.dims, self.dtype.str, place]
        if not free:
            self.described.append(self.raw)

    def same(self, axis: Any, values: list[Any], free: list[Any]) -> bool:
        """Whether an axis has nothing else that is fixed; what is not is added to the other two."""
        state = axis.__dict__
        if state["unit"] != self.unit:
            return False
        if self.kind == LINE:
            offset = state["offset"]
            if type(axis) is not LinearAxis or state["gain"] != self.gain or type(offset) not in _FLOATS:
                return False
            values.append(offset)
            return len(state) == 3 and type(state["gain"]) in _FLOATS
        data = state["data"]
        if type(axis) is not CoordinateAxis or state["dims"] != self.dims or type(data) is not np.ndarray:
            return False
        if not state.keys() <= _OWN or data.dtype != self.dtype or data.dtype.metadata is not None:
            return False
        if self.kind == FREE:
            free.append(data)
            return len(data.shape) == len(self.shape)
        return data.shape == self.shape and data.tobytes() == self.raw


_OWN = {"unit", "data", "dims", "_fingerprint", "_fingerprint_of"}


class _Plan:
    """One form, and how messages of it are parted."""

    def __init__(self, state: dict[str, Any], before: "list[_Plan]") -> None:
        data = state["data"]
        _expect(len(state) == 6 and type(state["axes"]) is dict and type(state["dims"]) is list)
        self.axes: list[_Axis] = []
        self.used = 0
        self.dtype = _plain_dtype(data)
        self.order = _order_of(data)
        self.ndim = data.ndim
        self.dims = [_text(dim) for dim in state["dims"]]
        _expect(self.ndim == len(self.dims))  # somebody has changed one of them afterwards
        self.key = _text(state["key"])
        self.stream_dim = state["stream_dim"]
        _expect(self.stream_dim is None or type(self.stream_dim) is str)
        last = before[0] if before else None
        known = {} if last is None else {axis.name: axis for axis in last.axes}
        stayed = last is None or last.used >= STAYED
        self.axes = [_Axis(name, axis, known.get(name), stayed) for name, axis in state["axes"].items()]
        self.names = [axis.name for axis in self.axes]
        self.form: bytes = msgpack.packb(
            [
                self.dtype.str,
                self.order,
                self.dims,
                self.key,
                self.stream_dim,
                [axis.described for axis in self.axes],
            ]
        )
        self._head = struct.Struct(_head_format(self.ndim, [axis.described for axis in self.axes]))

    def part(self, state: dict[str, Any]) -> Parted | None:
        """Return an array in parts if it has this form."""
        data, axes, attrs = state["data"], state["axes"], state["attrs"]
        if type(data) is not np.ndarray or data.dtype != self.dtype or data.ndim != self.ndim:
            return None
        if state["dims"] != self.dims or state["key"] != self.key or state["stream_dim"] != self.stream_dim:
            return None
        if type(axes) is not dict or len(state) != 6 or _order_of(data) != self.order:
            return None
        values: list[Any] = [*data.shape]
        free: list[Any] = []
        if [*axes] != self.names:
            return None
        for axis, value in zip(self.axes, axes.values(), strict=True):
            if not axis.same(value, values, free):
                return None
        self.used += 1
        if not free and not attrs and type(attrs) is dict:
            return self.form, self._head.pack(*values, 0), ((data, self.order),)
        for array in free:
            values += array.shape
        packed = _packed(attrs)
        head = self._head.pack(*values, len(packed)) + packed
        return self.form, head, ((data, self.order), *((array, "C") for array in free))


class Joining:
    """Puts arrays of one form together again."""

    def __init__(self, form: bytes) -> None:
        dtype, order, self._dims, self._key, self._stream_dim, axes = msgpack.unpackb(form)
        self._order = order
        self._dtype = _safe(dtype)
        self._ndim = len(self._dims)
        self._head = struct.Struct(_head_format(self._ndim, axes))
        self._axes = [_AxisMaker(*axis) for axis in axes]
        self._free = [axis for axis in self._axes if axis.kind == FREE]

    def join(self, memory: memoryview, start: int, copy: bool) -> AxisArray:
        """Return the array whose head begins at ``start``."""
        values = self._head.unpack_from(memory, start)
        end = start + self._head.size
        attrs: dict[Any, Any] = {}
        if values[-1]:
            attrs_end = end + values[-1]
            attrs = msgpack.unpackb(memory[end:attrs_end], strict_map_key=False)
            end = attrs_end
        place = align(end)
        ndim = self._ndim
        data: Any = np.ndarray(values[:ndim], self._dtype, memory, place, order=self._order)
        axes: dict[str, Any] = {}
        for axis in self._axes:
            made = axes[axis.name] = _new(axis.cls)
            state = made.__dict__ = axis.fixed.copy()
            if axis.kind == LINE:
                state["offset"] = values[ndim]
                ndim += 1
            else:
                state["dims"] = [*axis.dims]
                if copy and axis.kind == FIXED:
                    state["data"] = state["_fingerprint_of"] = state["data"].copy()
        if self._free:
            self._add_free(axes, values[ndim:], memory, place + data.nbytes)
        array = _new(AxisArray)
        # Who sent it has made it an AxisArray, and it arrives as it was.
        array.__dict__ = {
            "data": data,
            "dims": [*self._dims],
            "axes": axes,
            "attrs": attrs,
            "key": self._key,
            "stream_dim": self._stream_dim,
        }
        return array

    def _add_free(self, axes: dict[str, Any], sizes: tuple[Any, ...], memory: memoryview, place: int) -> None:
        """Add the coordinates that lie behind the data."""
        at = 0
        for axis in self._free:
            shape = sizes[at : at + axis.ndim]
            at += axis.ndim
            place = align(place)
            data: Any = np.ndarray(shape, axis.dtype, memory, place)
            axes[axis.name].__dict__["data"] = data
            place += data.nbytes


class _AxisMaker:
    """What is the same in each message's axis. Receivers share nothing of it but the coordinates of fixed ones."""

    __slots__ = ("cls", "dims", "dtype", "fixed", "kind", "name", "ndim")

    def __init__(self, name: str, kind: int, unit: str, *rest: Any) -> None:
        self.name, self.kind = name, kind
        self.cls: type[Any] = LinearAxis if kind == LINE else CoordinateAxis
        self.fixed: dict[str, Any] = {"unit": unit}
        self.dims: list[str] = []
        if kind == LINE:
            self.fixed |= {"gain": rest[0], "offset": 0.0}
            return
        self.dims, dtype = rest[0], _safe(rest[1])
        self.dtype = dtype
        if kind == FREE:
            self.ndim: int = rest[2]
            self.fixed |= {"data": None, "dims": self.dims}
            return
        data = np.ndarray(tuple(rest[2]), dtype, rest[3] or None)
        data.flags.writeable = False
        fingerprint = (unit, tuple(self.dims), *digest(data))
        self.fixed |= {"data": data, "dims": self.dims, "_fingerprint": fingerprint, "_fingerprint_of": data}


def _head_format(ndim: int, axes: list[list[Any]]) -> str:
    lines = sum(axis[1] == LINE for axis in axes)
    free = sum(axis[5] for axis in axes if axis[1] == FREE)
    return f"<{ndim}Q{lines}d{free}QQ"


def _order_of(array: Any) -> str:
    flags = array.flags
    return "C" if flags.c_contiguous or not flags.f_contiguous else "F"


def _plain_dtype(array: Any) -> np.dtype[Any]:
    dtype = array.dtype
    _expect(type(array) is np.ndarray and dtype.kind in PLAIN_KINDS and dtype.metadata is None)
    return dtype  # type: ignore[no-any-return]


def _safe(name: str) -> np.dtype[Any]:
    dtype = np.dtype(name)
    if dtype.kind not in PLAIN_KINDS:  # NumPy would take the bytes of objects for their addresses
        raise ValueError(f"an array of {dtype} is nothing that is sent in this way")
    return dtype


def _packed(attrs: Any) -> bytes:
    if not attrs and type(attrs) is dict:
        return b""
    packed: bytes = msgpack.packb(plain(attrs), strict_types=True)
    return packed


def _text(value: Any) -> str:
    _expect(type(value) is str)
    text: str = value
    return text


def _expect(holds: bool) -> None:
    if not holds:
        raise NotPlain
