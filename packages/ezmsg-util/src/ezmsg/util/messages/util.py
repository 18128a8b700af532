"""Changed copies of messages: :func:`replace` is what every unit makes its message of from the one it was given."""

import dataclasses
import os
from typing import Any, TypeVar

__all__ = ["fast_replace", "replace"]

T = TypeVar("T")

_WORKED_OUT = ("_fingerprint", "_fingerprint_of")
"""What messages remember of their fields, and a changed copy must not."""


def fast_replace(arr: T, **kwargs: Any) -> T:
    """Return a copy of a dataclass with other values in some of its fields.

    What is not named is shared with the original, not copied. This goes the short way, past the declarations of the
    fields; the class itself still sees every value, and refuses those that do not fit together.

    :raises TypeError: if there is no such field.
    """
    values = vars(arr).copy()
    for name in _WORKED_OUT:
        values.pop(name, None)
    values.update(kwargs)
    return type(arr)(**values)


# The types of the two differ in what they demand of `arr`; the public one demands nothing.
replace: Any = dataclasses.replace if "EZMSG_DISABLE_FAST_REPLACE" in os.environ else fast_replace
"""Return a copy with other fields: `fast_replace`, or with ``EZMSG_DISABLE_FAST_REPLACE`` `dataclasses.replace`."""
