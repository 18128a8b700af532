"""Paths of settings: ``a.b.c`` for fields and keys, ``a[0].b`` for items."""

import re
from typing import TypeAlias

from ezmsg.control.errors import UnknownSettingsField

Step: TypeAlias = str | int

MAX_STEPS = 64
"""Longer paths are refused: nobody's settings are that deep, and each level costs a copy."""

_FIRST = re.compile(r"([^.\[\]]+)|\[([0-9]{1,9})\]")
_NEXT = re.compile(r"\.([^.\[\]]+)|\[([0-9]{1,9})\]")


def parse_path(path: str) -> tuple[Step, ...]:
    """Return the steps of a path: names as text, indices as numbers.

    :raises UnknownSettingsField: if the text is not a path.
    """
    steps: list[Step] = []
    position = 0
    while position < len(path) or not steps:
        found = (_NEXT if steps else _FIRST).match(path, position)
        if found is None:
            raise UnknownSettingsField(path=path, reason=_missing(path[position:]))
        name, index = found.groups()
        steps.append(int(index) if name is None else name)
        position = found.end()
    if len(steps) > MAX_STEPS:
        raise UnknownSettingsField(path=path[:80], reason=f"it leads through more than {MAX_STEPS} levels")
    return tuple(steps)


def joined(path: str, step: Step) -> str:
    """Return the path of what a step leads to from a path."""
    if isinstance(step, int):
        return f"{path}[{step}]"
    return f"{path}.{step}" if path else step


def _missing(rest: str) -> str:
    if rest.startswith("[-"):
        return "an index counts from 0 on and cannot be negative"
    return f"a name, or an index such as [0], is missing at {rest[:20]!r}"
