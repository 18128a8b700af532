"""A door: schemas of settings live in `ezmsg.control.settingsmeta`; this path is kept for ezmsg 3's programs."""

from ezmsg.control.settingsmeta import (
    SettingsCoercionError,
    coerce_settings_field_value,
    settings_json_schema,
    settings_repr_value,
    settings_schema_from_type,
    settings_schema_from_value,
    settings_structured_value,
)

__all__ = [
    "SettingsCoercionError",
    "coerce_settings_field_value",
    "settings_json_schema",
    "settings_repr_value",
    "settings_schema_from_type",
    "settings_schema_from_value",
    "settings_structured_value",
]
