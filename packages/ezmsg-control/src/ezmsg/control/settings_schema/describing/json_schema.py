"""A settings type as JSON Schema (draft 2020-12), so that a form can be built without importing the class.

It is what pydantic would write, so that forms made for ezmsg 3.10 can read it: classes in ``$defs``, a title for
every field; beside that what only we know: defaults that a factory makes, bounds, ``unit``, ``step`` and
``widget``.

What it accepts, `coercion` does, too, and of the values that JSON has no others but two forms for programs: members
of an enumeration by their names, and ``{"$number": "nan"}`` for the numbers that JSON has not, which the schema has
only where the default is such a number.
"""

import math
from inspect import cleandoc
from typing import Any

from attrs import field

from ezmsg.control.errors import SettingsCoercionError
from ezmsg.control.settings_schema.describing.structured import default_value
from ezmsg.control.settings_schema.fields.descriptions import Description, Field
from ezmsg.control.settings_schema.fields.json_values import (
    ARRAY_DTYPE,
    BASE64,
    NOT_FINITE,
    WHOLE_KEY,
)
from ezmsg.control.settings_schema.fields.limits import Limits
from ezmsg.control.settings_schema.fields.omissions import omissions
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
from ezmsg.control.settings_schema.patching.coercion import coerced
from ezmsg.control.settings_schema.sources.reading import describe
from ezmsg.protocol.declared import declared
from ezmsg.protocol.snapshots.json_form import to_json_form

DIALECT = "https://json-schema.org/draft/2020-12/schema"
_NOTHING: dict[str, Any] = {"not": {}}
_DATA = {"type": "string", "contentEncoding": "base64", "pattern": BASE64}


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


_KINDS: dict[type, str] = {str: "string", bool: "boolean", int: "integer", float: "number", type(None): "null"}
_BYTES = _object({"$bytes": _DATA})
_ARRAY = {
    "anyOf": [
        {"type": "array"},
        _object(
            {
                "$array": {"type": "string", "pattern": ARRAY_DTYPE},
                "shape": {"type": "array", "items": {"type": "integer", "minimum": 0}},
                "data": _DATA,
            }
        ),
    ]
}
"""That the lists are of numbers, and all of one length, is for `coercion` to see: a schema cannot say it."""


def json_schema(cls: object) -> dict[str, Any] | None:
    """Return a settings type's schema, ``None`` of what is not one; a model of pydantic is asked for its own."""
    description = describe(cls)
    if description is None:
        return None
    if description.provider == "pydantic":
        try:
            schema: dict[str, Any] = description.cls.model_json_schema(by_alias=False)  # type: ignore[attr-defined]
            return schema
        except Exception:  # noqa: BLE001  it has fields that pydantic cannot describe; ours are left open
            pass
    return _Writer(description).schema()


@declared(frozen=False)
class _Writer:
    """Writes one schema; types inside it are written once, and referred to."""

    root: Description
    names: dict[type, str] = field(factory=dict)
    definitions: dict[str, Any] = field(factory=dict)

    def schema(self) -> dict[str, Any]:
        self.names[self.root.cls] = ""
        schema = {"$schema": DIALECT, **self.record(self.root)}
        return {**schema, "$defs": self.definitions} if self.definitions else schema

    def record(self, description: Description) -> dict[str, Any]:
        fields = [each for each in description.fields if each.settable]
        cls = description.cls
        text = cleandoc(vars(cls).get("__doc__") or "")  # not that of the library's own class above it
        # A dataclass without a docstring has its signature for one.
        said = {"description": text.split("\n\n")[0]} if text and not text.startswith(f"{cls.__name__}(") else {}
        schema: dict[str, Any] = {"title": cls.__name__, **said, "type": "object"}
        schema["properties"] = {each.name: self.property(each) for each in fields}
        if required := [each.name for each in fields if each.required]:
            schema["required"] = required
        return {**schema, "additionalProperties": False}

    def property(self, described: Field) -> dict[str, Any]:
        hints = described.hints
        said = {
            "description": hints.description,
            "unit": hints.unit,
            "step": hints.step,
            "widget": hints.widget,
        }
        title = {"title": _title(described.name)} if _is_titled(described.shape) else {}
        told = {key: each for key, each in said.items() if each is not None}
        default = _default(described)
        shape = _with_its_default(self.shape(described.shape), default.get("default"))
        return {**shape, **title, **told, **default}

    def shape(self, shape: Shape) -> dict[str, Any]:
        match shape:
            case Anything():
                return {}
            case Null():
                return {"type": "null"}
            case Flag():
                return {"type": "boolean"}
            case Whole(limits):
                return {"type": "integer", **_range(limits)}
            case Real(limits):
                return {"type": "number", **_range(limits)}
            case Text(length):
                return {"type": "string", **_size(length, "Length")}
            case Binary():
                return _BYTES
            case Array():
                return _ARRAY
            case Member():
                return _members(shape)
            case Choice(inner):
                return _enum(self.shape(inner), _forms(shape, list(shape.choices)))
            case Items(item, _, length):
                return {"type": "array", "items": self.shape(item), **_size(length, "Items")}
            case Row(items):
                size = {"minItems": len(items), "maxItems": len(items)}
                prefix = {"prefixItems": [self.shape(each) for each in items]} if items else {}
                return {"type": "array", **prefix, **size}
            case Table():
                return self.table(shape)
            case Record(cls):
                return {"$ref": self.reference(cls)}
            case Made(_, inner):
                return self.shape(inner)
            case Instance(cls):
                return {**_NOTHING, "$comment": f"a {cls.__qualname__}, which JSON cannot hold"}
            case Either(shapes):
                return {"anyOf": [self.shape(each) for each in shapes]}

    def table(self, shape: Table) -> dict[str, Any]:
        schema = {"type": "object", "additionalProperties": self.shape(shape.value)}
        names = {"pattern": WHOLE_KEY} if isinstance(shape.key, Whole) else self.shape(shape.key)
        if shape.key not in (Text(), Anything()):
            schema["propertyNames"] = names
        return {**schema, **_size(shape.length, "Properties")}

    def reference(self, cls: type) -> str:
        if cls not in self.names:
            name = cls.__qualname__.replace("<locals>.", "")
            while name in self.definitions:
                name += "_"
            self.names[cls] = name
            self.definitions[name] = {}  # taken, before what is inside may want the same
            description = describe(cls)
            self.definitions[name] = dict(_NOTHING) if description is None else self.record(description)
        return f"#/$defs/{self.names[cls]}" if self.names[cls] else "#"


def _default(described: Field) -> dict[str, Any]:
    """Return the default if JSON has it, which of what nothing is known it may not: no text stands for a date."""
    if described.default is None:
        return {}
    default = to_json_form(default_value(described))
    if any(omissions(default)):
        return {}
    if described.shape == Anything() and isinstance(default, str):
        return {}
    return {"default": default} if _accepted(described.shape, default) else {}


def _with_its_default(schema: dict[str, Any], default: Any) -> dict[str, Any]:
    """Return a field's schema, such that it accepts the default also if that is a number that JSON has not."""
    if not (isinstance(default, dict) and default.keys() == {"$number"}):
        return schema
    others = {"$comment": NOT_FINITE, **_object({"$number": {"enum": ["nan", "inf", "-inf"]}})}
    return {"anyOf": [*schema.get("anyOf", [schema]), others]}


def _members(shape: Member) -> dict[str, Any]:
    """Return the members' values; if JSON has none of them, their names."""
    values = _forms(shape, [each.value for each in shape.members])
    return _enum({"title": shape.cls.__name__}, values or _forms(shape, [each.name for each in shape.members]))


def _forms(shape: Shape, values: list[Any]) -> list[Any]:
    """Return the values as JSON has them, without those that it has not."""
    return [form for form in map(to_json_form, values) if _accepted(shape, form)]


def _enum(schema: dict[str, Any], forms: list[Any]) -> dict[str, Any]:
    if not forms:
        return dict(_NOTHING)
    kinds = {_KINDS.get(type(form)) for form in forms}
    kind = {"type": kinds.pop()} if len(kinds) == 1 and "type" not in schema else {}
    return {**schema, **{key: each for key, each in kind.items() if each is not None}, "enum": forms}


def _title(name: str) -> str:
    return name.replace("_", " ").title().strip()


def _is_titled(shape: Shape) -> bool:
    """Return whether a field is titled by its name, and not by the class that its values are of."""
    match shape:
        case Record() | Member():
            return False
        case Either(shapes) if Null() in shapes and len(shapes) == 2:
            return all(_is_titled(each) for each in shapes)
    return True


def _accepted(shape: Shape, form: Any) -> bool:
    try:
        coerced(shape, form, "")
    except SettingsCoercionError:
        return False
    return True


def _range(limits: Limits) -> dict[str, Any]:
    lower = "exclusiveMinimum" if limits.above else "minimum"
    upper = "exclusiveMaximum" if limits.below else "maximum"
    both = {lower: limits.lower, upper: limits.upper}
    return {key: each for key, each in both.items() if each is not None and math.isfinite(each)}


def _size(length: Limits, noun: str) -> dict[str, Any]:
    both = {f"min{noun}": length.lower, f"max{noun}": length.upper}
    return {key: each for key, each in both.items() if each is not None}
