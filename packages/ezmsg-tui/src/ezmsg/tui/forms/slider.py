"""A slider between two bounds: arrows go a step, with shift ten; the mouse goes where it points."""

from typing import ClassVar

from rich.segment import Segment
from textual import events
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from ezmsg.tui.forms.staging import Scale


class Slider(Widget, can_focus=True):
    """Shows where a number lies, and moves it."""

    HELP = "**A number between two bounds**: left and right go a step, with shift ten; home and end to the bounds."

    COMPONENT_CLASSES: ClassVar[set[str]] = {"slider--done", "slider--rest", "slider--knob"}
    DEFAULT_CSS = """
    Slider { height: 1; width: 1fr; min-width: 8; }
    Slider > .slider--done { color: $primary; }
    Slider > .slider--rest { color: $foreground 30%; }
    Slider > .slider--knob { color: $foreground; text-style: bold; }
    Slider:focus > .slider--knob { color: $text-accent; text-style: bold; }
    Slider:focus > .slider--done { color: $accent; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left,minus", "move(-1)", "Less", show=False, id="slider.less"),
        Binding("right,plus", "move(1)", "More", show=False, id="slider.more"),
        Binding("shift+left", "move(-10)", "Much less", show=False, id="slider.much_less"),
        Binding("shift+right", "move(10)", "Much more", show=False, id="slider.much_more"),
        Binding("home", "edge(0)", "Least", show=False, id="slider.least"),
        Binding("end", "edge(1)", "Most", show=False, id="slider.most"),
    ]

    class Moved(Message):
        """Somebody has moved it."""

        def __init__(self, slider: "Slider", value: float) -> None:
            self.slider = slider
            self.value = value
            super().__init__()

    def __init__(self, scale: Scale, value: float) -> None:
        super().__init__()
        self._scale = scale
        self.value = value

    def show(self, value: float) -> None:
        """Show another number, which nobody has moved here."""
        if value != self.value:
            self.value = value
            self.refresh()

    def render_line(self, y: int) -> Strip:
        """Draw the line with its knob."""
        width = self.size.width
        if y or width < 2:
            return Strip.blank(width, self.rich_style)
        knob = round(self._scale.share(self.value) * (width - 1))
        parts = (("━" * knob, "done"), ("●", "knob"), ("─" * (width - knob - 1), "rest"))
        styled = [Segment(text, self.get_component_rich_style(f"slider--{name}")) for text, name in parts]
        return Strip(styled, width)

    def action_move(self, steps: int) -> None:
        """Move by steps."""
        self._set(self._scale.moved(self.value, steps))

    def action_edge(self, most: int) -> None:
        """Move to one of the bounds."""
        self._set(self._scale.at(most))

    def on_mouse_down(self, event: events.MouseDown) -> None:
        """Go where the mouse points, and follow it."""
        self.capture_mouse()
        self._point(event.x)

    def on_mouse_move(self, event: events.MouseMove) -> None:
        """Follow the mouse."""
        if self.app.mouse_captured is self:
            self._point(event.x)

    def on_mouse_up(self) -> None:
        """Let the mouse go."""
        self.release_mouse()

    def _point(self, x: int) -> None:
        self._set(self._scale.at(x / max(1, self.size.width - 1)))

    def _set(self, value: float) -> None:
        if value != self.value:
            self.value = value
            self.refresh()
            self.post_message(self.Moved(self, value))
