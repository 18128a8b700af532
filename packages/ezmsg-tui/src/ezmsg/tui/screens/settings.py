"""Settings: the units, and a form for the one under the cursor; staged, previewed, applied, undone."""

import time
from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.timer import Timer
from textual.widgets import Static

from ezmsg.control.errors import NothingToUndo
from ezmsg.control.graph.history import Change, undoing
from ezmsg.control.rendering.settings import text_of, type_of
from ezmsg.protocol.surroundings.visible import visible
from ezmsg.tui.forms.fields import Form, form
from ezmsg.tui.forms.pane import FormPane
from ezmsg.tui.forms.staging import Staged, difference
from ezmsg.tui.model.intents import ChangeSettings, Outcome, command_for
from ezmsg.tui.model.view import View
from ezmsg.tui.model.wording import NOTHING
from ezmsg.tui.screens.asking import Question
from ezmsg.tui.screens.frame import ViewScreen
from ezmsg.tui.widgets.columns import Column, Row
from ezmsg.tui.widgets.listing import Listing

UNITS = (
    Column("", 1),
    Column("UNIT", 10, grow=True, crop="left"),
    Column("SETTINGS", 10, rank=2),
    Column("REV", 4, rank=1, align="right"),
)
CHANGES = (
    Column("TIME", 8, rank=2),
    Column("REV", 4, align="right"),
    Column("BY", 12, rank=1),
    Column("CHANGED", 16, grow=True),
)
NARROW = 80
LIVE_AFTER_S = 0.1
"""In live mode, changes that follow one another within this time are applied together."""


class Settings(ViewScreen):
    """What the units are set to."""

    NAME = "settings"
    HELP = (
        "**Settings**: a form for the unit under the cursor, made from what its settings type says. What you "
        "change is staged first: *ctrl+s* shows the difference and applies it, all or nothing; *ctrl+r* forgets "
        "it. What the unit's process refuses is said at the field, and nothing is changed. *ctrl+l* applies at "
        "once whatever you change, while it is on.\n\n*ctrl+z* takes the last change back, *ctrl+o* shows the "
        "history with who changed what; *enter* on a line there takes that change back. Sliders: arrows go a step, "
        "with shift ten; everything can also be typed. *escape* goes back to the units."
    )
    DEFAULT_CSS = """
    Settings #units { width: 34%; min-width: 26; border-right: solid $panel; }
    Settings #right { width: 1fr; }
    Settings #staged { height: auto; max-height: 4; padding: 0 1; background: $panel; color: $text-warning;
        display: none; }
    Settings #staged.-shown { display: block; }
    Settings #history { height: 40%; display: none; border-top: solid $primary; }
    Settings.-history #history { display: block; }
    Settings.-narrow #units { width: 100%; border: none; }
    Settings.-narrow #right { display: none; }
    Settings.-narrow.-form #right { display: block; width: 100%; }
    Settings.-narrow.-form #units { display: none; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+s", "apply", "Apply", id="settings.apply", priority=True),
        Binding("ctrl+r", "reset", "Reset", id="settings.reset", priority=True),
        Binding("ctrl+z", "undo", "Undo", id="settings.undo", priority=True),
        Binding("ctrl+o", "history", "History", id="settings.history", priority=True),
        Binding("ctrl+l", "live", "Live", id="settings.live", priority=True),
        Binding("escape", "back", "Units", show=False, id="settings.back"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._is_live = False
        self._is_changing = False
        self._applying: Timer | None = None

    def compose_body(self) -> ComposeResult:
        """Units, the form, what is staged, and the history."""
        with Horizontal():
            yield Listing(UNITS, id="units", empty="no component has settings")
            with Vertical(id="right"):
                yield FormPane()
                yield Static(id="staged")
                yield Listing(CHANGES, id="history", empty="nothing has changed it yet")

    def show_body(self, view: View) -> None:
        """Show the units, and the form of the one under the cursor."""
        pane = self.query_one(FormPane)
        addresses = [each for each in sorted(view.settings) if self.fits(each) or self._has_field(view, each)]
        addresses.sort(key=lambda address: not _is_tunable(view, address))  # what can be changed comes first
        rows = [_unit_row(view, address, bool(pane.staged_of(address))) for address in addresses]
        self.query_one("#units", Listing).show(rows)
        self._show_form()

    def _has_field(self, view: View, address: str) -> bool:
        structured = view.settings[address].structured_value
        return structured is not None and any(map(self.fits, structured))

    def choose(self, key: str) -> None:
        """Put the cursor on a unit."""
        self.query_one("#units", Listing).put_cursor(key)
        self._show_form()

    def on_resize(self) -> None:
        """Show units and form side by side where there is room."""
        self.set_class(self.size.width < NARROW, "-narrow")

    @property
    def _address(self) -> str:
        return self.query_one("#units", Listing).cursor_key

    @on(Listing.Moved, "#units")
    def _unit_moved(self) -> None:
        self._show_form()

    @on(Listing.Chosen, "#units")
    def _unit_chosen(self) -> None:
        self.add_class("-form")
        self.query_one(FormPane).focus_first()

    def action_back(self) -> None:
        """Go back to the units; from there, clear the filter."""
        units = self.query_one("#units", Listing)
        if units.has_focus:
            self.action_leave_filter()
        self.remove_class("-form")
        units.focus()

    def _show_form(self) -> None:
        view, address = self.view, self._address
        value = view.settings.get(address)
        shown: Form | None = None
        if value is not None:
            shown = form(address, value, tunable=_is_tunable(view, address))
        pane = self.query_one(FormPane)
        names = None if value is None or value.structured_value is None else value.structured_value
        pane.show(shown, self.fits if names and any(map(self.fits, names)) and not self.fits(address) else None)
        self._show_staged()
        changes = view.histories.get(address, ())
        self.query_one("#history", Listing).show([_change_row(each) for each in reversed(changes)])

    @on(FormPane.Changed)
    def _staged_changed(self) -> None:
        self._show_staged()
        pane = self.query_one(FormPane)
        if self._is_live and pane.staged and not pane.staged.complaints:
            if self._applying is not None:
                self._applying.stop()
            self._applying = self.set_timer(LIVE_AFTER_S, self._apply_now)

    def _show_staged(self) -> None:
        pane = self.query_one(FormPane)
        lines = difference(pane.fields, pane.staged)
        line = self.query_one("#staged", Static)
        said = f"{len(lines)} staged: {'; '.join(lines)}   ctrl+s applies, ctrl+r forgets" if lines else ""
        if self._is_live:
            said = f"LIVE: what you change is applied at once; ctrl+l ends that   {said}".rstrip()
        line.set_class(bool(said), "-shown")
        line.update(Content(visible(said)))

    # --- applying ------------------------------------------------------------------------------------------

    @work(group="applying", exclusive=True)
    async def action_apply(self) -> None:
        """Show the difference, and apply it if that is meant."""
        pane = self.query_one(FormPane)
        if pane.form is None or not pane.staged:
            self.notify("Nothing is staged: change a field first.", timeout=3)
            return
        if pane.staged.complaints:
            self.notify("A field has something that it does not take: see what is said there.", severity="warning")
        address, staged = pane.form.address, pane.staged
        said = "\n".join(difference(pane.fields, staged))
        if await self.app.push_screen_wait(Question(f"Apply to {address}?", said, "Apply")):
            await self._change(address, staged, pane.form.revision)

    @work(group="applying live")
    async def _apply_now(self) -> None:
        """Apply what is staged, and then what was staged meanwhile; nothing that is under way is sent again."""
        pane = self.query_one(FormPane)
        if self._is_changing or pane.form is None:
            return
        address = pane.form.address
        self._is_changing = True
        try:
            while pane.form.address == address and pane.staged and not pane.staged.complaints:
                await self._change(address, pane.staged, None)
        finally:
            self._is_changing = False

    async def _change(self, address: str, staged: Staged, expect: int | None) -> None:
        outcome = await self.application.perform(ChangeSettings(address, dict(staged.values), expect))
        pane = self.query_one(FormPane)
        if pane.form is None or pane.form.address != address:
            self.notify(outcome.text, severity="information" if outcome.ok else "error", markup=False)
        elif outcome.ok:
            left = {path: value for path, value in pane.staged.values.items() if staged.values.get(path) != value}
            pane.set_staged(Staged(left))
            if not self._is_live:
                self.notify(outcome.text, markup=False)
        else:
            pane.refuse(outcome.path or "", outcome.text)
            self.notify(outcome.text, severity="error", markup=False)

    def action_reset(self) -> None:
        """Forget what is staged for this unit."""
        pane = self.query_one(FormPane)
        pane.set_staged(Staged())

    def action_live(self) -> None:
        """Apply whatever is changed at once, or no more."""
        self._is_live = not self._is_live
        self._show_staged()

    def action_history(self) -> None:
        """Show the history, or close it."""
        self.toggle_class("-history")
        if self.has_class("-history"):
            self.add_class("-form")
            self.query_one("#history").focus()
        else:
            self.query_one("#units").focus()

    def action_undo(self) -> None:
        """Take the last change of this unit back."""
        self._undo(None)

    @on(Listing.Chosen, "#history")
    def _undo_chosen(self, event: Listing.Chosen) -> None:
        self._undo(int(event.key.partition(" ")[0]))

    @work(group="applying", exclusive=True)
    async def _undo(self, revision: int | None) -> None:
        address = self._address
        changes = self.view.histories.get(address, ())
        try:
            change, values = undoing(changes, revision)
        except NothingToUndo as error:
            self.notify(error.sentence().replace("of ?", f"of {address}"), severity="warning", markup=False)
            return
        value = self.view.settings.get(address)
        shown = [f"{each.path}   {text_of(each.after)} -> {text_of(each.before)}" for each in change.fields]
        by = f" by {change.by}" if change.by else ""
        question = Question(f"Take back revision {change.revision}{by}?", "\n".join(shown), "Take it back")
        if not await self.app.push_screen_wait(question):
            return
        outcome: Outcome = await self.application.perform(
            ChangeSettings(address, values, None if value is None else value.revision)
        )
        self.notify(outcome.text, severity="information" if outcome.ok else "error", markup=False)

    def command_here(self) -> str:
        """Return the command that would apply what is staged, or shows the settings of this unit."""
        pane = self.query_one(FormPane)
        if pane.form is None:
            return "ezmsg settings"
        if pane.staged:
            intent = ChangeSettings(pane.form.address, dict(pane.staged.values), pane.form.revision)
            return command_for(intent) or ""
        return f"ezmsg settings get {pane.form.address}"


def _is_tunable(view: View, address: str) -> bool:
    """Whether a component takes settings while it runs, as far as that is known."""
    unit = view.picture.units.get(address)
    described = view.settings[address].structured_value is not None
    return described and (unit is None or not unit.is_described or unit.tunable)


def _unit_row(view: View, address: str, is_staged: bool) -> Row:
    value = view.settings[address]
    fixed = not _is_tunable(view, address)
    cells = ("*" if is_staged else " ", address, type_of(value), str(value.revision))
    return Row(
        address,
        cells,
        "warn" if is_staged else "dim" if fixed or value.structured_value is None else "",
        ("", address, type_of(value), value.revision),
    )


def _change_row(change: Change) -> Row:
    what = ", ".join(f"{each.path} {text_of(each.before)} -> {text_of(each.after)}" for each in change.fields)
    cells = (
        time.strftime("%H:%M:%S", time.localtime(change.at)),
        str(change.revision),
        change.by or NOTHING,
        what or change.kind.value.lower().replace("_", " "),
    )
    return Row(f"{change.revision} {change.seq}", cells)
