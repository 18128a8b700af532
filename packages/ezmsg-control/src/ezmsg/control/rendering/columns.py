"""Rows of texts with their columns one below the other, as a terminal counts: some letters take two places."""

from collections.abc import Iterable, Iterator, Sequence
from unicodedata import combining, east_asian_width

_GAP = "   "


def aligned(rows: Iterable[Sequence[str]], indent: str = "") -> Iterator[str]:
    """Yield each row as a line; nothing follows the last text of a line."""
    table = [list(row) for row in rows]
    widths = [max(map(places, column)) for column in zip(*table, strict=True)]
    for row in table:
        yield indent + _GAP.join(padded(text, width) for text, width in zip(row, widths, strict=True)).rstrip()


def padded(text: str, width: int) -> str:
    """Return a text with blanks after it, so that it takes so many places."""
    return text + " " * (width - places(text))


def places(text: str) -> int:
    """Return how many places of a terminal's line a text takes."""
    if text.isascii():
        return len(text)
    return sum(0 if combining(each) else 2 if east_asian_width(each) in "WF" else 1 for each in text)
