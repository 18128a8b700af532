"""Sessions: who owns edges and descriptions of components, and the end of one, with what would vanish."""

from typing import ClassVar
from uuid import UUID

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import Static

from ezmsg.control.rendering.quantities import counted
from ezmsg.tui.model.intents import DropSession, command_for
from ezmsg.tui.model.picture import Whose
from ezmsg.tui.model.view import View
from ezmsg.tui.model.wording import NOTHING, ago
from ezmsg.tui.screens.asking import Question
from ezmsg.tui.screens.frame import ViewScreen
from ezmsg.tui.widgets.columns import Column, Row
from ezmsg.tui.widgets.listing import Listing

COLUMNS = (
    Column("SESSION", 8),
    Column("CLIENT", 14, rank=1),
    Column("SINCE", 7, rank=2, align="right"),
    Column("EDGES", 5, rank=3, align="right"),
    Column("UNITS", 5, rank=3, align="right"),
    Column("ROOT", 10, grow=True),
)
_SOME = 12


class Sessions(ViewScreen):
    """Whose the graph is."""

    NAME = "sessions"
    HELP = (
        "**Sessions**: each is the lifetime of some edges and descriptions; they go when it ends, by itself or "
        "because its program is gone. *d* ends one for its program, after it was shown what would vanish; the "
        "program goes on without it."
    )
    DEFAULT_CSS = """
    Sessions #held { height: auto; max-height: 60%; padding: 0 1; border-top: solid $primary; color: $text-muted; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [Binding("d", "drop", "Drop", id="sessions.drop")]

    def compose_body(self) -> ComposeResult:
        """The sessions, and what the one under the cursor holds."""
        yield Listing(COLUMNS, id="sessions", empty="no program has a session")
        yield Static(id="held", markup=False)

    def show_body(self, view: View) -> None:
        """Show a row for each session."""
        rows = [row for row in session_rows(view) if self.fits(f"{row.key} {' '.join(row.cells)}")]
        self.query_one("#sessions", Listing).show(rows)
        self._show_held()

    def choose(self, key: str) -> None:
        """Put the cursor on a session."""
        self.query_one("#sessions", Listing).put_cursor(key)

    def on_listing_moved(self) -> None:
        """Show what another session holds."""
        self._show_held()

    def _show_held(self) -> None:
        session = self._here()
        self.query_one("#held", Static).update("" if session is None else "\n".join(would_vanish(session)))

    def _here(self) -> Whose | None:
        key = self.query_one("#sessions", Listing).cursor_key
        return next((each for each in self.view.picture.sessions if each.id == key), None)

    @work(group="dropping", exclusive=True)
    async def action_drop(self) -> None:
        """Show what would vanish, and end the session under the cursor if that is meant."""
        session = self._here()
        if session is None:
            return
        said = "\n".join(["This would vanish:", "", *would_vanish(session)])
        question = Question(f"Drop session {session.id[:8]} of {session.client or 'somebody'}?", said, "Drop it")
        if not await self.app.push_screen_wait(question):
            return
        outcome = await self.application.perform(DropSession(UUID(session.id)))
        self.notify(outcome.text, severity="information" if outcome.ok else "error", markup=False)

    def command_here(self) -> str:
        """Return the command that drops the session under the cursor."""
        session = self._here()
        return "ezmsg session" if session is None else command_for(DropSession(UUID(session.id))) or ""


def session_rows(view: View) -> list[Row]:
    """Return a row for each session, the oldest first."""
    ordered = sorted(view.picture.sessions, key=lambda each: (each.opened or 0.0, each.id))
    rows = []
    for each in ordered:
        age_s = None if each.opened is None else view.wall - each.opened
        cells = (
            each.id[:8],
            each.client or NOTHING,
            NOTHING if age_s is None else ago(age_s),
            str(len(each.edges)),
            str(len(each.components)),
            each.root or NOTHING,
        )
        order = (each.id, each.client or "", age_s, len(each.edges), len(each.components), each.root or "")
        rows.append(Row(each.id, cells, "", order))
    return rows


def would_vanish(session: Whose) -> list[str]:
    """Return what a session holds, in lines."""
    shared = len(session.edges) - session.sole_edges
    also = f", {shared} of them owned by others too, and so to stay" if shared else ""
    lines = [f"{counted(len(session.edges), 'edge')}{also}; {counted(len(session.components), 'component')}"]
    lines += [f"   {edge.from_topic} -> {edge.to_topic}" for edge in session.edges[:_SOME]]
    lines += [f"   and {len(session.edges) - _SOME} more edges"] if len(session.edges) > _SOME else []
    lines += [f"   {address}" for address in session.components[:_SOME]]
    rest = len(session.components) - _SOME
    return [*lines, f"   and {rest} more components"] if rest > 0 else lines
