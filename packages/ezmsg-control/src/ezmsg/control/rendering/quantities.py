"""Times and amounts as people write them: three digits, and the unit or noun that fits. Pure."""

_TIMES = ((1_000_000_000, "s"), (1_000_000, "ms"), (1_000, "us"), (1, "ns"))
_BYTES = ((10**9, "GB"), (10**6, "MB"), (10**3, "kB"), (1, "B"))


def duration(ns: int) -> str:
    """Return a time, such as ``3.9 ms``."""
    return _scaled(ns, _TIMES)


def size(count: int) -> str:
    """Return an amount of bytes, such as ``8.2 MB``."""
    return _scaled(count, _BYTES)


def percent(share: float) -> str:
    """Return a share of 1, such as ``4.1 %``; what is more than nothing is never written as nothing."""
    if 0 < share < 0.001:
        return "< 0.1 %"
    return f"{share * 100:.1f} %"


def counted(count: int, what: str) -> str:
    """Return an amount with its noun, such as ``1 process`` or ``2 processes``."""
    plural = f"{what}es" if what.endswith("s") else f"{what}s"
    return f"{count} {what if count == 1 else plural}"


def _scaled(value: int, scales: tuple[tuple[int, str], ...]) -> str:
    for scale, unit in scales:
        if value >= scale or scale == 1:
            scaled = value / scale
            digits = 0 if scale == 1 or scaled >= 99.95 else 1
            return f"{scaled:.{digits}f} {unit}"
    raise AssertionError("the last scale is 1")
