"""Rows of texts with their columns one below the other."""

from collections.abc import Iterable, Iterator, Sequence

_GAP = "   "


def aligned(rows: Iterable[Sequence[str]], indent: str = "") -> Iterator[str]:
    """Yield each row as a line; nothing follows the last text of a line."""
    table = [list(row) for row in rows]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for row in table:
        yield indent + _GAP.join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip()
