"""``ezmsg explain``: what an error's code means, also offline. Distributions add their texts by entry point.

An entry point of the group ``ezmsg.explanations`` names a mapping from codes to two texts, why and what next; its
module imports the classes, too.
"""

import re
from typing import TYPE_CHECKING, Annotated, cast

from cyclopts import Parameter

from ezmsg.control.cli.options import JsonOption
from ezmsg.control.cli.saying import note, say, say_json

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ezmsg.control.rendering.explanations import Explanation

GROUP = "ezmsg.explanations"

_USAGE = 2
_OWNERS = {"5": "ezmsg-core", "6": "ezmsg-core", "7": "ezmsg-util"}
_CODE = re.compile(r"(?:EZ)?-?([0-9]{4})", re.IGNORECASE)


def explain(
    code: Annotated[str | None, Parameter(help="EZ-3001, 3001 or ServerUnreachable; else all of them.")] = None,
    /,
    *,
    json: JsonOption = False,
) -> int:
    """Explain an error by its code: what it means, why it comes, and what to do next. It needs no server.

    For example:

    ezmsg explain EZ-3001
    """
    from ezmsg.control.rendering.explanations import code_lines, explanation_lines

    known = known_explanations()
    if code is None:
        if json:
            _write_json(known.values())
        else:
            say(code_lines(known.values()))
            note(f"{len(known)} errors. More about one of them: ezmsg explain CODE")
        return 0
    found = _found(code, known)
    if found is None:
        note(f"ezmsg: {_why_none(code, known)}")
        return _USAGE
    if json:
        _write_json([found])
    else:
        say(explanation_lines(found))
    return 0


def known_explanations() -> "dict[str, Explanation]":
    """Return what is known of every error of what is installed, by code."""
    from ezmsg.control.cli.explanations import EXPLANATIONS as OURS
    from ezmsg.control.cli.verbs import load
    from ezmsg.control.rendering.explanations import explained
    from ezmsg.protocol.errors import EzmsgError, error_classes
    from ezmsg.protocol.errors.explaining import EXPLANATIONS as BELOW
    from ezmsg.protocol.surroundings.entry_points import installed

    texts: dict[str, tuple[str, str]] = {**BELOW, **OURS}
    for more in load(installed(GROUP)).values():
        texts.update(cast("dict[str, tuple[str, str]]", more))
    classes = error_classes()
    return {code: explained(classes[code], texts) for code in sorted(classes) if classes[code] is not EzmsgError}


def _found(code: str, known: "dict[str, Explanation]") -> "Explanation | None":
    number = _CODE.fullmatch(code.strip())
    if number is not None:
        return known.get(f"EZ-{number[1]}")
    return next((each for each in known.values() if each.name.casefold() == code.strip().casefold()), None)


def _why_none(code: str, known: "dict[str, Explanation]") -> str:
    from difflib import get_close_matches

    number = _CODE.fullmatch(code.strip())
    owner = _OWNERS.get(number[1][0]) if number is not None else None
    if owner is not None and number is not None and not any(each[3] == number[1][0] for each in known):
        return f"Errors of EZ-{number[1][0]}xxx are of {owner}, which is not installed here: pip install {owner}"
    names = {each.name.casefold(): each.name for each in known.values()}
    wanted = code.strip() if number is None else f"EZ-{number[1]}"
    near = [names[each] for each in get_close_matches(wanted.casefold(), names)] or get_close_matches(wanted, known)
    meant = f" Is one of these meant: {', '.join(near)}?" if near else ""
    return f"No error has the code or the name {code!r}.{meant} All of them: ezmsg explain"


def _write_json(explanations: "Iterable[Explanation]") -> None:
    from attrs import asdict

    head = {"$schema": "ezmsg.explain/1"}
    for each in explanations:
        say_json({**head, **asdict(each)})
        head = {}
