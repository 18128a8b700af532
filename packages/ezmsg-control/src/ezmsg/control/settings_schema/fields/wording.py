"""Shapes and values in the words of an error's sentence."""

from typing import Any

from ezmsg.control.settings_schema.fields.limits import Limits
from ezmsg.control.settings_schema.fields.shapes import (
    Anything,
    Array,
    Binary,
    Choice,
    Either,
    Flag,
    Instance,
    Items,
    Made,
    Member,
    Null,
    Real,
    Record,
    Row,
    Shape,
    Table,
    Text,
    Whole,
)
from ezmsg.protocol.wire.plain import safe_repr

MAX_VALUE = 120
"""Longer values are cut in a sentence, in characters."""
_MAX_CHOICES = 20


def shown(value: object) -> str:
    """Return a value's repr, cut where it is too long to read."""
    text = safe_repr(value)
    return text if len(text) <= MAX_VALUE else f"{text[:MAX_VALUE]}..."


def allowed(shape: Shape) -> str:
    """Return what a shape allows, to be read after "it takes"."""
    match shape:
        case Anything():
            return "any value"
        case Null():
            return "None"
        case Flag():
            return "True or False"
        case Whole(limits):
            return _ranged("a whole number", limits)
        case Real(limits):
            return _ranged("a number", limits)
        case Text(length):
            return f"a text{_sized(length, 'characters')}"
        case Binary():
            return "bytes"
        case Member(_, members):
            return _listed([f"{each.name} ({shown(each.value)})" for each in members])
        case Choice(_, choices):
            return _listed([shown(each) for each in choices])
        case Items(item, _, length):
            return f"a list{_sized(length, 'items')}, each {allowed(item)}"
        case Row(items):
            return f"a list of {len(items)}: {'; '.join(allowed(each) for each in items)}"
        case Table(_, value, length):
            return f"a mapping{_sized(length, 'entries')} whose values are each {allowed(value)}"
        case Record(cls):
            return f"the fields of {cls.__qualname__} as a mapping"
        case Array():
            return "an array of numbers"
        case Made(_, inner):
            return allowed(inner)
        case Instance(cls):
            return f"a {cls.__qualname__}, which cannot be sent"
        case Either(shapes):
            return " or ".join(allowed(each) for each in shapes)


def reason_of(error: Exception) -> str:
    """Return what an error of somebody else's validator says, as the inside of a sentence."""
    errors: Any = getattr(error, "errors", None)  # pydantic's: its text has many lines and a link
    try:
        text = "; ".join(str(each["msg"]) for each in errors()) if callable(errors) else str(error)
    except Exception:  # noqa: BLE001  protects the refusal from an error that cannot even be shown
        text = ""
    return " ".join(text.split()).rstrip(".") or type(error).__name__


def _ranged(noun: str, limits: Limits) -> str:
    return f"{noun} {limits}" if limits.given else noun


def _sized(length: Limits, unit: str) -> str:
    match (length.lower, length.upper):
        case (None, None):
            return ""
        case (lower, None):
            return f" of at least {lower} {unit}"
        case (None, upper):
            return f" of at most {upper} {unit}"
    return f" of {length.lower} to {length.upper} {unit}"


def _listed(words: list[str]) -> str:
    if not words:
        return "no value at all"
    more = f" and {len(words) - _MAX_CHOICES} more" if len(words) > _MAX_CHOICES else ""
    kept = words[:_MAX_CHOICES]
    return kept[0] if len(words) == 1 else f"one of {', '.join(kept)}{more}"
