"""A row of a form: a field's name, what it is edited with, what it allows, what is wrong with what was typed."""

from collections.abc import Iterator
from typing import Any

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.css.query import NoMatches
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Checkbox, Input, RadioButton, RadioSet, Select, SelectionList, Static, Switch, TextArea
from textual.widgets.selection_list import Selection

from ezmsg.protocol.surroundings.visible import visible
from ezmsg.tui.forms.fields import Editor, Field, shown
from ezmsg.tui.forms.slider import Slider
from ezmsg.tui.forms.staging import NotThis, scale, typed

_SELF_EXPLAINING = (Editor.SWITCH, Editor.RADIO, Editor.SELECT, Editor.SEVERAL)
_TYPED = (Editor.SLIDER, Editor.NUMBER, Editor.WHOLE, Editor.TEXT)


class FieldRow(Vertical):
    """One field. What its editor comes to is told as :class:`Staged`, or as :class:`Mistyped`."""

    DEFAULT_CSS = """
    FieldRow { height: auto; padding: 0 1; }
    FieldRow .line { height: auto; }
    FieldRow .name { width: 20; max-width: 30%; height: 1; text-overflow: ellipsis; text-wrap: nowrap; }
    FieldRow .allows { width: auto; max-width: 40%; height: 1; color: $text-muted; margin-left: 1;
        text-wrap: nowrap; text-overflow: ellipsis; }
    FieldRow .complaint { height: auto; color: $text-error; margin-left: 2; display: none; }
    FieldRow .description { height: auto; color: $text-muted; margin-left: 2; display: none; }
    FieldRow.-refused .complaint { display: block; }
    FieldRow.-here .description { display: block; }
    FieldRow.-staged .name { color: $text-warning; text-style: bold; }
    FieldRow.-here .name { text-style: bold underline; }
    FieldRow Input { width: 1fr; }
    FieldRow Slider { margin-right: 1; }
    FieldRow.-slider Input { width: 14; }
    FieldRow Switch { border: none; height: 1; padding: 0; width: 6; }
    FieldRow RadioSet { layout: horizontal; border: none; height: auto; width: 1fr; padding: 0; }
    FieldRow RadioSet:focus { border: none; }
    FieldRow RadioButton { width: auto; margin-right: 1; }
    FieldRow SelectionList { height: auto; max-height: 8; border: none; width: 1fr; }
    FieldRow TextArea { height: auto; min-height: 1; max-height: 8; width: 1fr; border: none; }
    FieldRow Checkbox { border: none; height: 1; padding: 0; }
    FieldRow .fixed { width: 1fr; height: auto; color: $text-muted; }
    """

    class Staged(Message):
        """A field is to have a value."""

        def __init__(self, path: str, value: Any) -> None:
            self.path = path
            self.value = value
            super().__init__()

    class Mistyped(Message):
        """What was typed is nothing that the field allows."""

        def __init__(self, path: str, complaint: str) -> None:
            self.path = path
            self.complaint = complaint
            super().__init__()

    def __init__(self, each: Field) -> None:
        super().__init__(classes=f"-{each.editor.value}")
        self.field = each
        self._shown: Any = each.value

    def compose(self) -> ComposeResult:
        """The name, the editor and what is allowed; then lines for a complaint and the description."""
        each = self.field
        with Horizontal(classes="line"):
            name = each.name or "settings"
            yield Static(Content(visible(name)), classes="name")
            yield from self._editors()
            allows = each.unit if each.editor in _SELF_EXPLAINING else f"{each.unit} {each.allows}".strip()
            yield Static(Content(visible(allows)), classes="allows")
        yield Static(classes="complaint", markup=False)
        described = each.reason or each.description
        if described:
            yield Static(Content(visible(described)), classes="description")

    def _editors(self) -> Iterator[Widget]:
        each, value = self.field, self.field.value
        match each.editor:
            case Editor.FIXED:
                yield Static(
                    Content(visible(shown(value) if not isinstance(value, dict) else str(value))), classes="fixed"
                )
            case Editor.SWITCH:
                yield Switch(bool(value), animate=False)
            case Editor.SLIDER:
                yield Slider(scale(each), value if isinstance(value, int | float) else 0.0)
                yield Input(shown(value), compact=True)
            case Editor.NUMBER | Editor.WHOLE | Editor.TEXT:
                yield Input(shown(value), compact=True, placeholder="unset" if each.optional else "")
            case Editor.RADIO:
                buttons = [RadioButton(visible(shown(one)), one == value) for one in each.choices]
                yield RadioSet(*buttons, compact=True)
            case Editor.SELECT:
                options = [(visible(shown(one)), place) for place, one in enumerate(each.choices)]
                known = each.choices.index(value) if value in each.choices else Select.NULL
                yield Select(options, value=known, allow_blank=True, compact=True)
            case Editor.SEVERAL:
                chosen = value if isinstance(value, list) else []
                named = [(visible(shown(one)), place, one in chosen) for place, one in enumerate(each.choices)]
                yield SelectionList[int](*(Selection(*one) for one in named), compact=True)
            case Editor.DATA:
                yield TextArea(shown(value), compact=True)
        if each.optional and each.editor not in (Editor.FIXED, *_TYPED):
            yield Checkbox("set", value is not None, compact=True)

    def on_descendant_focus(self) -> None:
        """Say more of the field that somebody is at."""
        self.add_class("-here")

    def on_descendant_blur(self) -> None:
        """Say no more of it."""
        self.remove_class("-here")

    # --- what is shown -------------------------------------------------------------------------------------

    def show(self, each: Field, value: Any, *, is_staged: bool, complaint: str) -> None:
        """Show the field as it is, or as it is staged; what somebody is typing here stays."""
        self.field = each
        self.set_class(is_staged, "-staged")
        self.set_class(bool(complaint), "-refused")
        try:
            self.query_one(".complaint", Static).update(Content(visible(complaint)))
        except NoMatches:  # it is not composed yet
            return
        if value == self._shown and type(value) is type(self._shown):
            return
        self._shown = value
        if not is_staged and self.has_focus_within and self.field.editor in (*_TYPED, Editor.DATA):
            focused = self.screen.focused
            if isinstance(focused, Input | TextArea) and focused in self.query(Widget):
                return
        self._put(value)

    def _put(self, value: Any) -> None:
        """Have the editors show a value that they did not make."""
        each = self.field
        with self.prevent(
            Input.Changed,
            Switch.Changed,
            RadioSet.Changed,
            Select.Changed,
            TextArea.Changed,
            SelectionList.SelectedChanged,
            Checkbox.Changed,
        ):
            for line in self.query(Input):
                if line is not self.screen.focused:
                    line.value = shown(value)
            for slider in self.query(Slider):
                slider.show(value if isinstance(value, int | float) else 0.0)
            for switch in self.query(Switch):
                switch.value = bool(value)
            for button, one in zip(self.query(RadioButton), each.choices, strict=False):
                button.value = one == value
            for select in self.query(Select):
                select.value = each.choices.index(value) if value in each.choices else Select.NULL
            for area in self.query(TextArea):
                area.text = shown(value)
            for checkbox in self.query(Checkbox):
                checkbox.value = value is not None

    # --- what is typed and clicked -------------------------------------------------------------------------

    def _tell(self, value: Any) -> None:
        self._shown = value
        self.post_message(self.Staged(self.field.path, value))

    def _tell_typed(self, text: str) -> None:
        try:
            value = typed(self.field, text)
        except NotThis as error:
            self.post_message(self.Mistyped(self.field.path, f"{self.field.name}: {error}."))
            return
        for slider in self.query(Slider):
            slider.show(value if isinstance(value, int | float) else 0.0)
        self._tell(value)

    @on(Input.Changed)
    def _input_changed(self, event: Input.Changed) -> None:
        event.stop()
        if event.input.has_focus:
            self._tell_typed(event.value)

    @on(TextArea.Changed)
    def _area_changed(self, event: TextArea.Changed) -> None:
        event.stop()
        if event.text_area.has_focus:
            self._tell_typed(event.text_area.text)

    @on(Slider.Moved)
    def _slider_moved(self, event: Slider.Moved) -> None:
        event.stop()
        with self.prevent(Input.Changed):
            self.query_one(Input).value = shown(event.value)
        self._tell(event.value)

    @on(Switch.Changed)
    def _switched(self, event: Switch.Changed) -> None:
        event.stop()
        self._tell(event.value)

    @on(RadioSet.Changed)
    def _radio_changed(self, event: RadioSet.Changed) -> None:
        event.stop()
        self._tell(self.field.choices[event.index])

    @on(Select.Changed)
    def _selected(self, event: Select.Changed) -> None:
        event.stop()
        if isinstance(event.value, int):
            self._tell(self.field.choices[event.value])
        elif self.field.optional:
            self._tell(None)

    @on(SelectionList.SelectedChanged)
    def _several_changed(self, event: SelectionList.SelectedChanged[int]) -> None:
        event.stop()
        self._tell([self.field.choices[place] for place in sorted(event.selection_list.selected)])

    @on(Checkbox.Changed)
    def _optional_changed(self, event: Checkbox.Changed) -> None:
        event.stop()
        if not event.value:
            self._tell(None)
            return
        for switch in self.query(Switch):
            self._tell(switch.value)
        for area in self.query(TextArea):
            self._tell_typed(area.text)
