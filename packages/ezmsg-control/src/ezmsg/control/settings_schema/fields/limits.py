"""Bounds of numbers and of lengths: plain intervals."""

import math
from typing import Any

from ezmsg.protocol.declared import declared


@declared
class Limits:
    """From ``lower`` to ``upper``, each ``None`` if open; ``above`` and ``below`` leave the bound itself out."""

    lower: float | None = None
    upper: float | None = None
    above: bool = False
    below: bool = False

    @property
    def given(self) -> bool:
        """Whether anything is left out."""
        return self.lower is not None or self.upper is not None

    def hold(self, number: float) -> bool:
        """Return whether a number is within; NaN is in no interval that has a bound."""
        if self.lower is not None and not (number > self.lower if self.above else number >= self.lower):
            return False
        return self.upper is None or (number < self.upper if self.below else number <= self.upper)

    def narrowed(self, other: "Limits") -> "Limits":
        """Return what is within both."""
        lower, above = self.lower, self.above
        if other.lower is not None and (lower is None or (other.lower, other.above) > (lower, above)):
            lower, above = other.lower, other.above
        upper, below = self.upper, self.below
        if other.upper is not None and (upper is None or (other.upper, not other.below) < (upper, not below)):
            upper, below = other.upper, other.below
        return Limits(lower, upper, above, below)

    def inclusive(self, whole: bool) -> tuple[float | None, float | None] | None:
        """Return the first and the last number within, ``None`` on an open side, or ``None`` if both are open."""
        if not self.given:
            return None
        lower, upper = _as_float(self.lower), _as_float(self.upper)
        if lower is not None and self.above:
            lower = math.floor(lower) + 1.0 if whole else math.nextafter(lower, math.inf)
        if upper is not None and self.below:
            upper = math.ceil(upper) - 1.0 if whole else math.nextafter(upper, -math.inf)
        return lower, upper

    def __str__(self) -> str:
        lower, upper = _written(self.lower), _written(self.upper)
        low = f"above {lower}" if self.above else f"from {lower}"
        high = f"below {upper}" if self.below else f"up to {upper}"
        if self.lower is None:
            return "" if self.upper is None else high
        if self.upper is None:
            return low if self.above else f"{low} on"
        if self.above:
            return f"{low} and {high}"
        return f"{low} to below {upper}" if self.below else f"{low} to {upper}"


UNLIMITED = Limits()
"""Leaves nothing out."""


def as_bound(value: Any) -> float | None:
    """Return the value if it is a number that can be a bound, which NaN is not."""
    return value if isinstance(value, int | float) and not isinstance(value, bool) and value == value else None


def _as_float(number: float | None) -> float | None:
    return None if number is None else float(number)


def _written(number: float | None) -> str:
    """Return a number without a fraction that is none; 1e300 is not written out."""
    whole = isinstance(number, float) and number.is_integer() and abs(number) < 1e15
    return str(int(number) if whole and number is not None else number)
