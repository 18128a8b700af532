"""Scalars of NumPy, which are known by their shape: NumPy is not needed here."""

from typing import Any


def unboxed(value: Any) -> Any:
    """Return the number or truth in a scalar of NumPy; everything else as it is."""
    kind = getattr(getattr(value, "dtype", None), "kind", None)
    return value.item() if kind in ("b", "i", "u", "f") and getattr(value, "shape", None) == () else value
