"""The application: it holds the view, takes facts, and shows the view on the screen that is there, now and then."""

import sys
from collections.abc import Iterable
from functools import partial
from importlib import import_module
from typing import Any, ClassVar

from rich.text import Text
from textual.app import App, SystemCommand
from textual.binding import Binding, BindingType
from textual.dom import DOMNode
from textual.screen import Screen
from textual.widgets import Input

from ezmsg.tui.keys import Keys, read_keys, unknown
from ezmsg.tui.model.facts import Fact, Ticked
from ezmsg.tui.model.intents import Intent, Outcome, StopTrace
from ezmsg.tui.model.reducing import reduce
from ezmsg.tui.model.view import Place, View
from ezmsg.tui.operating.acting import Operator
from ezmsg.tui.operating.feed import Feed
from ezmsg.tui.screens.frame import ViewScreen
from ezmsg.tui.screens.overview import Overview
from ezmsg.tui.widgets.status import SCREENS

SHOW_EVERY_S = 0.25
"""The view is shown at most so often, however many facts come."""

# The first picture is the overview's. Each other screen is imported when somebody first goes there.


def _topology() -> ViewScreen:
    from ezmsg.tui.screens.topology import Topology

    return Topology()


def _settings() -> ViewScreen:
    from ezmsg.tui.screens.settings import Settings

    return Settings()


def _profiling() -> ViewScreen:
    from ezmsg.tui.screens.profiling import Profiling

    return Profiling()


def _processes() -> ViewScreen:
    from ezmsg.tui.screens.processes import Processes

    return Processes()


def _sessions() -> ViewScreen:
    from ezmsg.tui.screens.sessions import Sessions

    return Sessions()


def _events() -> ViewScreen:
    from ezmsg.tui.screens.events import Events

    return Events()


class TopApp(App[None]):
    """Looks into a running graph, and changes it.

    :param address: the graph server, ``HOST:PORT``; ``None`` looks for it.
    :param recorded: show this view, and connect to nothing.
    """

    TITLE = "ezmsg top"
    MODES: ClassVar[dict[str, Any]] = {
        "overview": Overview,
        "topology": _topology,
        "settings": _settings,
        "profiling": _profiling,
        "processes": _processes,
        "sessions": _sessions,
        "events": _events,
    }
    DEFAULT_MODE = "overview"
    ENABLE_COMMAND_PALETTE = True
    CSS = """
    ViewScreen { background: $surface; }
    Footer { background: $panel; }
    Toast { width: 70; max-width: 90%; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        *(
            Binding(str(number), f"app.go('{name}')", title, show=False, id=f"go.{name}")
            for number, (name, title) in enumerate(SCREENS, 1)
        ),
        Binding("space", "freeze", "Freeze", id="app.freeze"),
        Binding("y", "copy", "Copy as command", show=False, id="app.copy"),
        Binding("ctrl+t", "next_theme", "Theme", show=False, id="app.theme"),
        Binding("question_mark,f1", "help", "Help", id="app.help", key_display="?"),
        Binding("q", "quit", "Quit", id="app.quit"),
    ]

    def __init__(
        self, address: str | None = None, *, recorded: View | None = None, keys: Keys | None = None
    ) -> None:
        super().__init__()
        self.is_frozen = False
        self._view = recorded or View()
        self.shown = self._view
        self._is_news = False
        self._feed = None if recorded is not None else Feed(self.tell, address)
        self._operator = None if self._feed is None else Operator(self._feed, self.tell)
        self._keys = read_keys() if keys is None else keys

    def on_mount(self) -> None:
        """Begin to listen, and show what comes."""
        self.set_keymap(self._keys.bindings)
        self._complain(self._keys.complaints)
        self.call_after_refresh(self._check_names)
        if self._keys.theme is not None and self._keys.theme in self.available_themes:
            self.theme = self._keys.theme
        if self._feed is not None:
            self.set_interval(SHOW_EVERY_S, self._show_news)
            self.run_worker(self._feed.run(), name="feed", group="feed")

    def _check_names(self) -> None:
        """Complain of names in the user's file that are none; only for who has one, all screens are imported."""
        if self._keys.bindings or self._keys.theme is not None:
            self._complain(unknown(self._keys, actions(), self.available_themes))

    def _complain(self, complaints: Iterable[str]) -> None:
        for complaint in complaints:
            self.notify(complaint, title="keys", severity="warning", markup=False, timeout=10)

    # --- facts ---------------------------------------------------------------------------------------------

    def tell(self, fact: Fact) -> None:
        """Take a fact."""
        self._view = reduce(self._view, fact)
        self._is_news = self._is_news or not isinstance(fact, Ticked) or not self._view.is_live or self._counts_down

    @property
    def _counts_down(self) -> bool:
        return self._view.tracing.is_on or bool(self._view.departed)

    def _show_news(self) -> None:
        if self._is_news and not self.is_frozen:
            self._show()

    def _show(self) -> None:
        self._is_news = False
        self.shown = self._view
        screen = self._place
        if screen is not None:
            screen.show(self.shown)

    @property
    def _place(self) -> ViewScreen | None:
        """The screen at the bottom of what is shown: windows may lie over it."""
        return next((each for each in self.screen_stack if isinstance(each, ViewScreen)), None)

    # --- what screens ask ----------------------------------------------------------------------------------

    async def perform(self, intent: Intent) -> Outcome:
        """Have something done, and say what came of it."""
        if self._operator is None:
            return Outcome(False, "This is a recording: nothing can be done in it.")
        outcome = await self._operator.perform(intent, self._view)
        self._show_news()
        return outcome

    def go_to(self, place: Place) -> None:
        """Show a place: a screen, and what is chosen there."""
        self.action_go(place.screen)
        screen = self._place
        if place.key and screen is not None and place.screen == screen.NAME:
            screen.want(place.key)

    # --- actions -------------------------------------------------------------------------------------------

    def action_go(self, name: str) -> None:
        """Show a screen."""
        if len(self.screen_stack) == 1 and name in self.MODES:
            self.switch_mode(name)

    def action_freeze(self) -> None:
        """Freeze what is shown, or let it go on; the graph goes on anyway."""
        if isinstance(self.focused, Input):
            return
        self.is_frozen = not self.is_frozen
        if self.is_frozen and self._place is not None:
            self._place.show(self.shown)
        else:
            self._show()

    def action_copy(self) -> None:
        """Copy the command line that does, or shows, what is shown here."""
        if self._place is not None:
            command = self._place.command_here()
            self.copy_to_clipboard(command)
            self.notify(command, title="copied", markup=False)

    def action_next_theme(self) -> None:
        """Take the next theme."""
        names = sorted(self.available_themes)
        self.theme = names[(names.index(self.theme) + 1) % len(names)]
        self.notify(self.theme, title="theme", timeout=2)

    async def action_quit(self) -> None:
        """End a trace that is on, and go."""
        if self._operator is not None and self._view.tracing.is_on:
            await self._operator.perform(StopTrace(), self._view)
        self.exit()

    def _fatal_error(self) -> None:
        """End after a mistake of our own: with a sentence, and the traceback in a file.

        Textual prints all variables of all frames instead, which nobody at a terminal can read.
        """
        import tempfile
        import traceback

        self.bell()
        error = sys.exc_info()[1]
        with tempfile.NamedTemporaryFile(
            "w", prefix="ezmsg-top-", suffix=".txt", delete=False, encoding="utf-8"
        ) as file:
            file.write(traceback.format_exc())
        said = (
            f"ezmsg: top ends, because it met a mistake of its own: {type(error).__name__}: {error}. "
            f"The graph goes on. What top was doing is told in {file.name}; begin again with: ezmsg top"
        )
        self._exit_renderables.append(Text(said))
        self._close_messages_no_wait()

    def action_help(self) -> None:
        """Say what this screen is and which keys it has, or close that again."""
        if self.screen.query("HelpPanel"):
            self.action_hide_help_panel()
        else:
            self.action_show_help_panel()

    def get_system_commands(self, screen: Screen[Any]) -> Iterable[SystemCommand]:
        """Yield what the palette offers beside what Textual has."""
        yield from super().get_system_commands(screen)
        for name, title in SCREENS:
            if name in self.MODES:
                go = partial(self.action_go, name)
                yield SystemCommand(f"Go to {title}", f"Show the screen {title}", go)
        yield SystemCommand("Freeze", "Freeze what is shown, not the graph", self.action_freeze)
        yield SystemCommand("Copy as command", "Copy the command line for what is shown", self.action_copy)


def actions() -> list[str]:
    """Return the names of all actions, by which keys are bound anew: those of every screen, and what is on it."""
    for name in TopApp.MODES:
        import_module(f"ezmsg.tui.screens.{name}")
    bindings = [each for kind in _kinds(DOMNode) for each in vars(kind).get("BINDINGS", ())]
    return [each.id for each in bindings if isinstance(each, Binding) and each.id is not None]


def _kinds(kind: type[DOMNode]) -> Iterable[type[DOMNode]]:
    yield kind
    for each in kind.__subclasses__():
        yield from _kinds(each)
