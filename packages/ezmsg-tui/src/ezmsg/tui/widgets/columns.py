"""Rows and columns of a list, and how columns share a width that may be small. Pure."""

from collections.abc import Sequence
from typing import Any, Literal

from attrs import frozen
from rich.cells import cell_len, set_cell_size

from ezmsg.protocol.surroundings.visible import visible

GAP = 2
ELLIPSIS = "…"


@frozen
class Column:
    """A column; where there is no room, the one of the highest ``rank`` goes first, and 0 stays.

    ``grow`` takes what is left. ``crop`` is the side at which a text is cut: the end of an address says most.
    """

    title: str
    width: int
    rank: int = 0
    grow: bool = False
    align: Literal["left", "right"] = "left"
    crop: Literal["left", "right"] = "right"


@frozen
class Row:
    """A row: its key, which stays the same while the row moves; its texts; and its tone, a name of a style.

    ``order`` has for each column what it is sorted by, or nothing if the list is not sorted by columns.
    ``tones`` are those of single cells, by their place.
    """

    key: str
    cells: tuple[str, ...]
    tone: str = ""
    order: tuple[Any, ...] = ()
    tones: tuple[tuple[int, str], ...] = ()


def fit(columns: Sequence[Column], width: int) -> list[tuple[int, int]]:
    """Return the places of the columns that have room, each with its width."""
    shown = list(range(len(columns)))
    while len(shown) > 1 and _needed(columns, shown) > width:
        last = max(shown, key=lambda place: (columns[place].rank, place))
        if columns[last].rank == 0:
            break
        shown.remove(last)
    rest = width - _needed(columns, shown)
    growing = [place for place in shown if columns[place].grow]
    more = {place: rest // len(growing) for place in growing} if growing else {}
    if growing and rest > 0:
        more[growing[0]] += rest % len(growing)
    return [(place, max(1, columns[place].width + more.get(place, 0))) for place in shown]


def _needed(columns: Sequence[Column], shown: Sequence[int]) -> int:
    return sum(columns[place].width for place in shown) + GAP * max(0, len(shown) - 1)


def laid(text: str, column: Column, width: int) -> str:
    """Return a text exactly as wide as its column, in cells; wide characters count as two."""
    text = visible(text)
    length = cell_len(text)
    if length > width:
        if width <= 1:
            return set_cell_size(text, width)
        if column.crop == "right":
            return set_cell_size(text, width - 1) + ELLIPSIS
        while cell_len(text) > width - 1:
            text = text[1:]
        return (ELLIPSIS + text).rjust(width) if cell_len(text) == width - 1 else ELLIPSIS + text + " "
    pad = " " * (width - length)
    return pad + text if column.align == "right" else text + pad
