"""Two kinds of charts as SVG: ratios as bars, and how costs grow as curves; both axes of curves are logarithmic."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape

COLOURS = ("#2456a6", "#1f9e89", "#c2571a", "#8e3b8e", "#777777", "#b8860b", "#444444", "#a61e4d")
LABEL, WIDTH, ROW, TOP = 270, 860, 17, 46
STYLE = """text{font:12px sans-serif;fill:#222}.t{font-size:14px;font-weight:bold}
.g{stroke:#ddd}.n{fill:#666}.b{stroke:#000;stroke-width:2}"""


@dataclass(frozen=True)
class Row:
    """One bar: how many times better, and how many times it has to be, if that is said."""

    label: str
    kind: int
    value: float
    bar: float | None = None


def ratios(title: str, rows: Sequence[Row], kinds: Sequence[str]) -> str:
    """Return bars from 1, where both are alike; what is better goes to the right."""
    values = [row.value for row in rows] + [row.bar for row in rows if row.bar]
    low, high = min([0.5, *values]), max([2.0, *values])
    height = TOP + ROW * len(rows) + 24

    def place(value: float) -> float:
        share = math.log(value / low) / math.log(high / low)
        return LABEL + 8 + share * (WIDTH - LABEL - 70)

    def parts() -> Iterator[str]:
        for tick in _ticks(low, high):
            x = place(tick)
            yield f'<line class="g" x1="{x:.1f}" y1="{TOP - 8}" x2="{x:.1f}" y2="{height - 20}"/>'
            yield f'<text class="n" x="{x:.1f}" y="{height - 6}" text-anchor="middle">{tick:g}</text>'
        for number, row in enumerate(rows):
            y = TOP + ROW * number
            begin, end = sorted((place(1.0), place(row.value)))
            yield f'<text x="{LABEL}" y="{y + 11}" text-anchor="end">{escape(row.label)}</text>'
            yield (
                f'<rect x="{begin:.1f}" y="{y + 2}" width="{max(end - begin, 1):.1f}" height="{ROW - 5}" '
                f'fill="{COLOURS[row.kind % len(COLOURS)]}"/>'
            )
            yield f'<text class="n" x="{end + 4:.1f}" y="{y + 12}">{row.value:.2g}</text>'
            if row.bar:
                x = place(row.bar)
                yield f'<line class="b" x1="{x:.1f}" y1="{y}" x2="{x:.1f}" y2="{y + ROW - 1}"/>'
        x = place(1.0)
        yield f'<line x1="{x:.1f}" y1="{TOP - 8}" x2="{x:.1f}" y2="{height - 20}" stroke="#000"/>'

    return _drawing(title, height, kinds, parts())


def curves(title: str, unit: str, lines: Mapping[str, Sequence[tuple[float, float]]]) -> str:
    """Return curves through points, with a name each."""
    xs = [x for points in lines.values() for x, _ in points]
    ys = [y for points in lines.values() for _, y in points]
    left, height = 70, 330
    low_x, high_x, low_y, high_y = min(xs), max(max(xs), min(xs) * 2), min(ys) / 1.5, max(ys) * 1.5

    def at(x: float, y: float) -> tuple[float, float]:
        across = math.log(x / low_x) / math.log(high_x / low_x)
        up = math.log(y / low_y) / math.log(high_y / low_y)
        return left + across * (WIDTH - left - 30), height - 34 - up * (height - 34 - TOP)

    def parts() -> Iterator[str]:
        for tick in _ticks(low_y, high_y):
            _, y = at(low_x, tick)
            yield f'<line class="g" x1="{left}" y1="{y:.1f}" x2="{WIDTH - 30}" y2="{y:.1f}"/>'
            yield f'<text class="n" x="{left - 6}" y="{y + 4:.1f}" text-anchor="end">{tick:,g}</text>'
        for x in sorted(set(xs)):
            across, _ = at(x, low_y)
            yield f'<text class="n" x="{across:.1f}" y="{height - 16}" text-anchor="middle">{_short(x)}</text>'
        yield f'<text class="n" x="6" y="{TOP - 4}">{escape(unit)}</text>'
        for number, points in enumerate(lines.values()):
            colour = COLOURS[number % len(COLOURS)]
            places = [at(*point) for point in points]
            path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
            yield f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>'
            yield from (f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in places)

    return _drawing(title, height, list(lines), parts())


def _drawing(title: str, height: int, kinds: Sequence[str], parts: Iterator[str]) -> str:
    """Return a drawing with its title and the names of its colours."""
    head = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}">',
        f"<style>{STYLE}</style>",
        f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>',
        f'<text class="t" x="6" y="18">{escape(title)}</text>',
    ]
    x = WIDTH - 10 - sum(24 + 7 * len(kind) for kind in kinds)
    for number, kind in enumerate(kinds):
        head.append(f'<rect x="{x}" y="24" width="10" height="10" fill="{COLOURS[number % len(COLOURS)]}"/>')
        head.append(f'<text x="{x + 14}" y="33">{escape(kind)}</text>')
        x += 24 + 7 * len(kind)
    return "\n".join([*head, *parts, "</svg>\n"])


def _ticks(low: float, high: float) -> list[float]:
    """Return round values between two others: powers of ten, and their doubles and halves where there is room."""
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    steps = (1.0, 2.0, 5.0) if high / low < 2000 else (1.0,)
    ticks = (step * 10.0**decade for decade in decades for step in steps)
    return [tick for tick in ticks if low <= tick <= high]


def _short(value: float) -> str:
    for size, unit in ((2**20, "Mi"), (2**10, "Ki")):
        if value >= size and value % size == 0:
            return f"{value / size:g}{unit}"
    return f"{value:,g}"
