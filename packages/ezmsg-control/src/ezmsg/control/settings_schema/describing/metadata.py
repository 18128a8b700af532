"""A settings type in the form that the graph server stores and every client reads: `SettingsSchemaMetadata`."""

from functools import lru_cache
from typing import Any

from ezmsg.control.settings_schema.describing.json_schema import json_schema
from ezmsg.control.settings_schema.describing.omitting import PART_LIMIT
from ezmsg.control.settings_schema.describing.structured import default_value, structured
from ezmsg.control.settings_schema.fields.descriptions import Description, Field
from ezmsg.control.settings_schema.fields.kinds import is_param_type
from ezmsg.control.settings_schema.fields.limits import Limits
from ezmsg.control.settings_schema.fields.shapes import (
    Choice,
    Either,
    Flag,
    Items,
    Made,
    Member,
    Null,
    Real,
    Row,
    Shape,
    Text,
    Whole,
)
from ezmsg.control.settings_schema.sources.annotations import type_name
from ezmsg.control.settings_schema.sources.reading import describe
from ezmsg.protocol.model.metadata import SettingsFieldMetadata, SettingsSchemaMetadata
from ezmsg.protocol.wire.plain import pack

MAX_CHOICES = 1000
"""Of more values nobody chooses in a list, and each of them would be told with every report."""


def schema_metadata(cls: object) -> SettingsSchemaMetadata | None:
    """Return the schema of a settings type, ``None`` of what is not one or cannot be read.

    A type's schema is made once, so that the next call returns the same object.
    """
    try:
        return _schema(describe(cls)) if is_param_type(cls) else _remembered(cls)
    except Exception:  # noqa: BLE001  protects a registration from classes that run code when they are looked at
        return None


@lru_cache(maxsize=1024)
def _remembered(cls: object) -> SettingsSchemaMetadata | None:
    return _schema(describe(cls))


def _schema(description: Description | None) -> SettingsSchemaMetadata | None:
    if description is None:
        return None
    fields = [_field(each) for each in description.fields]
    try:
        schema = json_schema(description.cls)
        if len(pack(schema)) > PART_LIMIT:
            schema = None
    except Exception:  # noqa: BLE001  without it, the fields still say most
        schema = None
    return SettingsSchemaMetadata(description.provider, type_name(description.cls), fields, schema)


def _field(field: Field) -> SettingsFieldMetadata:
    choices = choices_of(field.shape)
    return SettingsFieldMetadata(
        name=field.name,
        field_type=field.type_name,
        required=field.required,
        default=default_value(field),
        description=field.hints.description,
        bounds=bounds_of(field.shape),
        choices=choices,
        widget_hint=field.hints.widget or _widget(field, choices is not None),
    )


def bounds_of(shape: Shape) -> tuple[float | None, float | None] | None:
    """Return the first and last number allowed, where one kind of number is what a shape is about."""
    match shape:
        case Whole(limits):
            return limits.inclusive(whole=True)
        case Real(limits):
            return limits.inclusive(whole=False)
        case Made(_, inner) | Items(inner) | Choice(inner):
            return bounds_of(inner)
        case Row(shapes) | Either(shapes):
            found = {bounds_of(each) for each in shapes if each != Null()}
            return found.pop() if len(found) == 1 else None
    return None


def choices_of(shape: Shape) -> list[Any] | None:
    """Return the values to choose from, as plain values; of a list, those of its items. Too many are none."""
    match shape:
        case Choice(choices=choices) | Member(members=choices) if len(choices) > MAX_CHOICES:
            return None
        case Choice(_, choices):
            return [structured(each) for each in choices]
        case Member(_, members):
            return [structured(each) for each in members]
        case Items(item):
            return choices_of(item)
        case Either(shapes):
            found = [each for each in map(choices_of, shapes) if each is not None]
            return found[0] if len(found) == 1 and len(shapes) == 2 and Null() in shapes else None
    return None


def _widget(field: Field, choosing: bool) -> str | None:
    if choosing:
        return "select"
    if field.hints.step is not None and isinstance(field.shape, Whole | Real) and field.shape.limits != Limits():
        return "slider"
    return _usual_widget(field.shape)


def _usual_widget(shape: Shape) -> str | None:
    match shape:
        case Flag():
            return "checkbox"
        case Whole():
            return "int_input"
        case Real():
            return "float_input"
        case Text():
            return "text_input"
        case Made(_, inner):
            return _usual_widget(inner)
        case Either(shapes):
            found = {_usual_widget(each) for each in shapes if each != Null()}
            found -= {"int_input"} if "float_input" in found else set()
            return found.pop() if len(found) == 1 else None
    return None
