"""The one place that chooses how a settings type is read, and remembers what was read."""

from functools import lru_cache

from ezmsg.control.settings_schema.fields.descriptions import Description
from ezmsg.control.settings_schema.fields.kinds import (
    is_attrs_type,
    is_dataclass_type,
    is_param_type,
    is_pydantic_type,
    is_record_type,
)
from ezmsg.control.settings_schema.sources.attrs_fields import describe_attrs
from ezmsg.control.settings_schema.sources.dataclass_fields import describe_dataclass
from ezmsg.control.settings_schema.sources.param_fields import describe_param
from ezmsg.control.settings_schema.sources.pydantic_fields import describe_pydantic


def describe(cls: object) -> Description | None:
    """Return the description of a settings type, ``None`` if this is not one or it cannot be read."""
    try:
        if is_param_type(cls):
            return describe_param(cls)  # parameters of a class can be changed while a program runs
        return _describe(cls) if is_record_type(cls) else None
    except Exception:  # noqa: BLE001  protects a registration from classes whose declarations run code
        return None


def describe_value(value: object) -> Description | None:
    """Return the description of a value's type, ``None`` if it has no fields that could be listed."""
    if not is_param_type(type(value)):
        return describe(type(value))
    try:
        return describe_param(value)
    except Exception:  # noqa: BLE001  see `describe`
        return None


@lru_cache(maxsize=1024)
def _describe(cls: type) -> Description:
    if is_pydantic_type(cls):
        return describe_pydantic(cls)
    if is_dataclass_type(cls):
        return describe_dataclass(cls)
    assert is_attrs_type(cls)
    return describe_attrs(cls)
