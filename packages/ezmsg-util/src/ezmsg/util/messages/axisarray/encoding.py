"""How an :class:`AxisArray` crosses between processes: the bytes of its arrays, and one small description.

Within a stream `parting` saves what rarely changes; this is the way of one that stands by itself.

The core finds this by an entry point. What it cannot carry exactly as it is, it leaves to pickle: attributes that
are not plain, arrays of objects, records or other libraries, subclasses, and fields that nobody declared.

::

    msgpack of [data, dims, [[name, axis], ...], attrs, key, stream_dim] | data | coordinates | coordinates ...

An array is described as ``[dtype, shape, order]``, a line as ``[unit, gain, offset]``, and coordinates as ``[unit,
dims, array, checksum or nil]``.
"""

from collections.abc import Sequence
from typing import Any

import msgpack
import numpy as np

from ezmsg.core.messages.registry import Encoding
from ezmsg.util.messages.axisarray.axes import CoordinateAxis, LinearAxis
from ezmsg.util.messages.axisarray.axis_array import AxisArray
from ezmsg.util.messages.axisarray.named_dims import PUBLIC_MODULE
from ezmsg.util.messages.axisarray.parting import Joining, Parting
from ezmsg.util.messages.axisarray.plain_parts import PLAIN_KINDS, NotPlain, plain

__all__ = ["ENCODING"]

_FIELDS = {"data", "dims", "axes", "attrs", "key", "stream_dim"}
_KNOWN = {"_fingerprint", "_fingerprint_of"}
_CLASSES: dict[Any, set[str]] = {LinearAxis: {"unit", "gain", "offset"}, CoordinateAxis: {"unit", "data", "dims"}}
_EMPTY = b""


def dump(array: AxisArray) -> Sequence[bytes | memoryview] | None:
    """Return an array as buffers, or `None` if only pickle can carry it faithfully."""
    buffers: list[bytes | memoryview] = [_EMPTY]
    try:
        if array.__dict__.keys() != _FIELDS or type(array.axes) is not dict or type(array.attrs) is not dict:
            return None
        data = _describe(array.data, buffers)
        axes = [[name, _describe_axis(axis, buffers)] for name, axis in array.axes.items()]
        described = [data, array.dims, axes, plain(array.attrs), array.key, array.stream_dim]
        buffers[0] = msgpack.packb(described, strict_types=True)
    except (NotPlain, TypeError, ValueError, OverflowError):  # msgpack's words for what it has no form for
        return None
    return buffers


def _describe(array: Any, buffers: list[bytes | memoryview]) -> list[Any]:
    if type(array) is not np.ndarray or array.dtype.kind not in PLAIN_KINDS or array.dtype.metadata is not None:
        raise NotPlain
    flags = array.flags
    order = "F" if flags.f_contiguous and not flags.c_contiguous else "C"
    if order == "F":
        flat = array.T.reshape(-1)
    else:
        flat = array.reshape(-1) if flags.c_contiguous else np.ascontiguousarray(array).reshape(-1)
    buffers.append(flat.view(np.uint8).data if array.nbytes else _EMPTY)
    return [array.dtype.str, list(array.shape), order]


def _describe_axis(axis: Any, buffers: list[bytes | memoryview]) -> list[Any]:
    fields = _CLASSES.get(type(axis))
    state = axis.__dict__
    if fields is None or (state.keys() != fields and state.keys() - _KNOWN != fields):
        raise NotPlain
    if type(axis) is LinearAxis:
        return [axis.unit, _number(axis.gain), _number(axis.offset)]
    known = axis.fingerprint[-1] if state.get("_fingerprint_of") is axis.data else None
    return [axis.unit, axis.dims, _describe(axis.data, buffers), known]


def _number(value: Any) -> Any:
    """Return a number as a plain one: a scalar of NumPy's has the same value."""
    return float(value) if type(value) is np.float64 else value


def load(buffers: Sequence[memoryview]) -> AxisArray:
    """Return the array that buffers hold; its arrays are views of them."""
    data, dims, axes, attrs, key, stream_dim = msgpack.unpackb(buffers[0], strict_map_key=False)
    array = AxisArray.__new__(AxisArray)
    rest = iter(buffers[2:])
    # Who sent it has made it an AxisArray, and it arrives as it was.
    array.__dict__ = {
        "data": _array(data, buffers[1]),
        "dims": dims,
        "axes": {name: _axis(axis, rest) for name, axis in axes},
        "attrs": attrs,
        "key": key,
        "stream_dim": stream_dim,
    }
    return array


def _array(described: list[Any], memory: memoryview) -> Any:
    name, shape, order = described
    dtype = np.dtype(name)
    if dtype.kind not in PLAIN_KINDS:  # NumPy would take the bytes of objects for their addresses
        raise ValueError(f"an array of {dtype} is nothing that is sent in this way")
    return np.ndarray(tuple(shape), dtype, memory if memory.nbytes else None, order=order)


def _axis(described: list[Any], rest: Any) -> Any:
    if len(described) == 3:
        line = LinearAxis.__new__(LinearAxis)
        line.__dict__ = dict(zip(("unit", "gain", "offset"), described, strict=True))
        return line
    unit, dims, array, known = described
    axis = CoordinateAxis.__new__(CoordinateAxis)
    data = _array(array, next(rest))
    axis.__dict__ = {"data": data, "dims": dims, "unit": unit}
    if known is not None:
        fingerprint = (unit, tuple(dims), data.dtype, data.shape, known)
        axis.__dict__ |= {"_fingerprint": fingerprint, "_fingerprint_of": data}
    return axis


ENCODING = Encoding(f"{PUBLIC_MODULE}.AxisArray", AxisArray, dump, load, Parting, Joining)
