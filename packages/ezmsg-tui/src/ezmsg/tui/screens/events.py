"""Events: topology, settings, processes, warnings and what was done here, on one time line."""

import time
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from ezmsg.tui.model.view import Entry, Kind, View
from ezmsg.tui.screens.frame import ViewScreen
from ezmsg.tui.widgets.columns import Column, Row
from ezmsg.tui.widgets.listing import Listing
from ezmsg.tui.widgets.timeline import Timeline

COLUMNS = (Column("TIME", 8), Column("KIND", 8, rank=1), Column("EVENT", 20, grow=True))
_TONES = {Kind.WARNING: "bad", Kind.SETTINGS: "accent", Kind.PROCESS: "warn", Kind.OPERATOR: "good"}


class Events(ViewScreen):
    """What happened, and when."""

    NAME = "events"
    HELP = (
        "**Events**: all that happened in the graph, on one time line, the newest last; above, a row for each kind "
        "over the last minutes. *f* follows the newest, *enter* goes to what a line is about. Times are those of "
        "this machine's clock. What the server had forgotten before we read it is said, not passed over."
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f", "follow", "Follow", id="events.follow"),
        Binding("enter", "choose", "Go there", show=True, id="events.go"),
    ]
    DEFAULT_CSS = "Events.-low Timeline { display: none; }"

    def __init__(self) -> None:
        super().__init__()
        self._follows = True

    def compose_body(self) -> ComposeResult:
        """A row for each kind over time, and every event below."""
        yield Timeline()
        yield Listing(COLUMNS, id="events", empty="nothing has happened yet")

    def show_body(self, view: View) -> None:
        """Show the events, and stay at the newest if that is wanted."""
        self.query_one(Timeline).show(view.journal, view.wall)
        listing = self.query_one("#events", Listing)
        listing.show([row for row in map(event_row, view.journal) if self.fits(" ".join(row.cells[1:]))])
        if self._follows:
            listing.action_edge(1)

    def on_resize(self) -> None:
        """Leave out the rows over time where there is little room."""
        self.set_class(self.size.height < 16, "-low")

    def action_follow(self) -> None:
        """Go to the newest event and stay there, or stay where one is."""
        self._follows = not self._follows
        if self._follows:
            self.query_one("#events", Listing).action_edge(1)
        self.notify("follows the newest event" if self._follows else "stays where the cursor is", timeout=2)

    @on(Listing.Moved)
    def _moved(self, event: Listing.Moved) -> None:
        rows = event.listing.rows
        self._follows = bool(rows) and event.key == rows[-1].key

    @on(Listing.Chosen)
    def _go(self, event: Listing.Chosen) -> None:
        for entry in self.view.journal:
            if str(entry.number) == event.key and entry.place is not None:
                self.application.go_to(entry.place)

    def command_here(self) -> str:
        """Return the command that follows events."""
        return "ezmsg events --follow"


def event_row(entry: Entry) -> Row:
    """Return a row for an event."""
    cells = (time.strftime("%H:%M:%S", time.localtime(entry.at)), entry.kind.value, entry.text)
    return Row(str(entry.number), cells, _TONES.get(entry.kind, ""))
