"""``field=value`` on a command line: texts become the numbers, truths and lists that a field takes.

Nothing is refused here for what it is: the process that owns the component knows what it allows, and says so.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ezmsg.control.errors import InvalidAssignment

_TRUTHS = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}
_NUMBERS = {"integer", "number"}


def split(texts: Iterable[str]) -> dict[str, str]:
    """Return the texts of values by the paths of their fields.

    :raises InvalidAssignment: if one is no assignment, or its field is assigned already.
    """
    assigned: dict[str, str] = {}
    for text in texts:
        path, equals, value = text.partition("=")
        if not path or not equals:
            raise InvalidAssignment(text=text)
        if path in assigned:
            raise InvalidAssignment(text=text, twice=True)
        assigned[path] = value
    return assigned


def value_of(text: str, schema: Mapping[str, Any]) -> Any:
    """Return what a text stands for where a JSON Schema holds; where it says nothing, JSON, else the text."""
    types = set(_types(schema))
    for choice in _choices(schema):
        if text in (choice, json.dumps(choice)):
            return choice
    if "null" in types and text.lower() in ("none", "null"):
        return None
    if "boolean" in types and text.lower() in _TRUTHS:
        return _TRUTHS[text.lower()]
    if types & _NUMBERS and (number := _number(text)) is not None:
        return number
    if "string" in types:
        return text
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _types(schema: Mapping[str, Any]) -> Iterator[str]:
    kind = schema.get("type", ())
    yield from [kind] if isinstance(kind, str) else kind
    for each in schema.get("anyOf", ()):
        yield from _types(each)


def _choices(schema: Mapping[str, Any]) -> Iterator[Any]:
    yield from schema.get("enum", ())
    for each in schema.get("anyOf", ()):
        yield from _choices(each)


def _number(text: str) -> int | float | None:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return None
