"""Plain values: what may travel where the type says ``Any``, such as the fields of a user's settings.

None, bool, int of any size, float, str, bytes, list and dict travel as themselves; tuples, sets and arrays in
tagged forms; a subclass of int, float, str or bytes, such as a member of a ``StrEnum``, as the value it is; a
container inside itself as ``"..."``; anything else, and anything nested too deep, as its ``repr``. Nothing here
ever fails on a value.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import msgpack

from ezmsg.protocol.declared import declared

MAX_DEPTH = 32
"""Containers nested deeper than this travel as their ``repr``."""

_PACK_SIZE = 4096
"""Bytes that packing sets out with. Most values take less; the quarter of a mebibyte of msgpack takes time."""

_TAG_INT = 1
_TAG_TUPLE = 2
_TAG_SET = 3
_TAG_FROZENSET = 4
_TAG_ARRAY = 5
_ATOMS = (type(None), bool, float, str, bytes)
_SEQUENCES: dict[type, int] = {tuple: _TAG_TUPLE, set: _TAG_SET, frozenset: _TAG_FROZENSET}
_EXACT: dict[type, Callable[[Any], object]] = {
    str: str.__str__,
    bytes: lambda value: b"".join((value,)),
    int: int.__int__,
    float: float.__float__,
}
"""For each atom that can be subclassed, what gives the plain value of an instance without asking the subclass."""
_CONSTRUCTORS: dict[int, type] = {tag: cls for cls, tag in _SEQUENCES.items()}


@declared
class PlainArray:
    """An array as plain data: NumPy's ``dtype.str``, the shape, and the elements in C order."""

    dtype: str
    shape: tuple[int, ...]
    data: bytes


def to_plain(value: object) -> Any:
    """Return ``value`` in terms of what msgpack can pack, with tagged forms as extension types."""
    try:
        return _plain(value, ())
    except Exception:  # noqa: BLE001  protects a registration from a user's classes, which may do anything
        return safe_repr(value)


def pack(value: object) -> bytes:
    """Pack what :func:`to_plain` returned, or maps and lists of it; for anything else inside, call it here."""
    packed: bytes
    try:
        packed = msgpack.packb(value, default=to_plain, use_bin_type=True, buf_size=_PACK_SIZE)
    except UnicodeEncodeError:  # told of surrogates from the start, msgpack takes twice as long over every text
        packed = msgpack.packb(value, default=to_plain, use_bin_type=True, unicode_errors="surrogatepass")
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
        return str(repr(value))
    except Exception as error:  # noqa: BLE001  protects a registration from a user's __repr__
        return f"<{type(value).__qualname__} whose repr failed: {type(error).__name__}>"


def foreign_part(value: object) -> tuple[str, object] | None:
    """Return where in a value, such as ``.taps[0]``, is what would travel as its ``repr``, and what it is.

    ``None`` if there is no such part: then the other side gets what was sent.
    """
    try:
        return _foreign(value, ())
    except Exception:  # noqa: BLE001  protects the caller from a value's own class, which may do anything
        return "", value


def _foreign(value: Any, inside: tuple[int, ...]) -> tuple[str, object] | None:
    """As :func:`_plain` goes through a value, so does this."""
    cls = type(value)
    if cls in _ATOMS or cls is int:
        return None
    if cls not in (list, dict) and cls not in _SEQUENCES:
        is_repr = isinstance(_plain_object(value), str) and not isinstance(value, str)
        return ("", value) if is_repr else None
    if id(value) in inside or len(inside) >= MAX_DEPTH:
        return "", value
    path = (*inside, id(value))
    for step, part in value.items() if cls is dict else enumerate(value):
        if cls is dict and (found := _foreign(step, path)) is not None:
            return "", found[1]  # a key has no place of its own
        if (found := _foreign(part, path)) is not None:
            here = f".{step}" if cls is dict else f"[{step}]" if cls in (list, tuple) else ""
            return f"{here}{found[0]}", found[1]
    return None


def _plain(value: Any, inside: tuple[int, ...]) -> Any:
    """``inside`` holds the identities of the containers that ``value`` is in, from the outermost on."""
    cls = type(value)
    if cls in _ATOMS:
        return value
    if cls is int:
        return value if -(2**63) <= value < 2**64 else msgpack.ExtType(_TAG_INT, _int_bytes(value))
    if id(value) in inside:
        return "..."
    if len(inside) >= MAX_DEPTH:
        return safe_repr(value)
    path = (*inside, id(value))
    if cls is list:
        return [_plain(item, path) for item in value]
    if cls is dict:
        return {_plain_key(key, path): _plain(item, path) for key, item in value.items()}
    if cls in _SEQUENCES:
        items = [_plain(item, path) for item in value]
        # A set has no order of its own; one is chosen so that equal sets give equal bytes.
        return msgpack.ExtType(_SEQUENCES[cls], pack(items if cls is tuple else sorted(items, key=pack)))
    return _plain_object(value)


def _plain_key(key: object, inside: tuple[int, ...]) -> Any:
    plain = _plain(key, inside)
    return safe_repr(key) if isinstance(plain, list | dict) else plain


def _plain_object(value: Any) -> Any:
    """Arrays and array scalars are known by their shape, not by their class: NumPy is not needed here."""
    try:
        if isinstance(value, PlainArray):
            return _tagged_array(value)
        for base, exact in _EXACT.items():
            if isinstance(value, base):
                return _plain(exact(value), ())
        if getattr(getattr(value, "dtype", None), "kind", "O") not in "biufcSUmM":
            return safe_repr(value)
        if type(value).__name__ == "ndarray":
            return _tagged_array(PlainArray(value.dtype.str, value.shape, value.tobytes()))
        item = value.item()
        return _plain(item, ()) if type(item) in (*_ATOMS, int) else safe_repr(value)
    except Exception:  # noqa: BLE001  protects a registration from things that merely look like arrays
        return safe_repr(value)


def _tagged_array(array: PlainArray) -> msgpack.ExtType:
    parts = [array.dtype, list(array.shape), array.data]
    _array_from(parts)  # what this side sends, the other must be able to read
    return msgpack.ExtType(_TAG_ARRAY, pack(parts))


def _int_bytes(value: int) -> bytes:
    return value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True)


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
    except msgpack.ExtraData as error:
        raise ValueError("more bytes follow after its end") from error
    except (TypeError, MemoryError) as error:  # an unhashable map key; a length far beyond what is there
        raise ValueError(str(error) or "it needs more memory than there is") from error


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
