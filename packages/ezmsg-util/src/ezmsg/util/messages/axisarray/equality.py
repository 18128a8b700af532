"""Whether plain values that may hold arrays are equal."""

from typing import Any

from ezmsg.util.messages.axisarray.namespaces import same_values

__all__ = ["same"]


def same(one: Any, other: Any) -> bool:
    """Return whether two values are equal; arrays anywhere in them are, if all their elements are."""
    if one is other:
        return True
    if hasattr(one, "ndim") and hasattr(other, "ndim"):
        return same_values(one, other)
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(value, other[name]) for name, value in one.items())
    if isinstance(one, list | tuple) and type(one) is type(other):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one == other)
