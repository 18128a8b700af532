"""Plain values: what may travel where the type says ``Any``, such as the fields of a user's settings.

None, bool, int of any size, float, str, bytes, list and dict travel as themselves; tuples, sets and arrays in
tagged forms; anything else, and anything nested too deep, as its ``repr``. Nothing here ever fails on a value.
"""

from collections.abc import Iterable
from functools import partial
from typing import Any

import msgpack
from attrs import frozen

MAX_DEPTH = 32
"""Containers nested deeper than this travel as their ``repr``."""

_TAG_INT = 1
_TAG_TUPLE = 2
_TAG_SET = 3
_TAG_FROZENSET = 4
_TAG_ARRAY = 5
_ATOMS = (type(None), bool, float, str, bytes)
_SEQUENCES: dict[type, int] = {tuple: _TAG_TUPLE, set: _TAG_SET, frozenset: _TAG_FROZENSET}
_CONSTRUCTORS: dict[int, type] = {tag: cls for cls, tag in _SEQUENCES.items()}


@frozen
class PlainArray:
    """An array as plain data: NumPy's ``dtype.str``, the shape, and the elements in C order."""

    dtype: str
    shape: tuple[int, ...]
    data: bytes


def to_plain(value: object, depth: int = 0) -> Any:
    """Return ``value`` in terms of what msgpack can pack, with tagged forms as extension types."""
    if type(value) in _ATOMS:
        return value
    if type(value) is int:
        return value if -(2**63) <= value < 2**64 else msgpack.ExtType(_TAG_INT, _int_bytes(value))
    if depth >= MAX_DEPTH:
        return safe_repr(value)
    if type(value) is list:
        return [to_plain(item, depth + 1) for item in value]
    if type(value) is dict:
        return _plain_dict(value, depth)
    if type(value) in _SEQUENCES:
        items = [to_plain(item, depth + 1) for item in _ordered(value)]
        return msgpack.ExtType(_SEQUENCES[type(value)], pack(items))
    return _plain_object(value, depth)


def pack(value: object) -> bytes:
    """Pack what :func:`to_plain` returned."""
    packed: bytes = msgpack.packb(value, use_bin_type=True, unicode_errors="surrogatepass")
    return packed


def unpack(data: bytes, max_items: int | None = None) -> Any:
    """Unpack bytes, giving tagged forms their types back.

    :param max_items: the longest list or map allowed, or ``None`` for no limit but the bytes there are.
    :raises ValueError: if the bytes are not one msgpack value (every failure of msgpack is one).
    """
    return _unpack(data, -1 if max_items is None else max_items, 0)


def safe_repr(value: object) -> str:
    """Return ``repr(value)``, or a substitute where the object's own ``__repr__`` fails."""
    try:
        return repr(value)
    except Exception as error:  # noqa: BLE001  protects a registration from a user's __repr__
        return f"<{type(value).__qualname__} whose repr failed: {type(error).__name__}>"


def _plain_dict(value: dict[object, object], depth: int) -> dict[Any, Any]:
    plain = {}
    for key, item in value.items():
        plain_key = to_plain(key, depth + 1)
        if isinstance(plain_key, list | dict):
            plain_key = safe_repr(key)
        plain[plain_key] = to_plain(item, depth + 1)
    return plain


def _plain_object(value: Any, depth: int) -> Any:
    """Arrays and array scalars are known by their shape, not by their class: NumPy is not needed here."""
    if isinstance(value, PlainArray):
        return _tagged_array(value)
    try:
        if getattr(getattr(value, "dtype", None), "kind", "O") not in "biufcSUmM":
            return safe_repr(value)
        if type(value).__name__ == "ndarray":
            return _tagged_array(PlainArray(value.dtype.str, value.shape, value.tobytes()))
        return to_plain(value.item(), depth + 1)
    except Exception:  # noqa: BLE001  protects a registration from things that merely look like arrays
        return safe_repr(value)


def _tagged_array(array: PlainArray) -> msgpack.ExtType:
    return msgpack.ExtType(_TAG_ARRAY, pack([array.dtype, list(array.shape), array.data]))


def _int_bytes(value: int) -> bytes:
    return value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True)


def _ordered(value: Any) -> Iterable[object]:
    # A set has no order of its own; one is chosen so that equal values give equal bytes.
    return value if type(value) is tuple else sorted(value, key=lambda item: (type(item).__name__, safe_repr(item)))


def _unpack(data: bytes, max_items: int, depth: int) -> Any:
    if depth > MAX_DEPTH:  # each level takes tens of kilobytes of msgpack's stack
        raise ValueError(f"tagged values are nested more than {MAX_DEPTH} deep")
    try:
        return msgpack.unpackb(
            data,
            ext_hook=partial(_from_tagged, max_items=max_items, depth=depth),
            max_array_len=max_items,
            max_map_len=max_items,
            strict_map_key=False,
            unicode_errors="surrogatepass",
        )
    except TypeError as error:  # an unhashable map key
        raise ValueError(str(error)) from error


def _from_tagged(tag: int, data: bytes, max_items: int, depth: int) -> Any:
    if tag == _TAG_INT:
        return int.from_bytes(data, "little", signed=True)
    items = _unpack(data, max_items, depth + 1)
    if tag == _TAG_ARRAY:
        return _array_from(items)
    if tag not in _CONSTRUCTORS or not isinstance(items, list):
        raise ValueError(f"tagged value {tag} is not known or does not hold a list")
    return _CONSTRUCTORS[tag](items)


def _array_from(parts: Any) -> PlainArray:
    match parts:
        case [str(dtype), list(shape), bytes(data)] if all(type(n) is int and n >= 0 for n in shape):
            return PlainArray(dtype, tuple(shape), data)
    raise ValueError("a tagged array does not hold dtype, shape and data")
