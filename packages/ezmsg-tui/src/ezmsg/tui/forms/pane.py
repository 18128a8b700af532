"""The form of one component: sections of rows, a part of them at a time where there are very many."""

from typing import Any, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Collapsible, Static

from ezmsg.protocol.surroundings.visible import visible
from ezmsg.tui.forms.fields import Field, Form
from ezmsg.tui.forms.rows import FieldRow
from ezmsg.tui.forms.staging import Staged, complain, stage, unstage
from ezmsg.tui.model.filtering import Fits, fitting

PART = 40
"""So many fields are shown at a time."""


class FormPane(Vertical):
    """Shows a form, and keeps what is staged in it."""

    DEFAULT_CSS = """
    FormPane { height: 1fr; width: 1fr; }
    FormPane #form-head { height: auto; padding: 0 1; color: $text-muted; }
    FormPane #form-fields { height: 1fr; }
    FormPane Collapsible { border: none; padding: 0; height: auto; background: transparent; }
    FormPane CollapsibleTitle { padding: 0 1; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+pagedown", "part(1)", "Next fields", show=False, id="form.next"),
        Binding("ctrl+pageup", "part(-1)", "Fields before", show=False, id="form.before"),
    ]

    class Changed(Message):
        """Something else is staged."""

    def __init__(self) -> None:
        super().__init__()
        self.form: Form | None = None
        self.staged = Staged()
        self._rows: dict[str, FieldRow] = {}
        self._kept: dict[str, Staged] = {}
        self._first = 0
        self._fits: Fits = fitting("")
        self._built: tuple[Any, ...] = ()

    def compose(self) -> ComposeResult:
        """A line about the component, and its fields."""
        yield Static(id="form-head", markup=False)
        yield VerticalScroll(id="form-fields", can_focus=False)

    @property
    def fields(self) -> dict[str, Field]:
        """The fields of the form by their paths."""
        return {} if self.form is None else {each.path: each for each in self.form.fields}

    def show(self, form: Form | None, fits: Fits | None = None) -> None:
        """Show a form; what was staged for its component before is staged again."""
        before = self.form
        if before is not None and (form is None or form.address != before.address):
            self._kept[before.address] = self.staged
            self._first = 0
            self.staged = self._kept.pop(form.address, Staged()) if form is not None else Staged()
        self.form = form
        if fits is not None:
            self._fits = fits
        shown = self._shown_fields()
        built = (None if form is None else form.shape, tuple(each.path for each in shown))
        if built != self._built:
            self._built = built
            self._build(shown)
        self._refresh_rows()

    def staged_of(self, address: str) -> Staged:
        """Return what is staged for a component."""
        if self.form is not None and self.form.address == address:
            return self.staged
        return self._kept.get(address, Staged())

    def _shown_fields(self) -> list[Field]:
        if self.form is None:
            return []
        fitting_ones = [each for each in self.form.fields if self._fits(each.path)] or list(self.form.fields)
        self._first = max(0, min(self._first, (len(fitting_ones) - 1) // PART * PART))
        self._count = len(fitting_ones)
        return fitting_ones[self._first : self._first + PART]

    def _build(self, shown: list[Field]) -> None:
        place = self.query_one("#form-fields")
        place.remove_children()
        self._rows = {each.path: FieldRow(each) for each in shown}
        sections: dict[str, list[FieldRow]] = {}
        for each in shown:
            sections.setdefault(each.section, []).append(self._rows[each.path])
        widgets: list[Widget] = list(sections.pop("", []))
        widgets += [Collapsible(*rows, title=visible(path), collapsed=False) for path, rows in sections.items()]
        if widgets:
            place.mount_all(widgets)

    def _refresh_rows(self) -> None:
        form = self.form
        if form is None:
            self.query_one("#form-head", Static).update("no component with settings is chosen")
            return
        parts = [form.address, form.type_name or "-", f"revision {form.revision}"]
        if self._count > PART:
            last = min(self._count, self._first + PART)
            parts.append(f"fields {self._first + 1} to {last} of {self._count}: ctrl+page down, or / to filter")
        head = visible("   ".join(parts)) + (f"\n{form.reason}" if form.reason else "")
        self.query_one("#form-head", Static).update(Content(head))
        for path, row in self._rows.items():
            each = self.fields[path]
            is_staged = path in self.staged.values
            value = self.staged.values[path] if is_staged else each.value
            row.show(each, value, is_staged=is_staged, complaint=self.staged.complaints.get(path, ""))

    # --- staging -------------------------------------------------------------------------------------------

    @on(FieldRow.Staged)
    def _field_staged(self, event: FieldRow.Staged) -> None:
        event.stop()
        each = self.fields.get(event.path)
        if each is not None:
            self.set_staged(stage(self.staged, each, event.value))

    @on(FieldRow.Mistyped)
    def _field_mistyped(self, event: FieldRow.Mistyped) -> None:
        event.stop()
        self.set_staged(complain(unstage(self.staged, event.path), event.path, event.complaint))

    def set_staged(self, staged: Staged) -> None:
        """Stage something else."""
        self.staged = staged
        self._refresh_rows()
        self.post_message(self.Changed())

    def refuse(self, path: str, text: str) -> None:
        """Show at its field that a value was refused; at the first that was staged, if no field is named."""
        known = path if path in self.fields else next((each for each in self.staged.values if each in path), None)
        place = known or next(iter(self.staged.values), None) or next(iter(self.fields), "")
        self.set_staged(complain(self.staged, place, text))
        row = self._rows.get(place)
        if row is not None:
            row.scroll_visible()

    def action_part(self, step: int) -> None:
        """Show the next fields, or those before."""
        self._first = max(0, self._first + step * PART)
        self.show(self.form)

    def focus_first(self) -> None:
        """Let keys go to the first editor, as soon as it is there."""
        if self._rows and not all(row.is_mounted and row.children for row in self._rows.values()):
            self.call_after_refresh(self.focus_first)
            return
        for row in self._rows.values():
            for widget in row.query(Widget):
                if widget.focusable:
                    widget.focus()
                    return
