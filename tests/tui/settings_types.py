"""A settings type with a field of every kind that a form knows."""

from dataclasses import dataclass, field
from typing import Any, Literal


@dataclass
class Notch:
    """Takes one frequency out."""

    frequency: float = field(default=50.0, metadata={"min": 1.0, "max": 100.0, "unit": "Hz"})
    width: float = 2.0


@dataclass
class LabSettings:
    """A filter with everything."""

    cutoff: float = field(
        default=40.0, metadata={"min": 0.1, "max": 500.0, "unit": "Hz", "description": "where the pass band ends"}
    )
    order: int = field(default=4, metadata={"min": 1, "max": 12})
    kind: Literal["butter", "cheby1", "bessel"] = "butter"
    enabled: bool = True
    label: str = ""
    gain: float = 1.0
    notch: Notch = field(default_factory=Notch)
    taps: list[float] = field(default_factory=list)
    limit: float | None = None
    extra: dict[str, Any] = field(default_factory=dict)
