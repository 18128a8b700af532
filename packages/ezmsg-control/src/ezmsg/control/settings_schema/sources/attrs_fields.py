"""Classes of attrs: bounds and choices from ``field(metadata=...)`` and from attrs' own validators."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, cast

import attrs

from ezmsg.control.settings_schema.fields.descriptions import Description, Field
from ezmsg.control.settings_schema.fields.shapes import Shape, among
from ezmsg.control.settings_schema.sources.annotations import annotations_of, shape_of, type_name
from ezmsg.control.settings_schema.sources.field_metadata import hints_from, shape_with

_COMPARISONS = {">=": "ge", ">": "gt", "<=": "le", "<": "lt"}


def describe_attrs(cls: type[attrs.AttrsInstance]) -> Description:
    """Describe a class of attrs; a default that needs the instance is not shown."""
    public = [each for each in attrs.fields(cls) if not each.name.startswith("_")]
    types = annotations_of(cls, {each.name: Any if each.type is None else each.type for each in public})
    fields = tuple(_field(each, types[each.name]) for each in public)
    return Description("attrs", cls, fields, make=_made, replace=_replaced)


def _field(declared: Any, annotation: Any) -> Field:
    return Field(
        name=declared.name,
        type_name=type_name(annotation),
        shape=_validated(shape_with(shape_of(annotation), declared.metadata), declared.validator),
        required=declared.init and declared.default is attrs.NOTHING,
        default=_default(declared.default),
        hints=hints_from(declared.metadata),
        settable=declared.init,
    )


def _default(default: Any) -> Callable[[], object] | None:
    if type(default).__name__ == "Factory":
        return None if default.takes_self else cast(Callable[[], object], default.factory)
    return None if default is attrs.NOTHING else lambda: default


def _validated(shape: Shape, validator: Any) -> Shape:
    for each in _flat(validator):
        compared = _COMPARISONS.get(getattr(each, "compare_op", None) or "")
        if compared is not None:
            shape = shape_with(shape, {compared: each.bound})
        options = getattr(each, "options", None)
        if isinstance(options, list | tuple | set | frozenset):
            shape = among(shape, tuple(options))
    return shape


def _flat(validator: Any) -> Iterator[Any]:
    """Yield what must hold all together: the parts of ``and_``, and what ``optional`` asks of what is not None."""
    parts = getattr(validator, "_validators", None)
    if isinstance(parts, tuple):
        for each in parts:
            yield from _flat(each)
    elif type(validator).__name__ == "_OptionalValidator":
        yield from _flat(validator.validator)
    elif validator is not None:
        yield validator


def _made(cls: Any, values: Mapping[str, Any]) -> Any:
    aliases = {each.name: each.alias for each in attrs.fields(cls)}
    return cls(**{aliases[name]: each for name, each in values.items()})


def _replaced(value: Any, changes: Mapping[str, Any]) -> Any:
    aliases = {each.name: each.alias for each in attrs.fields(type(value))}
    return attrs.evolve(value, **{aliases[name]: new for name, new in changes.items()})
