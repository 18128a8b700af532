"""How a verb says what it has to say: data on standard output, notes on standard error, JSON for programs.

No name in it can steer a terminal.
"""

import sys
from collections.abc import Iterable

TYPE_CHECKING = False  # as in `verbs`
if TYPE_CHECKING:
    from typing import Any


def say(lines: Iterable[str], *, flush: bool = False) -> None:
    """Write lines of data."""
    from ezmsg.protocol.surroundings.visible import (
        visible,  # here and below: help and a misspelt verb need none of it
    )

    for line in lines:
        print(visible(line), flush=flush)


def note(text: str) -> None:
    """Write what is said beside the data, at once."""
    from ezmsg.protocol.surroundings.visible import visible_lines

    print(visible_lines(text), file=sys.stderr, flush=True)


def say_json(form: "Any", *, flush: bool = False) -> None:
    """Write a line of JSON, in which nothing is written that JSON has not."""
    import json

    print(json.dumps(form, allow_nan=False), flush=flush)
