"""A list of rows in columns, of any length: only what is in sight is drawn, and only what changed is drawn anew."""

from collections.abc import Sequence
from typing import Any, ClassVar

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from ezmsg.tui.widgets.columns import GAP, Column, Row, fit, laid

_HEAD = 1  # line


class Listing(ScrollView, can_focus=True):
    """Shows rows; the cursor stays with its row when rows move, come or go."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "listing--head",
        "listing--cursor",
        "listing--bad",
        "listing--warn",
        "listing--good",
        "listing--dim",
        "listing--name",
        "listing--accent",
    }
    DEFAULT_CSS = """
    Listing { height: 1fr; background: $surface; color: $foreground; scrollbar-size-vertical: 1; }
    Listing > .listing--head { color: $text-muted; text-style: bold; background: $panel; }
    Listing > .listing--cursor { background: $surface-lighten-2; text-style: bold; }
    Listing:focus > .listing--cursor { background: $primary-muted; color: $text; text-style: bold; }
    Listing > .listing--bad { color: $text-error; text-style: bold; }
    Listing > .listing--warn { color: $text-warning; }
    Listing > .listing--good { color: $text-success; }
    Listing > .listing--dim { text-style: dim; }
    Listing > .listing--name { text-style: bold; }
    Listing > .listing--accent { color: $text-accent; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", "Up", show=False, id="list.up"),
        Binding("down", "move(1)", "Down", show=False, id="list.down"),
        Binding("pageup", "page(-1)", "Page up", show=False, id="list.page_up"),
        Binding("pagedown", "page(1)", "Page down", show=False, id="list.page_down"),
        Binding("home", "edge(0)", "First", show=False, id="list.first"),
        Binding("end", "edge(1)", "Last", show=False, id="list.last"),
        Binding("enter", "choose", "Open", show=False, id="list.choose"),
        Binding("s", "sort", "Sort", show=False, id="list.sort"),
        Binding("S", "reverse", "Reverse", show=False, id="list.reverse"),
    ]

    class Moved(Message):
        """The cursor is on another row; the key is empty where there is none."""

        def __init__(self, listing: "Listing", key: str) -> None:
            self.listing = listing
            self.key = key
            super().__init__()

        @property
        def control(self) -> "Listing":
            """The list that it is about."""
            return self.listing

    class Chosen(Moved):
        """A row was chosen, with enter or with two clicks."""

    def __init__(self, columns: Sequence[Column], *, id: str | None = None, empty: str = "") -> None:  # noqa: A002
        super().__init__(id=id)
        self.columns = tuple(columns)
        self.rows: tuple[Row, ...] = ()
        self.empty = empty
        self._given: tuple[Row, ...] = ()
        self._place: dict[str, int] = {}
        self._cursor = 0
        self._sorted_by: int | None = None
        self._reversed = False
        self._fitted: tuple[int, list[tuple[int, int]]] = (-1, [])

    # --- what is shown -------------------------------------------------------------------------------------

    @property
    def cursor_key(self) -> str:
        """The key of the row under the cursor, empty if there is none."""
        return self.rows[self._cursor].key if self.rows else ""

    def show(self, rows: Sequence[Row]) -> None:
        """Show these rows in place of those before."""
        self._given = tuple(rows)
        self._arrange()

    def show_empty(self, text: str) -> None:
        """Say this where there are no rows."""
        if text != self.empty:
            self.empty = text
            if not self.rows:
                self.refresh()

    def put_cursor(self, key: str) -> bool:
        """Move the cursor to a row, if it is there."""
        place = self._place.get(key)
        if place is not None:
            self._go(place)
        return place is not None

    def sort_by(self, column: int | None, *, descending: bool = False) -> None:
        """Order the rows by a column, or as they were given."""
        self._sorted_by, self._reversed = column, descending
        self._arrange()

    def _arrange(self) -> None:
        before, key = self.rows, self.cursor_key
        rows, by = self._given, self._sorted_by
        if by is not None and rows and len(rows[0].order) > by:
            rows = tuple(sorted(rows, key=lambda row: _sortable(row.order[by]), reverse=self._reversed))
        if rows == before:
            return
        self.rows = rows
        self._place = {row.key: place for place, row in enumerate(rows)}
        self._cursor = self._place.get(key, min(self._cursor, max(0, len(rows) - 1)))
        if len(rows) != len(before):
            self.virtual_size = Size(0, len(rows) + _HEAD)
            self.refresh()
        else:
            self._refresh_changed(before)
        if self.cursor_key != key:
            self.post_message(self.Moved(self, self.cursor_key))

    def _refresh_changed(self, before: tuple[Row, ...]) -> None:
        top = self.scroll_offset.y
        bottom = min(len(self.rows), top + self.size.height - _HEAD)
        for place in range(top, bottom):
            if self.rows[place] != before[place]:
                self._refresh_row(place)

    def _refresh_row(self, place: int) -> None:
        self.refresh(Region(0, place - self.scroll_offset.y + _HEAD, self.size.width, 1))

    # --- drawing -------------------------------------------------------------------------------------------

    def render_line(self, y: int) -> Strip:
        """Draw one line: the head, a row, or nothing."""
        width = self.scrollable_content_region.width
        fitted = self._fit(width)
        if y == 0:
            return self._strip(self._head_cells(fitted), self.get_component_rich_style("listing--head"), width)
        place = y - _HEAD + self.scroll_offset.y
        if place >= len(self.rows):
            text = self.empty if y == _HEAD and not self.rows else ""
            style = self.get_component_rich_style("listing--dim")
            return Strip([Segment(laid(text, Column("", 0), width), style)], width)
        row = self.rows[place]
        style = self._row_style(row, place)
        tones = dict(row.tones)
        cells = []
        for column, size in fitted:
            text = laid(row.cells[column], self.columns[column], size)
            cells.append((text, self._tone(tones.get(column, ""), place)))
        return self._strip(cells, style, width)

    def _head_cells(self, fitted: list[tuple[int, int]]) -> list[tuple[str, Style | None]]:
        cells: list[tuple[str, Style | None]] = []
        for place, size in fitted:
            column = self.columns[place]
            mark = "" if place != self._sorted_by else "▾" if self._reversed else "▴"
            cells.append((laid(f"{column.title}{mark}", column, size), None))
        return cells

    def _strip(self, cells: list[tuple[str, Style | None]], style: Style, width: int) -> Strip:
        segments: list[Segment] = []
        for text, own in cells:
            if segments:
                segments.append(Segment(" " * GAP, style))
            segments.append(Segment(text, style if own is None else style + own))
        strip = Strip(segments)
        return strip.adjust_cell_length(width, style)

    def _row_style(self, row: Row, place: int) -> Style:
        style = self.rich_style
        if row.tone:
            style += self.get_component_rich_style(f"listing--{row.tone}", partial=True)
        if place == self._cursor:
            style += self.get_component_rich_style("listing--cursor", partial=True)
        return style

    def _tone(self, tone: str, place: int) -> Style | None:
        if not tone or (place == self._cursor and self.has_focus):
            return None
        return self.get_component_rich_style(f"listing--{tone}", partial=True)

    def _fit(self, width: int) -> list[tuple[int, int]]:
        if self._fitted[0] != width:
            self._fitted = width, fit(self.columns, width)
        return self._fitted[1]

    # --- moving --------------------------------------------------------------------------------------------

    def action_move(self, step: int) -> None:
        """Move the cursor by rows."""
        self._go(self._cursor + step)

    def action_page(self, step: int) -> None:
        """Move the cursor by what is in sight."""
        self._go(self._cursor + step * max(1, self.size.height - _HEAD))

    def action_edge(self, last: int) -> None:
        """Move the cursor to the first row or the last."""
        self._go(len(self.rows) - 1 if last else 0)

    def action_choose(self) -> None:
        """Choose the row under the cursor."""
        if self.rows:
            self.post_message(self.Chosen(self, self.cursor_key))

    def action_sort(self) -> None:
        """Order by the next column that is shown; after the last one, as before."""
        if not self.rows or not self.rows[0].order:
            return
        shown = [place for place, _ in self._fit(self.scrollable_content_region.width)]
        later = [place for place in shown if self._sorted_by is None or place > self._sorted_by]
        self.sort_by(later[0] if later else None, descending=self._reversed)
        self.refresh()

    def action_reverse(self) -> None:
        """Turn the order round."""
        if self._sorted_by is None:
            self._sorted_by = 0
        self.sort_by(self._sorted_by, descending=not self._reversed)
        self.refresh()

    def on_click(self, event: events.Click) -> None:
        """Put the cursor where somebody clicks; two clicks choose, and on the head they sort."""
        if event.y < _HEAD:
            self._sort_at(event.x)
            return
        place = event.y - _HEAD + self.scroll_offset.y
        if place < len(self.rows):
            self._go(place)
            if event.chain == 2:
                self.action_choose()

    def _sort_at(self, x: int) -> None:
        left = 0
        for place, size in self._fit(self.scrollable_content_region.width):
            if left <= x < left + size + GAP and self.rows and self.rows[0].order:
                self.sort_by(place, descending=self._sorted_by == place and not self._reversed)
                self.refresh()
            left += size + GAP

    def _go(self, place: int) -> None:
        place = max(0, min(place, len(self.rows) - 1))
        before, self._cursor = self._cursor, place
        if place == before:
            return
        self._refresh_row(before)
        self._refresh_row(place)
        self._keep_in_sight()
        self.post_message(self.Moved(self, self.cursor_key))

    def _keep_in_sight(self) -> None:
        room = max(1, self.size.height - _HEAD)
        top = self.scroll_offset.y
        if self._cursor < top:
            self.scroll_to(y=self._cursor, animate=False)
        elif self._cursor >= top + room:
            self.scroll_to(y=self._cursor - room + 1, animate=False)

    def on_resize(self) -> None:
        """Keep the cursor in sight in a window of another size."""
        self.virtual_size = Size(0, len(self.rows) + _HEAD)
        self._keep_in_sight()

    def on_focus(self) -> None:
        """Show the cursor as it is where keys go."""
        self.refresh()

    def on_blur(self) -> None:
        """Show the cursor as it is elsewhere."""
        self.refresh()


def _sortable(value: Any) -> tuple[int, Any]:
    """What is not known comes first, numbers before texts."""
    if value is None:
        return 0, 0
    return (1, value) if isinstance(value, int | float) else (2, str(value))
