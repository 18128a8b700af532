"""Where a path leads in a settings type, when there is no value to walk through."""

from typing import Any

from ezmsg.control.errors import SettingsCoercionError, UnknownSettingsField
from ezmsg.control.settings_schema.fields.descriptions import Validator
from ezmsg.control.settings_schema.fields.paths import Step, joined, parse_path
from ezmsg.control.settings_schema.fields.shapes import (
    Anything,
    Choice,
    Either,
    Items,
    Record,
    Row,
    Shape,
    Table,
    either,
)
from ezmsg.control.settings_schema.patching.coercion import given, is_settable, key_of, unknown_field
from ezmsg.control.settings_schema.sources.annotations import shape_of
from ezmsg.control.settings_schema.sources.reading import describe


def coerced_at(settings_type: object, path: str, value: Any) -> Any:
    """Return the value as the field at the path has it.

    :raises SettingsCoercionError: if there is no such field, or it does not allow the value.
    """
    shape, validator, here = shape_of(settings_type), None, ""
    for step in parse_path(path):
        shape, validator, here = *_child(shape, step, here), joined(here, step)
    return given(shape, validator, value, path)


def _child(shape: Shape, step: Step, path: str) -> tuple[Shape, Validator | None]:
    match shape:
        case Anything() | Choice():
            return Anything(), None
        case Record(cls):
            return _field(cls, step, joined(path, step))
        case Table():
            key_of(shape, step, path)
            return shape.value, None
        case Items(item) if isinstance(step, int):
            return item, None
        case Row(items) if isinstance(step, int) and step < len(items):
            return items[step], None
        case Either(shapes):
            return _child_of_one(shapes, step, path)
    raise UnknownSettingsField(path=joined(path, step), reason=f"{path or 'the settings'} has nothing inside")


def _field(cls: type, step: Step, path: str) -> tuple[Shape, Validator | None]:
    description = describe(cls)
    if description is None:
        return Anything(), None
    if not isinstance(step, str) or not is_settable(description, step):
        raise unknown_field(description, step, path)
    field = description.by_name[step]
    return field.shape, field.hints.validator


def _child_of_one(shapes: tuple[Shape, ...], step: Step, path: str) -> tuple[Shape, Validator | None]:
    found: list[tuple[Shape, Validator | None]] = []
    errors: list[SettingsCoercionError] = []
    for each in shapes:
        try:
            found.append(_child(each, step, path))
        except SettingsCoercionError as error:
            errors.append(error)
    if not found:
        raise errors[0]
    return found[0] if len(found) == 1 else (either([shape for shape, _ in found]), None)
