"""The drawn graph: boxes that can be chosen, wires with their colours; only what is in sight is drawn."""

from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from ezmsg.tui.model.drawing import Cell, Marks, Raster
from ezmsg.tui.model.layering import Box, Drawing

_TONES = ("box", "chosen", "up", "down", "quiet", "warn", "bad", "label")


class GraphCanvas(ScrollView, can_focus=True):
    """Shows a drawing; arrows go from box to box: left and right follow the wires."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {f"canvas--{tone}" for tone in _TONES}
    DEFAULT_CSS = """
    GraphCanvas { background: $surface; color: $foreground; height: 1fr; scrollbar-size: 1 1; }
    GraphCanvas > .canvas--box { color: $foreground; }
    GraphCanvas > .canvas--chosen { color: $text; background: $primary-muted; text-style: bold; }
    GraphCanvas:focus > .canvas--chosen { background: $primary; }
    GraphCanvas > .canvas--up { color: $text-secondary; }
    GraphCanvas > .canvas--down { color: $text-accent; }
    GraphCanvas > .canvas--quiet { text-style: dim; }
    GraphCanvas > .canvas--warn { color: $text-warning; }
    GraphCanvas > .canvas--bad { color: $text-error; text-style: bold; }
    GraphCanvas > .canvas--label { text-style: dim; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left", "follow(-1)", "Upstream", show=False, id="graph.upstream"),
        Binding("right", "follow(1)", "Downstream", show=False, id="graph.downstream"),
        Binding("up", "beside(-1)", "Above", show=False, id="graph.above"),
        Binding("down", "beside(1)", "Below", show=False, id="graph.below"),
        Binding("enter", "choose", "Open", show=False, id="graph.choose"),
    ]

    class Moved(Message):
        """Another box is chosen."""

        def __init__(self, key: str) -> None:
            self.key = key
            super().__init__()

    class Chosen(Moved):
        """A box is to be opened."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self.drawing = Drawing()
        self._marks = Marks()
        self._raster = Raster(self.drawing)
        self._rows: dict[int, list[Cell]] = {}

    def show(self, drawing: Drawing, marks: Marks) -> None:
        """Show a drawing with what is written into it."""
        if drawing is self.drawing and marks == self._marks:
            return
        self._rows, self._marks = {}, marks
        if drawing is not self.drawing:
            self.drawing, self._raster = drawing, Raster(drawing)
            self.virtual_size = Size(drawing.width, drawing.height)
        self.refresh()

    @property
    def chosen(self) -> Box | None:
        """The box that is chosen, if it is drawn."""
        key = next((key for key, tone in self._marks.boxes.items() if tone == "chosen"), None)
        return None if key is None else self.drawing.boxes.get(key)

    def render_line(self, y: int) -> Strip:
        """Draw one line of what is in sight."""
        left, top = self.scroll_offset
        width = self.scrollable_content_region.width
        row = self._row(top + y)
        segments: list[Segment] = []
        text, tone = "", None
        for character, its in row[left : left + width]:
            if its != tone:
                if text:
                    segments.append(Segment(text, self._style(tone or "")))
                text, tone = "", its
            text += character
        segments.append(Segment(text, self._style(tone or "")))
        return Strip(segments).adjust_cell_length(width, self.rich_style)

    def _row(self, y: int) -> list[Cell]:
        if y not in self._rows:
            self._rows[y] = self._raster.row(y, self._marks)
        return self._rows[y]

    def _style(self, tone: str) -> Style:
        if tone not in _TONES:
            return self.rich_style
        return self.rich_style + self.get_component_rich_style(f"canvas--{tone}", partial=True)

    # --- moving --------------------------------------------------------------------------------------------

    def bring_in_sight(self, key: str) -> None:
        """Scroll until a box is to be seen."""
        box = self.drawing.boxes.get(key)
        if box is None:
            return
        left, top = self.scroll_offset
        width, height = self.size
        x = min(left, box.x) if box.x < left else max(left, box.x + box.width - width)
        y = min(top, box.y) if box.y < top else max(top, box.y + box.height - height)
        if (x, y) != (left, top):
            self.scroll_to(x=x, y=y, animate=False)

    def action_follow(self, step: int) -> None:
        """Go to the nearest box at the other end of a wire, or without one to the nearest in the next layer."""
        here = self.chosen
        if here is None:
            self._go(min(self.drawing.boxes.values(), key=lambda box: (box.layer, box.y), default=None))
            return
        ends = {
            wire.target if step > 0 else wire.source
            for wire in self.drawing.wires
            if (wire.source if step > 0 else wire.target) == here.key
        }
        others = [self.drawing.boxes[key] for key in ends] or [
            box for box in self.drawing.boxes.values() if box.layer == here.layer + step
        ]
        self._go(min(others, key=lambda box: (abs(box.y - here.y), box.y), default=None))

    def action_beside(self, step: int) -> None:
        """Go to the next box above or below in the same layer."""
        here = self.chosen
        if here is None:
            self.action_follow(1)
            return
        others = [
            box for box in self.drawing.boxes.values() if box.layer == here.layer and (box.y - here.y) * step > 0
        ]
        self._go(min(others, key=lambda box: abs(box.y - here.y), default=None))

    def _go(self, box: Box | None) -> None:
        if box is not None:
            self.bring_in_sight(box.key)
            self.post_message(self.Moved(box.key))

    def action_choose(self) -> None:
        """Open the box that is chosen."""
        if (here := self.chosen) is not None:
            self.post_message(self.Chosen(here.key))

    def on_click(self, event: events.Click) -> None:
        """Choose the box that is clicked; two clicks open it."""
        x, y = event.x + self.scroll_offset.x, event.y + self.scroll_offset.y
        for box in self.drawing.boxes.values():
            if box.x <= x < box.x + box.width and box.y <= y < box.y + box.height:
                message = self.Chosen if event.chain == 2 else self.Moved
                self.post_message(message(box.key))
