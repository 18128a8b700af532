"""A laid-out graph as cells of text with tones, and as SVG. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from html import escape
from itertools import pairwise

from attrs import field, frozen
from rich.cells import cell_len

from ezmsg.protocol.surroundings.visible import visible
from ezmsg.tui.model.layering import LABEL, Box, Drawing, Wire

UP, DOWN, LEFT, RIGHT = 1, 2, 4, 8
LINES = " ╵╷│╴┘┐┤╶└┌├─┴┬┼"
"""By the directions in which a cell is open, added up."""

ARROW, BACK = "▶", "◀"


@frozen
class Marks:
    """What is drawn into a layout: labels of groups, tones of wires and boxes."""

    labels: Mapping[tuple[str, str], str] = field(factory=dict)
    wires: Mapping[tuple[str, str], str] = field(factory=dict)
    boxes: Mapping[str, str] = field(factory=dict)


Cell = tuple[str, str]
"""A character, or nothing behind a wide one; and its tone."""

_EMPTY: Cell = (" ", "")


_Wire = tuple[str, str]


class Raster:
    """A drawing cell by cell, made once; what is written into it, and in which tones, is said for each row anew."""

    def __init__(self, drawing: Drawing) -> None:
        self.drawing = drawing
        self._lines: dict[int, dict[int, tuple[int, frozenset[_Wire]]]] = {}
        self._arrows: dict[int, list[tuple[int, str, _Wire]]] = {}
        self._boxes: dict[int, list[Box]] = {}
        for wire in drawing.wires:
            self._add(wire)
        for box in drawing.boxes.values():
            for y in range(box.y, box.y + box.height):
                self._boxes.setdefault(y, []).append(box)

    def row(self, y: int, marks: Marks) -> list[Cell]:
        """Return a row of cells, as wide as the drawing or wider."""
        found: dict[int, Cell] = {}
        for x, (directions, wires) in self._lines.get(y, {}).items():
            found[x] = LINES[directions], _strongest(marks.wires.get(wire, "") for wire in wires)
        for x, arrow, wire in self._arrows.get(y, ()):
            found[x] = arrow, marks.wires.get(wire, "")
        for box in self._boxes.get(y, ()):
            _put_box(found, box, y, marks)
        return [found.get(x, _EMPTY) for x in range(max(self.drawing.width, max(found, default=-1) + 1))]

    def _add(self, wire: Wire) -> None:
        key = wire.source, wire.target
        for (x, y), (end_x, end_y) in pairwise(wire.points):
            if y == end_y:
                for place in range(min(x, end_x), max(x, end_x)):
                    self._open(place, y, RIGHT, key)
                    self._open(place + 1, y, LEFT, key)
            else:
                for place in range(min(y, end_y), max(y, end_y)):
                    self._open(x, place, DOWN, key)
                    self._open(x, place + 1, UP, key)
        (before_x, _), (x, y) = wire.points[-2], wire.points[-1]
        self._arrows.setdefault(y, []).append((x, ARROW if before_x <= x else BACK, key))

    def _open(self, x: int, y: int, direction: int, wire: _Wire) -> None:
        row = self._lines.setdefault(y, {})
        known, wires = row.get(x, (0, frozenset()))
        row[x] = known | direction, wires if wire in wires else wires | {wire}


_STRENGTH = {tone: strength for strength, tone in enumerate(("quiet", "", "up", "down", "warn", "bad"))}


def _strongest(tones: Iterable[str]) -> str:
    return max(tones, key=lambda tone: _STRENGTH.get(tone, 0))


def _put(row: dict[int, Cell], x: int, text: str, tone: str) -> None:
    for character in visible(text):
        width = cell_len(character)
        if width == 0:  # it belongs to the one before it
            continue
        row[x] = character, tone
        for more in range(1, width):
            row[x + more] = "", tone
        x += width


def _put_box(row: dict[int, Cell], box: Box, y: int, marks: Marks) -> None:
    tone = marks.boxes.get(box.key, "box")
    inner = box.width - 2
    if y == box.y:
        _put(row, box.x, f"╭{'─' * inner}╮", tone)
    elif y == box.y + box.height - 1:
        _put(row, box.x, f"╰{'─' * inner}╯", tone)
    else:
        _put(row, box.x, f"│{' ' * inner}│", tone)
    if y == box.entry_y:
        _put(row, box.x + 2, box.text, tone)
    for group, its in box.rows.items():
        if its == y and (label := marks.labels.get((box.key, group), "")):
            _put(row, box.x + box.width + 1, label[: LABEL - 1], "label")


def cells(drawing: Drawing, marks: Marks) -> list[list[Cell]]:
    """Return every row of a drawing as cells."""
    raster = Raster(drawing)
    return [raster.row(y, marks) for y in range(drawing.height)]


def as_text(drawing: Drawing, marks: Marks) -> str:
    """Return a drawing as plain text."""
    return "\n".join("".join(text for text, _ in row).rstrip() for row in cells(drawing, marks)) + "\n"


_CELL_X, _CELL_Y = 8, 18
_COLOURS = {"bad": "#c0392b", "warn": "#b9770e", "quiet": "#999999"}


def as_svg(drawing: Drawing, marks: Marks) -> str:
    """Return a drawing as an SVG image that needs nothing else."""
    return "\n".join(_svg(drawing, marks)) + "\n"


def _svg(drawing: Drawing, marks: Marks) -> Iterator[str]:
    width, height = (drawing.width + 2) * _CELL_X, (drawing.height + 1) * _CELL_Y
    size = f'width="{width}" height="{height}" viewBox="0 0 {width} {height}"'
    yield f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="monospace" font-size="13">'
    yield '<defs><marker id="arrow" markerWidth="8" markerHeight="8" refX="7" refY="4" orient="auto">'
    yield '<path d="M0,0 L8,4 L0,8 z" fill="context-stroke"/></marker></defs>'
    yield f'<rect width="{width}" height="{height}" fill="white"/>'
    for wire in drawing.wires:
        colour = _COLOURS.get(marks.wires.get((wire.source, wire.target), ""), "#34495e")
        points = " ".join(f"{_x(x)},{_y(y)}" for x, y in wire.points)
        title = f"<title>{escape(visible(f'{wire.source} -> {wire.target}'))}</title>"
        style = f'fill="none" stroke="{colour}" stroke-width="1.5" marker-end="url(#arrow)"'
        yield f'<polyline points="{points}" {style}>{title}</polyline>'
    for box in drawing.boxes.values():
        x, y = _x(box.x) - _CELL_X // 2, _y(box.y)
        w, h = (box.width - 1) * _CELL_X + _CELL_X // 2, (box.height - 1) * _CELL_Y
        name = f'"{escape(visible(box.key))}"'
        yield f'<rect x="{x}" y="{y}" width="{w}" height="{h}" rx="5" fill="#eef3f8" stroke="#34495e" id={name}/>'
        yield f'<text x="{_x(box.x + 2)}" y="{_y(box.y + 1) + 4}">{escape(visible(box.text))}</text>'
        for group, row in box.rows.items():
            if label := marks.labels.get((box.key, group), ""):
                at = f'x="{_x(box.x + box.width + 1)}" y="{_y(row) - 4}"'
                yield f'<text {at} font-size="11" fill="#555555">{escape(label)}</text>'
    yield "</svg>"


def _x(cell: int) -> int:
    return (cell + 1) * _CELL_X + _CELL_X // 2


def _y(cell: int) -> int:
    return cell * _CELL_Y + _CELL_Y
