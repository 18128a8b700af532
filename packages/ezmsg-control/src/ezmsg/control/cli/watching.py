"""``--watch``: a verb that only looks, looked with again and again until Ctrl-C, or until a look fails.

On a terminal every look takes the place of the one before; elsewhere one follows the other.
"""

import inspect
import math
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack, redirect_stderr, redirect_stdout
from functools import wraps
from io import StringIO
from typing import Annotated, Any

from cyclopts import Parameter

EVERY_S = 2.0
"""Seconds from one look to the next, if nobody says so."""

_CLEAR = "\x1b[H\x1b[2J\x1b[3J"


def _waitable(_: Any, seconds: list[float] | None) -> None:
    if seconds and not (math.isfinite(seconds[0]) and seconds[0] > 0):
        raise ValueError("Give it a finite number of seconds above 0.")


WatchOption = Annotated[
    list[float] | None,
    Parameter(
        negative="",
        consume_multiple=(0, 1),
        validator=_waitable,
        help=f"Look again every {EVERY_S:g} s, or so many as follow, until Ctrl-C.",
    ),
]


def watchable(verb: Callable[..., int]) -> Callable[..., int]:
    """Give a verb that only looks the option ``--watch``; its own options stay as they are."""

    @wraps(verb)
    def look(*words: Any, watch: list[float] | None = None, **options: Any) -> int:
        if watch is None:
            return verb(*words, **options)
        every_s = watch[0] if watch else EVERY_S
        return _watch(lambda: verb(*words, **options), every_s, json=bool(options.get("json")))

    signature = inspect.signature(verb)
    option = inspect.Parameter("watch", inspect.Parameter.KEYWORD_ONLY, default=None, annotation=WatchOption)
    look.__signature__ = signature.replace(parameters=[*signature.parameters.values(), option])  # type: ignore[attr-defined]
    look.__annotations__ = {**verb.__annotations__, "watch": WatchOption}
    return look


def _watch(look: Callable[[], int], every_s: float, *, json: bool) -> int:
    in_place = not json and sys.stdout is not None and sys.stdout.isatty()
    is_first = True
    while True:
        began_s = time.monotonic()
        if not (in_place or json or is_first):
            print()
        code = _in_place(look) if in_place else look()
        sys.stdout.flush()
        if code:
            return code
        is_first = False
        time.sleep(max(0.0, began_s + every_s - time.monotonic()))


def _in_place(look: Callable[[], int]) -> int:
    """Look, and show what is said all at once, so that nothing flickers; what was said before an error, too."""
    said, noted = StringIO(), StringIO()
    try:
        with ExitStack() as redirected:
            redirected.enter_context(redirect_stdout(said))
            redirected.enter_context(redirect_stderr(noted))
            return look()
    finally:
        if said.getvalue() or noted.getvalue():
            sys.stdout.write(f"{_CLEAR}{said.getvalue()}{noted.getvalue()}")
