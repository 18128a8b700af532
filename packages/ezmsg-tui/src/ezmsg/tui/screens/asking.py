"""Small windows over a screen: a question to be answered with yes or no, and a line of text to be typed."""

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.suggester import SuggestFromList
from textual.widgets import Button, Input, Label, OptionList, Static
from textual.widgets.option_list import Option

from ezmsg.protocol.surroundings.visible import visible

_CSS = """
{name} {{ align: center middle; }}
{name} #box {{
    width: 90%; max-width: 100; height: auto; max-height: 90%; padding: 0 1;
    border: round $primary; background: $panel;
}}
{name} #said {{ height: auto; max-height: 20; }}
{name} Horizontal {{ height: auto; align-horizontal: right; }}
{name} Button {{ margin-left: 1; }}
"""


class Question(ModalScreen[bool]):
    """Asks whether something is meant; what is safe has the keys at first."""

    DEFAULT_CSS = _CSS.format(name="Question")
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "answer(True)", "Yes", id="question.yes"),
        Binding("n,escape", "answer(False)", "No", id="question.no"),
    ]

    def __init__(self, title: str, said: str, yes: str) -> None:
        super().__init__()
        self._title, self._said, self._yes = title, said, yes

    def compose(self) -> ComposeResult:
        """The question, what it means, and two answers."""
        with Vertical(id="box"):
            yield Label(self._title, id="title", markup=False)
            with VerticalScroll(id="said"):
                yield Static(self._said, markup=False)
            with Horizontal():
                yield Button("No (n)", id="no", compact=True)
                yield Button(f"{self._yes} (y)", id="yes", variant="error", compact=True)

    def on_mount(self) -> None:
        """Let enter mean no."""
        self.query_one("#no").focus()

    def action_answer(self, yes: bool) -> None:
        """Answer it."""
        self.dismiss(yes)

    def on_button_pressed(self, event: Button.Pressed) -> None:
        """Answer it with a button."""
        self.dismiss(event.button.id == "yes")


class LineAsked(ModalScreen[str | None]):
    """Asks for a line of text; ``known`` are those that are completed with the right arrow."""

    DEFAULT_CSS = _CSS.format(name="LineAsked")
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "give_up", "Never mind", id="line.give_up")]

    def __init__(self, title: str, value: str = "", known: list[str] | None = None, said: str = "") -> None:
        super().__init__()
        self._title, self._value, self._known, self._said = title, value, known or [], said

    def compose(self) -> ComposeResult:
        """What is asked for, and the line."""
        with Vertical(id="box"):
            yield Label(self._title, markup=False)
            if self._said:
                yield Static(self._said, markup=False)
            suggester = SuggestFromList(self._known, case_sensitive=False) if self._known else None
            yield Input(self._value, suggester=suggester, compact=True)

    def action_give_up(self) -> None:
        """Ask no more."""
        self.dismiss(None)

    @on(Input.Submitted)
    def _typed(self, event: Input.Submitted) -> None:
        event.stop()
        self.dismiss(event.value.strip() or None)


class Choice(ModalScreen[str | None]):
    """Asks for one of several things, each with what is said of it."""

    DEFAULT_CSS = _CSS.format(name="Choice") + "Choice OptionList { height: auto; max-height: 20; border: none; }"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "give_up", "Never mind", id="choice.give_up")]

    def __init__(self, title: str, choices: dict[str, str]) -> None:
        super().__init__()
        self._title, self._choices = title, choices

    def compose(self) -> ComposeResult:
        """The title, and the choices."""
        with Vertical(id="box"):
            yield Label(self._title, markup=False)
            yield OptionList(*(Option(Content(visible(said))) for said in self._choices.values()))

    def on_mount(self) -> None:
        """Let keys go to the choices."""
        self.query_one(OptionList).focus()

    def action_give_up(self) -> None:
        """Choose nothing."""
        self.dismiss(None)

    @on(OptionList.OptionSelected)
    def _chosen(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        self.dismiss(list(self._choices)[event.option_index])
