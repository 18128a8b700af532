"""What is printed where the encoding of the output does not have all characters."""

import io
import sys

_FAILING = ("strict", "surrogateescape")
"""What Python does by itself; whoever chose anything else in ``PYTHONIOENCODING`` keeps it."""


def escape_what_does_not_fit() -> None:
    """Let what has no place in the encoding be written as ``\\u2192``, so that no name or line ends the command."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and stream.errors in _FAILING:
            stream.reconfigure(errors="backslashreplace")
