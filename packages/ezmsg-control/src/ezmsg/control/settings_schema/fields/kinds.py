"""Which library a settings type belongs to. None is imported for it: whoever has such a class has it loaded."""

import sys
from dataclasses import is_dataclass
from typing import Any, TypeGuard

import attrs


def is_dataclass_type(cls: object) -> TypeGuard[type]:
    """Return whether this is a dataclass, and not an instance of one."""
    return isinstance(cls, type) and is_dataclass(cls)


def is_attrs_type(cls: object) -> TypeGuard[type[attrs.AttrsInstance]]:
    """Return whether attrs made this class."""
    return isinstance(cls, type) and attrs.has(cls)


def is_pydantic_type(cls: object) -> TypeGuard[Any]:
    """Return whether this is a model of pydantic 2."""
    return _derives(cls, "pydantic", "BaseModel") and hasattr(cls, "model_fields")


def is_param_type(cls: object) -> TypeGuard[Any]:
    """Return whether this is a ``Parameterized`` of param."""
    return _derives(cls, "param", "Parameterized")


def is_record_type(cls: object) -> TypeGuard[type]:
    """Return whether the fields of this type can be listed."""
    return is_dataclass_type(cls) or is_attrs_type(cls) or is_pydantic_type(cls) or is_param_type(cls)


def _derives(cls: object, module: str, name: str) -> bool:
    base = getattr(sys.modules.get(module), name, None)
    return isinstance(cls, type) and isinstance(base, type) and issubclass(cls, base)
