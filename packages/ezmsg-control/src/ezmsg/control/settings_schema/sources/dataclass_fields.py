"""Dataclasses: fields with ``field(metadata={"min": 0, "unit": "Hz"})``. Every `ezmsg.core.Settings` is one."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

from ezmsg.control.settings_schema.fields.descriptions import Description, Field
from ezmsg.control.settings_schema.sources.annotations import annotations_of, shape_of, type_name
from ezmsg.control.settings_schema.sources.field_metadata import hints_from, shape_with


def describe_dataclass(cls: type) -> Description:
    """Describe a dataclass; fields whose name starts with an underscore are nobody else's business."""
    public = [each for each in dataclasses.fields(cls) if not each.name.startswith("_")]
    types = annotations_of(cls, {each.name: each.type for each in public})
    fields = tuple(_field(each, types[each.name]) for each in public)
    return Description("dataclass", cls, fields, make=_made, replace=_replaced)


def _field(declared: dataclasses.Field[Any], annotation: Any) -> Field:
    default = _default(declared)
    return Field(
        name=declared.name,
        type_name=type_name(annotation),
        shape=shape_with(shape_of(annotation), declared.metadata),
        required=declared.init and default is None,
        default=default,
        hints=hints_from(declared.metadata, getattr(declared, "doc", None)),  # `doc` is of Python 3.14
        settable=declared.init,
    )


def _default(declared: dataclasses.Field[Any]) -> Callable[[], object] | None:
    if declared.default_factory is not dataclasses.MISSING:
        return declared.default_factory
    return None if declared.default is dataclasses.MISSING else lambda: declared.default


def _made(cls: Any, values: Mapping[str, Any]) -> Any:
    return cls(**values)


def _replaced(value: Any, changes: Mapping[str, Any]) -> Any:
    return dataclasses.replace(value, **changes)
