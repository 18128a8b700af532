"""What all screens have in common: the lines at the top, the filter, and how a view comes to what shows it."""

from collections.abc import Awaitable
from typing import ClassVar, Protocol, cast

from rich.cells import cell_len
from textual import on
from textual.actions import SkipAction
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import Footer, Input, TextArea

from ezmsg.tui.model import wording
from ezmsg.tui.model.filtering import Fits, fitting
from ezmsg.tui.model.intents import Intent, Outcome
from ezmsg.tui.model.news import news
from ezmsg.tui.model.view import Place, View
from ezmsg.tui.widgets.status import Banner, Navigation, StatusBar, Waiting


class Application(Protocol):
    """What screens ask of the application."""

    shown: View
    is_frozen: bool

    def perform(self, intent: Intent) -> Awaitable[Outcome]:
        """Have something done, and say what came of it."""

    def go_to(self, place: Place) -> None:
        """Show a place."""


class ViewScreen(Screen[None]):
    """A screen; a subclass says what is in it, and shows a view there."""

    NAME: ClassVar[str]

    DEFAULT_CSS = """
    ViewScreen { layers: base; }
    ViewScreen #body { height: 1fr; }
    ViewScreen.-stale #body { opacity: 55%; }
    ViewScreen.-empty #body { display: none; }
    ViewScreen #filter { height: 1; border: none; padding: 0 1; background: $panel; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        # First, so that it is open before the next letter is handed to whoever has the focus.
        Binding("slash", "filter", "Filter", id="screen.filter", key_display="/", priority=True),
        Binding("escape", "leave_filter", "Close", show=False, id="screen.close"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self.fits: Fits = fitting("")
        self._is_ready = False
        self._wanted = ""
        # Textual reads all style sheets again, twice, for a screen whose count is another; this one's are fresh.
        self._css_update_count = getattr(self.app, "_css_update_count", 0)

    @property
    def application(self) -> Application:
        """The application, as screens know it."""
        return cast("Application", self.app)

    @property
    def view(self) -> View:
        """What is shown now."""
        return self.application.shown

    def compose(self) -> ComposeResult:
        """Put the common lines round what the screen has."""
        yield StatusBar()
        yield Navigation(self.NAME)
        yield Banner()
        with Vertical(id="body"):
            yield from self.compose_body()
        yield Waiting()
        line = Input(placeholder="filter: words, * and !not; enter keeps it, escape clears it", id="filter")
        line.display = False
        yield line
        yield Footer(compact=True)

    def compose_body(self) -> ComposeResult:
        """Yield what the screen has of its own."""
        raise NotImplementedError

    def show_body(self, view: View) -> None:
        """Show a view in it."""
        raise NotImplementedError

    def choose(self, key: str) -> None:
        """Put the cursor on what a key names."""

    def command_here(self) -> str:
        """Return the command line that shows what this screen shows."""
        raise NotImplementedError

    def show(self, view: View) -> None:
        """Show a view, as far as anything of it is to be seen."""
        warnings = sum(1 for each in news(view) if each.is_bad)
        parts = wording.status(view, warnings)
        if self.application.is_frozen:
            parts.append(("frozen: space goes on", "warn"))
        if not self._is_ready:  # it is not composed yet, and is shown when it is
            return
        if not all(self.query(kind) for kind in (StatusBar, Banner, Waiting)):  # it goes, its parts first
            return
        self.query_one(StatusBar).show(parts)
        self.query_one(Banner).show(wording.banner(view))
        waiting = wording.waiting(view)
        self.query_one(Waiting).show(waiting)
        self.set_class(bool(waiting), "-empty")
        self.set_class(not view.is_live, "-stale")
        if not waiting:
            self.show_body(view)
            if self.focused is None:  # it has just begun, or what had the keys is hidden
                self._focus_list()

    def on_screen_resume(self) -> None:
        """Catch up with what happened while another screen was shown."""
        self.show(self.view)

    def on_mount(self) -> None:
        """Begin when everything in it is there."""
        self.call_after_refresh(self._begin)

    def _begin(self) -> None:
        self._is_ready = True
        self.show(self.view)
        self.want(self._wanted)

    def want(self, key: str) -> None:
        """Put the cursor on what a key names, now or as soon as the screen is there."""
        self._wanted = key
        if self._is_ready and key:
            self._wanted = ""
            self.show(self.view)
            self.choose(key)

    def main(self) -> Widget | None:
        """Return what keys go to at first: the first list or drawing that is to be seen."""
        return next((each for each in self.query("Listing, GraphCanvas") if each.display), None)

    def _focus_list(self) -> None:
        """Let keys go to where one begins, unless a window lies over it, which has them."""
        if self.is_current:
            self.set_focus(self.main())

    # --- the filter ----------------------------------------------------------------------------------------

    def action_filter(self) -> None:
        """Open the filter; where text is typed, a slash is a letter like others."""
        if isinstance(self.focused, (Input, TextArea)):
            raise SkipAction
        line = self.query_one("#filter", Input)
        line.display = True
        self.set_focus(line)  # at once, so that no letter that follows goes elsewhere

    def action_leave_filter(self) -> None:
        """Clear the filter, and close it."""
        line = self.query_one("#filter", Input)
        line.value = ""
        self._close_filter(line)

    @on(Input.Changed, "#filter")
    def _filter_changed(self, event: Input.Changed) -> None:
        event.stop()
        if cell_len(event.value) < event.input.size.width:
            # It may have been typed into before it was as wide as it is.
            self.call_after_refresh(event.input.scroll_to, x=0, animate=False)
        self.fits = fitting(event.value)
        self.show(self.view)

    @on(Input.Submitted, "#filter")
    def _filter_kept(self, event: Input.Submitted) -> None:
        event.stop()
        self._close_filter(event.input)

    def _close_filter(self, line: Input) -> None:
        if line.has_focus:
            self._focus_list()
        line.display = bool(line.value)
