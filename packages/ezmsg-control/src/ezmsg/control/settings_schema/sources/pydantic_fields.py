"""Models of pydantic 2: bounds and descriptions from ``Field(...)``, and pydantic itself has the last word.

pydantic is not imported here: whoever has a model has it loaded. What only pydantic understands, such as a date,
is passed to it as it came.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from ezmsg.control.settings_schema.fields.descriptions import Description, Field
from ezmsg.control.settings_schema.fields.shapes import open_instances, sized, within
from ezmsg.control.settings_schema.sources.annotations import length_from, limits_from, shape_of, type_name
from ezmsg.control.settings_schema.sources.field_metadata import hints_from, shape_with
from ezmsg.protocol.declared import changed


def describe_pydantic(cls: Any) -> Description:
    """Describe a model; a default that needs the values of other fields is not shown."""
    fields = tuple(_field(name, each) for name, each in cls.model_fields.items())
    return Description("pydantic", cls, fields, make=_made, replace=_replaced)


def _field(name: str, declared: Any) -> Field:
    extra = declared.json_schema_extra if isinstance(declared.json_schema_extra, Mapping) else {}
    shape = open_instances(shape_of(declared.annotation))
    for each in declared.metadata:
        shape = sized(within(shape, limits_from(each)), length_from(each))
    return Field(
        name=name,
        type_name=type_name(declared.annotation),
        shape=shape_with(shape, extra),
        required=declared.is_required(),
        default=_default(declared),
        hints=changed(hints_from(extra, declared.description), validator=None),
    )


def _default(declared: Any) -> Callable[[], object] | None:
    if declared.is_required() or declared.default_factory_takes_validated_data:
        return None
    return partial(declared.get_default, call_default_factory=True)


def _made(cls: Any, values: Mapping[str, Any]) -> Any:
    return cls.model_validate(_by_alias(cls, values))


def _replaced(value: Any, changes: Mapping[str, Any]) -> Any:
    """Validate the whole, then copy: private attributes and what was set explicitly are those of the original."""
    cls = type(value)
    old = {each: getattr(value, each) for each in cls.model_fields}
    extra = value.model_extra or {}
    valid = cls.model_validate({**extra, **_by_alias(cls, {**old, **changes})})
    # A validator of the model may have changed other fields too.
    changed = {
        each: getattr(valid, each) for each in old if each in changes or getattr(valid, each) is not old[each]
    }
    copied = value.model_copy(update=changed)
    copied.__pydantic_fields_set__.intersection_update({*value.model_fields_set, *changes})
    return copied


def _by_alias(cls: Any, values: Mapping[str, Any]) -> dict[str, Any]:
    return {_alias(name, cls.model_fields[name]): each for name, each in values.items()}


def _alias(name: str, declared: Any) -> str:
    alias = declared.validation_alias or declared.alias
    choices = [alias, *getattr(alias, "choices", ())]
    return next((each for each in choices if isinstance(each, str)), name)
