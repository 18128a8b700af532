"""Arrays of numbers from the lists that JSON has for them.

NumPy is not imported here: where arrays are declared, or are there, it is loaded.
"""

import sys
from typing import Any

from ezmsg.control.settings_schema.fields.json_values import number_from


def array_of_numbers(cls: Any, items: list[Any] | tuple[Any, ...]) -> Any | None:
    """Return nested lists of numbers as an array, ``None`` if they are of anything else or not of one length.

    NaN and the infinities may be texts, as `ezmsg.protocol.snapshots.json_form` writes them.
    """
    numpy: Any = sys.modules["numpy"]
    try:
        made = numpy.array(items)
        if made.dtype.kind == "U":
            made = numpy.array(_with_numbers(items))
        return made.view(cls) if made.dtype.kind in "biuf" else None
    except (ValueError, OverflowError):  # rows of different lengths, a text, a number too large
        return None


def as_before(now: Any, new: Any) -> Any | None:
    """Return an array in the number type of the one that is there now, ``None`` if numbers would be lost over it.

    Floats may be rounded to shorter ones.
    """
    numpy: Any = sys.modules["numpy"]
    if numpy.can_cast(new.dtype, now.dtype, "same_kind") and now.dtype.kind in "fc":
        return new.astype(now.dtype)
    with numpy.errstate(all="ignore"):
        made = new.astype(now.dtype)
    return made if made.dtype.kind in "biu" and numpy.array_equal(made, new) else None


def _with_numbers(items: Any) -> Any:
    if isinstance(items, list | tuple):
        return [_with_numbers(each) for each in items]
    number = number_from(items) if isinstance(items, str) else items
    if number is None or (not isinstance(number, float) and isinstance(items, str)):
        raise ValueError(f"{items!r} is no number")
    return number
