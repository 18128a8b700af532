"""Arrays as text for people: nested lists of numbers. They are plain bytes here, without NumPy."""

import json
import math
import struct
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
