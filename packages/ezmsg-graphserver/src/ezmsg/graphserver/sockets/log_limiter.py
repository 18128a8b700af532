"""Keeps a flood of bad peers from becoming a flood of log lines, or lines of their own making."""

from attrs import define

BURST = 5
"""How many lines of one kind are let through ..."""

WINDOW_S = 10.0
"""... in this many seconds."""

MAX_LENGTH = 1000
"""How many characters of a line are shown."""


@define
class _Window:
    start: float
    passed: int = 0
    held_back: int = 0


def one_line(text: str) -> str:
    """Return what a peer had a hand in as one line of bounded length, without control characters."""
    shown = "".join(character if character.isprintable() else "?" for character in text[:MAX_LENGTH])
    return shown if len(text) <= MAX_LENGTH else f"{shown} ..."


class LogLimiter:
    """Decides about lines by their kind; kinds are few and fixed, such as error codes."""

    def __init__(self) -> None:
        self._windows: dict[str, _Window] = {}

    def admit(self, kind: str, now: float) -> int | None:
        """Return ``None`` if a line is to be left out, else how many of its kind were left out before it.

        :param now: seconds on a clock that never jumps.
        """
        window = self._windows.get(kind)
        if window is None:
            window = self._windows[kind] = _Window(now)
        before = 0
        if now - window.start >= WINDOW_S:
            before = window.held_back
            window = self._windows[kind] = _Window(now)
        if window.passed < BURST:
            window.passed += 1
            return before
        window.held_back += 1
        return None
