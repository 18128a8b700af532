"""The fields of a form, from a component's JSON Schema and the value that it has. Pure."""

from collections.abc import Iterator, Mapping
from enum import Enum
from typing import Any

from attrs import frozen

from ezmsg.control.rendering.settings import allowed, field_schema, text_of
from ezmsg.control.settings_schema.fields.json_values import ALSO_BY_NAME, NOT_FINITE
from ezmsg.control.settings_schema.fields.omissions import is_omission
from ezmsg.protocol.model.settings import SettingsSnapshotValue

FEW = 5
"""So many choices are all shown; more are in a list that opens."""

LOG_FROM = 1000.0
"""Bounds that are so many times apart are on a logarithmic scale."""


class Editor(Enum):
    """What a field is edited with; the first that fits is taken."""

    FIXED = "fixed"
    SWITCH = "switch"
    SLIDER = "slider"
    NUMBER = "number"
    WHOLE = "whole"
    RADIO = "radio"
    SELECT = "select"
    SEVERAL = "several"
    TEXT = "text"
    DATA = "data"


@frozen
class Field:
    """One field: where it is, what it is edited with, what it allows, and what it is now.

    ``section`` is the path of the record that it lies in, empty at the top.
    """

    path: str
    editor: Editor
    value: Any
    section: str = ""
    unit: str = ""
    description: str = ""
    allows: str = ""
    low: float | None = None
    high: float | None = None
    above: float | None = None
    below: float | None = None
    step: float | None = None
    choices: tuple[Any, ...] = ()
    pattern: str | None = None
    optional: bool = False
    is_whole: bool = False
    reason: str = ""

    @property
    def name(self) -> str:
        """The last part of its path."""
        return self.path.rpartition(".")[2]

    @property
    def is_log(self) -> bool:
        """Whether a slider is logarithmic."""
        low, high = self.low or self.above or 0.0, self.high or self.below or 0.0
        return low > 0 and high / low > LOG_FROM


def scale_of(each: Field) -> tuple[float | None, ...]:
    """Return what a slider is made of."""
    return each.low, each.high, each.above, each.below, each.step


@frozen
class Form:
    """The fields of a component; ``reason`` says why nothing of it can be changed, if so."""

    address: str
    revision: int
    type_name: str
    fields: tuple[Field, ...]
    reason: str = ""

    @property
    def shape(self) -> tuple[Any, ...]:
        """What stays the same while only values change: a form of another shape is built anew."""
        return self.reason, tuple((each.path, each.editor, each.choices, scale_of(each)) for each in self.fields)


def form(address: str, value: SettingsSnapshotValue, *, tunable: bool) -> Form:
    """Return the form of a component; one that takes no settings while it runs is only shown."""
    schema = value.settings_schema
    name = "" if schema is None else schema.settings_type.rpartition(".")[2]
    if value.structured_value is None:
        reason = "Its settings have no fields that are described, so that they can only be read."
        return Form(address, value.revision, name, (Field("", Editor.FIXED, value.repr_value),), reason)
    reason = "" if tunable else "Set when its program starts: the unit has no INPUT_SETTINGS that it listens to."
    fields = tuple(_fields(value, value.structured_value, "", bool(reason)))
    return Form(address, value.revision, name, fields, reason)


def _fields(
    value: SettingsSnapshotValue, structured: Mapping[str, Any], section: str, is_fixed: bool
) -> Iterator[Field]:
    for name, each in structured.items():
        path = f"{section}.{name}" if section else name
        schema = field_schema(value, path)
        if isinstance(each, Mapping) and each and schema.get("properties") and not _is_form(each):
            yield from _fields(value, each, path, is_fixed)
        else:
            yield _field(path, section, each, schema, is_fixed)


def _is_form(value: Mapping[str, Any]) -> bool:
    """Whether a mapping stands for something that JSON has not, as ``{"$array": ...}`` does."""
    return any(str(key).startswith("$") for key in value)


def _field(path: str, section: str, value: Any, schema: Mapping[str, Any], is_fixed: bool) -> Field:
    core, optional = _core(schema)
    said = {"unit": schema.get("unit"), "description": schema.get("description")}
    low, high = _number(core, "minimum"), _number(core, "maximum")
    above, below = _number(core, "exclusiveMinimum"), _number(core, "exclusiveMaximum")
    choices = tuple(core.get("enum", ()))
    items = core.get("items")
    several = tuple(items.get("enum", ())) if isinstance(items, Mapping) and core.get("type") == "array" else ()
    editor = Editor.FIXED
    reason = ""
    if isinstance(value, Mapping) and is_omission(value):
        reason = "too large to be shown; it can be set from a program"
    elif not is_fixed:
        editor = _editor(
            core,
            choices,
            several,
            value,
            low is not None or above is not None,
            high is not None or below is not None,
        )
    return Field(
        path,
        editor,
        value,
        section,
        str(said["unit"] or ""),
        str(said["description"] or ""),
        allowed(schema),
        low,
        high,
        above,
        below,
        _number(schema, "step"),
        choices or several,
        core.get("pattern") if isinstance(core.get("pattern"), str) else None,
        optional,
        core.get("type") == "integer",
        reason,
    )


def _core(schema: Mapping[str, Any]) -> tuple[Mapping[str, Any], bool]:
    """Return what a schema allows beside nothing, and whether nothing is allowed."""
    kinds = schema.get("type")
    if isinstance(kinds, list):
        rest = [kind for kind in kinds if kind != "null"]
        return {**schema, "type": rest[0] if len(rest) == 1 else rest}, "null" in kinds
    said = list(_ways(schema))
    rest = [each for each in said if each.get("type") != "null"]
    return (rest[0] if len(rest) == 1 else {}), len(rest) < len(said)


def _ways(schema: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield what a value may be one of, without the forms that are for programs."""
    several = schema.get("anyOf")
    if not isinstance(several, list):
        yield schema
        return
    for each in several:
        if isinstance(each, Mapping) and each.get("$comment") not in (ALSO_BY_NAME, NOT_FINITE):
            yield from _ways(each)


def _editor(
    schema: Mapping[str, Any], choices: tuple[Any, ...], several: tuple[Any, ...], value: Any, from_: bool, to: bool
) -> Editor:
    kind = schema.get("type")
    if kind == "boolean":
        return Editor.SWITCH
    if choices:
        return Editor.RADIO if len(choices) <= FEW else Editor.SELECT
    if kind in ("number", "integer"):
        return Editor.SLIDER if from_ and to else Editor.WHOLE if kind == "integer" else Editor.NUMBER
    if several:
        return Editor.SEVERAL
    if kind == "string" and (value is None or isinstance(value, str)):
        return Editor.TEXT
    return Editor.DATA


def _number(schema: Mapping[str, Any], name: str) -> float | None:
    number = schema.get(name)
    return number if isinstance(number, int | float) and not isinstance(number, bool) else None


def shown(value: Any) -> str:
    """Return a value as it is typed."""
    return "" if value is None else text_of(value)
