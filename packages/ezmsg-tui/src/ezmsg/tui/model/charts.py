"""Numbers as small drawings in cells: sparklines, bars and charts of several rows. Pure."""

import math
from collections.abc import Sequence

BARS = " ▁▂▃▄▅▆▇█"
PARTS = " ▏▎▍▌▋▊▉█"


def sparkline(values: Sequence[float], width: int, top: float | None = None) -> str:
    """Return the last values as a row of bars of at most ``width``, the newest at the right."""
    last = list(values)[-width:] if width > 0 else []
    top = max(last, default=0.0) if top is None else top
    if top <= 0:
        return "".join(BARS[1] for _ in last).rjust(width)
    return "".join(BARS[1 + _step(value / top, 7)] for value in last).rjust(width)


def bar(share: float, width: int) -> str:
    """Return a share of 1 as a bar of cells, as wide as ``width`` with what is left empty."""
    eighths = _step(share, 8 * width)
    full, rest = divmod(eighths, 8)
    return ("█" * full + (PARTS[rest] if rest else "")).ljust(width)


def chart(values: Sequence[float], width: int, height: int) -> list[str]:
    """Return the last values as a chart from 0 to the largest of them, a line of text for each row, top first."""
    if width <= 0 or height <= 0:
        return []
    last = list(values)[-width:]
    top = max(last, default=0.0)
    steps = [_step(value / top, 8 * height) if top > 0 else 0 for value in last]
    rows = []
    for row in reversed(range(height)):
        line = "".join(BARS[min(8, max(0, step - 8 * row))] for step in steps)
        rows.append(line.rjust(width))
    return rows


def _step(share: float, steps: int) -> int:
    """Return a share in whole steps; what is more than nothing is at least one."""
    if not math.isfinite(share) or share <= 0:
        return 0
    return min(steps, max(1, round(share * steps)))
