"""How bytes, arrays and NaN are written in JSON, and read: the forms of `ezmsg.protocol.snapshots.json_form`."""

import math
import re
from base64 import b64decode
from collections.abc import Mapping
from typing import Any

from ezmsg.protocol.wire.plain import PlainArray

BASE64 = "^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$"
"""The pattern of base64 with its padding; what does not fit is refused rather than guessed at."""
ARRAY_DTYPE = "^[<>|=]?[biufcSUmM][0-9]{1,6}(?:\\[[A-Za-z0-9]{1,6}\\])?$"
"""The pattern of NumPy's ``dtype.str`` for arrays whose bytes are their values: above all no objects, whose bytes
would be taken for addresses of this process's memory."""

WHOLE_KEY = "^(?:0|-?[1-9][0-9]{0,17})$"
"""The pattern of a whole number as a mapping's key, which in JSON is always a text."""

_NUMBER = "-?[0-9]{1,400}(?:\\.[0-9]{1,400})?(?:[eE][-+]?[0-9]{1,4})?"
_NO_DIGITS = dict.fromkeys(map(ord, "0123456789"))
_SPECIAL = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}
"""As `ezmsg.protocol.snapshots.json_form` writes what JSON has no numbers for."""

ALSO_BY_NAME = "the same members by their names"
"""The comment on a part of an enumeration's schema that is no choice of its own; ours has none any more."""


NOT_FINITE = "the numbers that JSON has not"
"""The comment on the part of a number's schema that is for NaN and the infinities, where the default is one."""


def number_of_form(value: Any) -> Any:
    """Return the number that ``{"$number": "nan"}``, or ``"inf"`` or ``"-inf"``, stands for; others as they are."""
    match value:
        case {"$number": ("nan" | "inf" | "-inf") as name} if len(value) == 1:
            return float(name)
    return value


def bytes_from(value: Any) -> bytes | None:
    """Return bytes, or those that ``{"$bytes": base64}`` stands for; ``None`` if it is neither."""
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value)
    match value:
        case {"$bytes": str(text)} if len(value) == 1:
            return _decoded(text)
    return None


def array_from(value: Any) -> PlainArray | None:
    """Return a plain array, or the one that ``{"$array": dtype, "shape": [...], "data": base64}`` stands for.

    ``None`` if it is neither, or its parts do not fit each other.
    """
    if isinstance(value, Mapping):
        value = _array(value)
    if not isinstance(value, PlainArray) or not re.fullmatch(ARRAY_DTYPE, value.dtype):
        return None
    return value


def number_from(text: str) -> int | float | None:
    """Return the number that a text is, as JSON has it or ``nan``, ``inf`` or ``-inf``; ``None`` if it is none."""
    if re.fullmatch(_NUMBER, text):
        return float(text) if text.strip("-").translate(_NO_DIGITS) else int(text)
    return _SPECIAL.get(text)


def _array(value: Mapping[Any, Any]) -> PlainArray | None:
    match value:
        case {"$array": str(dtype), "shape": [*shape], "data": str(text)} if len(value) == 3:
            data = _decoded(text)
            if data is not None and all(type(each) is int and each >= 0 for each in shape):
                return PlainArray(dtype, tuple(shape), data)
    return None


def _decoded(text: str) -> bytes | None:
    return b64decode(text) if re.fullmatch(BASE64, text) else None
