"""``name=value`` on a command line as settings of a component that is about to run, held to their schema."""

from collections.abc import Iterable, Mapping
from typing import Any

from ezmsg.control.cli.assignments import split, value_of
from ezmsg.control.settings_schema.describing.json_paths import subschema
from ezmsg.control.settings_schema.fields.paths import parse_path
from ezmsg.control.settingsmeta import (
    coerce_settings_field_value,
    patched,
    settings_json_schema,
    settings_schema_from_type,
)
from ezmsg.core.errors import SettingsNotGiven
from ezmsg.core.graph.component import Component
from ezmsg.core.graph.settings import Settings
from ezmsg.protocol.model.metadata import SettingsFieldMetadata


def made(cls: type[Component], texts: Iterable[str]) -> Component:
    """Return a component with the settings that the texts say, and the defaults of all others.

    :raises InvalidAssignment: if a text is no ``name=value``.
    :raises SettingsNotGiven: if a setting without a default is not among them.
    :raises SettingsCoercionError: if there is no such setting, or it does not allow the value.
    """
    return cls(settings=_settings(cls, _values(cls.__settings_type__, texts)))


def changed(component: Component, texts: Iterable[str]) -> Component:
    """Return a component that exists, with these of its settings changed.

    :raises EzmsgError: as :func:`made` does.
    """
    values = _values(type(component.SETTINGS or component.__settings_type__()), texts)
    if values:
        component.apply_settings(patched(component.SETTINGS, "", values))
    return component


def _settings(cls: type[Component], values: Mapping[str, Any]) -> Settings:
    settings_type = cls.__settings_type__
    own = {path: value for path, value in values.items() if len(parse_path(path)) == 1}
    inside = {path: value for path, value in values.items() if path not in own}
    schema = settings_schema_from_type(settings_type)
    fields = [] if schema is None else schema.fields
    fitting = {path: coerce_settings_field_value(settings_type, path, value) for path, value in own.items()}
    missing = [_written(each) for each in fields if each.required and each.name not in own]
    if missing:
        raise SettingsNotGiven(component=cls.__qualname__, missing=missing)
    settings: Settings = settings_type(**fitting)
    return patched(settings, "", inside) if inside else settings


def _values(settings_type: type, texts: Iterable[str]) -> dict[str, Any]:
    schema = settings_json_schema(settings_type)
    return {path: value_of(text, subschema(schema, path)) for path, text in split(texts).items()}


def _written(field: SettingsFieldMetadata) -> str:
    kind = field.field_type.rpartition(".")[2].upper()
    return f"{field.name}={kind if kind.isidentifier() else 'VALUE'}"
