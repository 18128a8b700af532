"""The two lines that every screen begins with, the banner, and what is shown before there is a graph."""

from textual.content import Content
from textual.widgets import Static

from ezmsg.protocol.surroundings.visible import visible, visible_lines

SCREENS = (
    ("overview", "Overview"),
    ("topology", "Topology"),
    ("settings", "Settings"),
    ("profiling", "Profiling"),
    ("processes", "Processes"),
    ("sessions", "Sessions"),
    ("events", "Events"),
)
"""Every screen by its name, in the order of the number keys."""

_TONES = {"good": "$text-success", "bad": "$text-error bold", "warn": "$text-warning", "dim": "dim"}


class StatusBar(Static):
    """The server, how many units and processes, what is wrong, and whether anything is traced."""

    DEFAULT_CSS = (
        "StatusBar { height: 1; background: $panel; color: $foreground; padding: 0 1; text-wrap: nowrap; }"
    )

    def show(self, parts: list[tuple[str, str]]) -> None:
        """Show the parts of the line, each with its tone."""
        pieces: list[Content] = []
        for text, tone in parts:
            if pieces:
                pieces.append(Content("  "))
            pieces.append(Content.styled(visible(text), _TONES.get(tone, "")))
        self.update(Content("").join(pieces))


class Navigation(Static):
    """The screens with their keys; a click goes there."""

    DEFAULT_CSS = """
    Navigation {
        height: 1; background: $surface; padding: 0 1; text-wrap: nowrap;
        link-style: none; link-color: $foreground; link-background: transparent;
    }
    """

    def __init__(self, here: str) -> None:
        super().__init__()
        self._here = here

    def on_mount(self) -> None:
        """Draw the line for the width that there is."""
        self._draw()

    def on_resize(self) -> None:
        """Draw it anew; where there is little room, only this screen has its name."""
        self._draw()

    def _draw(self) -> None:
        room = self.size.width - sum(len(title) + 4 for _, title in SCREENS) >= 0
        pieces = []
        for number, (name, title) in enumerate(SCREENS, 1):
            shown = f"{number} {title}" if room or name == self._here else f"{number}"
            style = "$text-accent bold reverse" if name == self._here else ""
            action = f"app.go('{name}')"
            pieces.append(
                Content.styled(f" {shown} ", style).stylize(f"@click={action}")
                if style
                else Content.from_markup(f"[@click={action}] {shown} [/]")
            )
        self.update(Content("").join(pieces))


class Banner(Static):
    """Says that the server is gone, and when it is tried again."""

    DEFAULT_CSS = """
    Banner { background: $error-muted; color: $text-error; padding: 0 1; height: auto; display: none; }
    Banner.-shown { display: block; }
    """

    def show(self, text: str) -> None:
        """Show a sentence, or nothing."""
        self.set_class(bool(text), "-shown")
        self.update(visible(text))


class Waiting(Static):
    """Stands in place of a screen while there is nothing to be shown."""

    DEFAULT_CSS = """
    Waiting { display: none; height: 1fr; padding: 1 2; content-align: center middle; }
    Waiting.-shown { display: block; }
    """

    def show(self, text: str) -> None:
        """Show a text, or nothing."""
        self.set_class(bool(text), "-shown")
        self.update(Content(visible_lines(text)))
