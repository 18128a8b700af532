"""Settings described and changed as data: the public names of `ezmsg.control.settings_schema`.

None of these functions but those that change something ever fails: what cannot be described has no schema.
"""

from typing import Any

from ezmsg.control.errors import InvalidSettingsValue, SettingsCoercionError, SettingsRefused, UnknownSettingsField
from ezmsg.control.settings_schema.describing.metadata import schema_metadata
from ezmsg.control.settings_schema.describing.structured import readable, structured
from ezmsg.control.settings_schema.patching.patches import patched
from ezmsg.control.settings_schema.patching.typed_paths import coerced_at
from ezmsg.protocol.model.metadata import SettingsSchemaMetadata
from ezmsg.protocol.wire.plain import safe_repr

__all__ = [
    "InvalidSettingsValue",
    "SettingsCoercionError",
    "SettingsRefused",
    "UnknownSettingsField",
    "coerce_settings_field_value",
    "patched",
    "settings_json_schema",
    "settings_repr_value",
    "settings_schema_from_type",
    "settings_schema_from_value",
    "settings_structured_value",
]


def settings_schema_from_type(settings_type: object) -> SettingsSchemaMetadata | None:
    """Return the fields of a settings type: a dataclass, or what attrs, pydantic or param describe; else ``None``.

    Not to be changed: the next call returns the same object.
    """
    return schema_metadata(settings_type)


def settings_schema_from_value(value: object) -> SettingsSchemaMetadata | None:
    """Return the fields of a value's type, ``None`` if it has none. Defaults are those of the type."""
    return schema_metadata(type(value))


def settings_json_schema(settings_type: object) -> dict[str, Any] | None:
    """Return a settings type as JSON Schema, ``None`` if it cannot be described."""
    schema = schema_metadata(settings_type)
    return None if schema is None else schema.json_schema


def settings_structured_value(value: object) -> dict[str, Any] | None:
    """Return a settings value as JSON has it, by field; NaN stays, an array of numbers is nested lists.

    What is too large is told as ``{"$omitted": type, "dtype": ..., "shape": [...], "digest": ...}``. ``None`` if
    the value has no fields.
    """
    return _by_field(structured(value))


def settings_repr_value(value: object) -> dict[str, Any] | str:
    """Return a settings value for people: as plain data by field, with the repr of what is more than a number or
    text; the repr of the whole if it has no fields.
    """
    form = _by_field(readable(value))
    return safe_repr(value) if form is None else form


def coerce_settings_field_value(settings_type: object, field_path: str, value: Any) -> Any:
    """Return a value as the field at a path of a settings type has it; of ``a[0].b``, each step is looked up.

    :raises SettingsCoercionError: if there is no such field, or it does not allow the value.
    """
    return coerced_at(settings_type, field_path, value)


def _by_field(form: Any) -> dict[str, Any] | None:
    return form if isinstance(form, dict) else None
