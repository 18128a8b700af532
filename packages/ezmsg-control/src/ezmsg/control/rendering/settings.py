"""Settings of components as lines: a table of all, the fields of one with what they allow, and what changed."""

import json
import math
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ezmsg.control.graph.history import NOTHING, Change
from ezmsg.control.rendering.arrays import array_text
from ezmsg.control.rendering.columns import aligned
from ezmsg.control.settings_schema.describing.json_paths import subschema
from ezmsg.control.settings_schema.fields.json_values import ALSO_BY_NAME, NOT_FINITE
from ezmsg.control.settings_schema.fields.omissions import in_words, is_omission
from ezmsg.protocol.model.metadata import SettingsFieldMetadata
from ezmsg.protocol.model.settings import SettingsChangedEvent, SettingsEventType, SettingsSnapshotValue
from ezmsg.protocol.snapshots.json_form import to_json_form
from ezmsg.protocol.wire.plain import PlainArray

_UNSAID = (ALSO_BY_NAME, NOT_FINITE)  # forms for programs
_SUMMARY = 72  # characters
_PLAIN = {"bool": "boolean", "int": "integer", "float": "number", "str": "string"}
_JSON_TYPES = {
    "boolean": "true | false",
    "integer": "a whole number",
    "number": "a number",
    "string": "a text",
    "null": "none",
}


def list_lines(values: Mapping[str, SettingsSnapshotValue]) -> Iterator[str]:
    """Yield a line for each component."""
    rows = [
        (address, type_of(value), f"revision {value.revision}", _cut(_summary(value)))
        for address, value in sorted(values.items())
    ]
    return aligned(rows)


def value_lines(address: str, value: SettingsSnapshotValue) -> Iterator[str]:
    """Yield the fields of one component, each with what it is and what it allows."""
    yield f"{address}   {type_of(value)}   revision {value.revision}"
    if value.structured_value is None:
        yield f"  {value.repr_value}"
        return
    fields = flat(value.structured_value)
    rows = [(path, with_unit(each, value, path), allowed(field_schema(value, path))) for path, each in fields]
    yield from aligned(rows, indent="  ")


def description_lines(address: str, value: SettingsSnapshotValue) -> Iterator[str]:
    """Yield what a component's settings type says of its fields."""
    schema = value.settings_schema
    if schema is None:
        yield f"{address}   its settings have no fields that are described"
        return
    yield f"{address}   {schema.settings_type}   described by {schema.provider}"
    for field in schema.fields:
        said = field_schema(value, field.name)
        default = "required" if field.required else f"default {text_of(field.default)}"
        kind = _kind(said, field)
        allows = "" if allowed(said) == _JSON_TYPES.get(kind) else allowed(said)
        parts = (field.name, kind, f"{allows} {_unit(said)}".strip(), default)
        yield "  " + "   ".join(part for part in parts if part)
        if field.description:
            yield f"      {field.description}"


def change_line(address: str, before: SettingsSnapshotValue, after: SettingsSnapshotValue) -> str:
    """Return what a change has done."""
    return "   ".join([f"{address}   {before.revision} -> {after.revision}", *differences(before, after)])


def refusal_lines(value: SettingsSnapshotValue, paths: Iterable[str]) -> Iterator[str]:
    """Yield, of the fields that were to be changed, what they are, allow and mean, as far as that is known."""
    known = dict(flat(value.structured_value or {}))
    for path in paths:
        said = field_schema(value, path)
        now = f"now {with_unit(known[path], value, path)}" if path in known else ""
        allows = " ".join(part for part in ("allowed", allowed(said), _unit(said)) if part) if allowed(said) else ""
        parts = [part for part in (path, now, allows, said.get("description", "")) if part]
        if len(parts) > 1:
            yield "   ".join(parts)


def event_line(event: SettingsChangedEvent, before: SettingsSnapshotValue | None) -> str:
    """Return an event as a line; its time is that of this machine's clock."""
    moment = time.strftime("%H:%M:%S", time.localtime(event.timestamp))
    if event.event_type is SettingsEventType.SETTINGS_REMOVED:
        what = ["removed"]
    elif before is None:
        what = [f"{path} {text_of(each)}" for path, each in flat(event.value.structured_value or {})]
    else:
        what = list(differences(before, event.value)) or ["as before"]
    return "   ".join([moment, event.component_address, f"revision {event.value.revision}", *what])


def history_line(change: Change) -> str:
    """Return a change of a history as a line; its time is that of this machine's clock."""
    moment = time.strftime("%H:%M:%S", time.localtime(change.at))
    what = [f"{each.path} {text_of(each.before)} -> {text_of(each.after)}" for each in change.fields]
    kind = change.kind.value.lower().replace("_", " ")
    by = f"by {change.by}" if change.by else ""
    return "   ".join(filter(None, [moment, f"revision {change.revision}", *(what or [kind]), by]))


def differences(before: SettingsSnapshotValue, after: SettingsSnapshotValue) -> Iterator[str]:
    """Yield each field that is no longer what it was; both values are of one component."""
    old, new = dict(flat(before.structured_value or {})), dict(flat(after.structured_value or {}))
    for path in [*new, *(path for path in old if path not in new)]:
        was, now = (text_of(each[path]) if path in each else "nothing" for each in (old, new))
        if was != now:
            yield f"{path} {was} -> {now}"


def flat(structured: Mapping[str, Any], trail: str = "") -> Iterator[tuple[str, Any]]:
    """Yield each value that has nothing inside but items, with its path."""
    for name, value in structured.items():
        path = f"{trail}.{name}" if trail else name
        if isinstance(value, Mapping) and value and not any(str(key).startswith("$") for key in value):
            yield from flat(value, path)
        else:
            yield path, value


def field_schema(value: SettingsSnapshotValue, path: str) -> Mapping[str, Any]:
    """Return what is allowed at a path, as JSON Schema; where nothing says so, of the kind that is there now."""
    schema = value.settings_schema
    found = subschema(schema.json_schema if schema else None, path)
    if found:
        return found
    for field in schema.fields if schema else ():
        if field.name == path:
            return _from_metadata(field)
    return _like(dict(flat(value.structured_value or {})).get(path))


def allowed(schema: Mapping[str, Any]) -> str:
    """Return what a JSON Schema allows in a few words, nothing if that is more than words can say."""
    if "enum" in schema:
        return " | ".join(text_of(each) for each in schema["enum"])
    if "anyOf" in schema:
        shown = [each for each in schema["anyOf"] if each.get("$comment") not in _UNSAID]
        return " | ".join(filter(None, map(allowed, shown)))
    low, above = _bound(schema, "minimum"), _bound(schema, "exclusiveMinimum")
    high, below = _bound(schema, "maximum"), _bound(schema, "exclusiveMaximum")
    if low is None and above is None and high is None and below is None:
        if "$array" in schema.get("properties", ()):
            return "an array like [[1, 2], [3, 4]]"
        kind = schema.get("type")
        return _JSON_TYPES.get(kind, "") if isinstance(kind, str) else ""
    start = f"above {above:g}" if above is not None else "" if low is None else f"{low:g}"
    end = f"below {below:g}" if below is not None else "" if high is None else f"{high:g}"
    if start and end:
        return f"{start} .. {end}"
    if end:
        return end if below is not None else f"up to {end}"
    return start if above is not None else f"from {start}"


def with_unit(field: object, value: SettingsSnapshotValue, path: str) -> str:
    """Return the text of what a field of a value is, with the unit that it has."""
    return f"{text_of(field)} {_unit(field_schema(value, path))}".rstrip()


def text_of(value: object) -> str:
    """Return a plain value as a command line would have it: texts as they are, the rest as JSON.

    A text that would do something to a terminal is JSON, too.
    """
    if value is NOTHING:
        return "nothing"
    if isinstance(value, str):
        return value if value.isprintable() else json.dumps(value)
    if isinstance(value, PlainArray):
        return array_text(value)
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, Mapping) and is_omission(value):
        return f"({in_words(value)}, too large to be shown)"
    return json.dumps(to_json_form(value))


def type_of(value: SettingsSnapshotValue) -> str:
    """Return the name of a settings type, without its module."""
    schema = value.settings_schema
    return "-" if schema is None else schema.settings_type.rpartition(".")[2]


def _summary(value: SettingsSnapshotValue) -> str:
    if value.structured_value is None:
        return text_of(value.repr_value)
    fields = flat(value.structured_value)
    return "   ".join(f"{path} {with_unit(each, value, path)}" for path, each in fields)


def _cut(text: str) -> str:
    return text if len(text) <= _SUMMARY else f"{text[: _SUMMARY - 3]}..."


def _bound(schema: Mapping[str, Any], name: str) -> float | None:
    bound = schema.get(name)
    return bound if isinstance(bound, int | float) else None  # a settings type may write its own schema


def _unit(schema: Mapping[str, Any]) -> str:
    unit = schema.get("unit")
    return unit if isinstance(unit, str) else ""


def _kind(schema: Mapping[str, Any], field: SettingsFieldMetadata) -> str:
    kind = schema.get("type")
    is_plain = field.field_type.removeprefix("builtins.") in _PLAIN
    if isinstance(kind, str) and (is_plain or "enum" not in schema):
        return kind
    # A Literal's own text would say its choices once more.
    return "" if "Literal[" in field.field_type and allowed(schema) else field.field_type.rpartition(".")[2]


def _from_metadata(field: SettingsFieldMetadata) -> dict[str, Any]:
    said: dict[str, Any] = {} if field.choices is None else {"enum": field.choices}
    low, high = field.bounds or (None, None)
    said |= {key: each for key, each in (("minimum", low), ("maximum", high)) if each is not None}
    kind = _PLAIN.get(field.field_type.removeprefix("builtins."))
    said |= {} if kind is None else {"type": kind}
    return said if field.description is None else {**said, "description": field.description}


def _like(value: object) -> dict[str, Any]:
    match value:
        case bool():
            return {"type": "boolean"}
        case int() | float():
            return {"type": "number"}
        case str():
            return {"type": "string"}
    return {}
