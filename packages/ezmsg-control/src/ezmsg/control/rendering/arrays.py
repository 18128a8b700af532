"""Arrays as text for people, and back: nested lists of numbers. They are plain bytes here, without NumPy."""

import json
import math
import struct
from collections.abc import Iterator
from typing import Any

from ezmsg.protocol.wire.plain import PlainArray

_SHOWN = 64
"""An array of more elements is told by its type and shape."""

_CODES = {
    "b1": "?",
    "i1": "b",
    "i2": "h",
    "i4": "i",
    "i8": "q",
    "u1": "B",
    "u2": "H",
    "u4": "I",
    "u8": "Q",
    "f2": "e",
    "f4": "f",
    "f8": "d",
}
_KINDS = {"b": "truths", "i": "whole numbers", "u": "whole numbers", "f": "numbers", "c": "complex numbers"}


def array_text(array: PlainArray) -> str:
    """Return an array as a command line would have it, or if it is large or of no numbers, what it is."""
    values = _values(array)
    if values is None or len(values) > _SHOWN or (not values and len(array.shape) > 1):
        shape = " x ".join(map(str, array.shape)) or "1"
        return f"({shape} {_KINDS.get(array.dtype.lstrip('<>|=')[:1], 'elements')}, {array.dtype})"
    return _nested(list(map(_text, values)), array.shape)


def array_of(value: object, dtype: str) -> PlainArray | None:
    """Return nested lists of numbers as an array of a type; ``None`` if they are none, or do not fit it."""
    shape = tuple(_shape(value))
    leaves = list(_leaves(value, len(shape)))
    code = _code(dtype)
    if code is None or len(leaves) != math.prod(shape):
        return None
    truths = [isinstance(each, bool) for each in leaves]
    if not all(truths) if code.endswith("?") else any(truths):
        return None
    try:
        return PlainArray(dtype, shape, struct.pack(f"{code[0]}{len(leaves)}{code[1]}", *leaves))
    except (struct.error, OverflowError, TypeError):  # a fraction among whole numbers, one too large, a text
        return None


def dtype_of(value: object) -> str:
    """Return the type of the smallest array that nested lists of numbers have a place in without loss."""
    leaves = list(_leaves(value, len(list(_shape(value)))))
    if leaves and all(isinstance(each, bool) for each in leaves):
        return "|b1"
    return "<i8" if leaves and all(isinstance(each, int) for each in leaves) else "<f8"


def _code(dtype: str) -> str | None:
    """Return the byte order and the letter that `struct` has for a type, as one text."""
    code = _CODES.get(dtype.lstrip("<>|="))
    return None if code is None else f"{dtype[0] if dtype[0] in '<>=' else '='}{code}"


def _values(array: PlainArray) -> list[Any] | None:
    code = _code(array.dtype)
    if code is None:
        return None
    try:
        return list(struct.unpack(f"{code[0]}{math.prod(array.shape)}{code[1]}", array.data))
    except struct.error:  # its bytes are not as many as its shape says
        return None


def _text(value: Any) -> str:
    return str(value) if isinstance(value, float) and not math.isfinite(value) else json.dumps(value)


def _nested(texts: list[str], shape: tuple[int, ...]) -> str:
    if not shape:
        return texts[0]
    size = math.prod(shape[1:])
    return f"[{', '.join(_nested(texts[n * size : (n + 1) * size], shape[1:]) for n in range(shape[0]))}]"


def _shape(value: object) -> Iterator[int]:
    """Yield how long a list is, its first item, the first item of that; where others differ, leaves are too few."""
    while isinstance(value, list):
        yield len(value)
        value = value[0] if value else None


def _leaves(value: Any, depth: int) -> Iterator[Any]:
    if depth == 0:
        yield value
    elif isinstance(value, list):
        for each in value:
            yield from _leaves(each, depth - 1)
