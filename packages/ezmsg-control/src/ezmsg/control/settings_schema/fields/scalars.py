"""Scalars and arrays of NumPy, which are known by their shape: NumPy is not needed here."""

from typing import Any


def unboxed(value: Any) -> Any:
    """Return the number or truth in a scalar of NumPy; everything else as it is."""
    kind = getattr(getattr(value, "dtype", None), "kind", None)
    return value.item() if kind in ("b", "i", "u", "f") and getattr(value, "shape", None) == () else value


def is_array(value: object) -> bool:
    """Return whether this is an array of plain elements, and not of objects."""
    kind = getattr(getattr(value, "dtype", None), "kind", "O")
    return type(value).__name__ == "ndarray" and kind in "biufcSUmM"
