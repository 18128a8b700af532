"""Which dataclasses `records` may take apart, and how a message says of which class it is."""

import copyreg
import dataclasses
import importlib
import sys
from types import ModuleType
from typing import Any

from ezmsg.core.errors import MessageClassNotFound

PREFIX = "dataclass:"
"""What the name of an encoding of a dataclass begins with; its module and its name in there follow."""


def name_of(cls: type) -> str | None:
    """Return the name of the encoding of a class, or ``None`` if its objects cannot be sent in this way."""
    name = f"{PREFIX}{cls.__module__}:{cls.__qualname__}"
    # One of a function, or another one under the same name: pickle tells what is wrong with it.
    found = _at(sys.modules.get(cls.__module__), cls.__qualname__)
    return name if found is cls and _suits(cls) else None


def class_of(name: str, *, load: bool) -> type[Any]:
    """Return the class that the name of an encoding speaks of.

    :param load: import its module if nobody has.
    :raises MessageClassNotFound: if there is none, or it is none whose objects are sent in this way.
    """
    module, _, path = name.removeprefix(PREFIX).partition(":")
    class_name = f"{module}.{path}"
    try:
        place = importlib.import_module(module) if load else sys.modules[module]
    except KeyError:
        reason = f"{module} is not imported, and while pickle is forbidden no message has anything imported"
        raise MessageClassNotFound(class_name=class_name, reason=reason) from None
    except Exception as error:  # whatever a module raises when it is imported
        raise MessageClassNotFound(class_name=class_name, reason=f"{type(error).__name__}: {error}") from error
    found = _at(place, path)
    if not isinstance(found, type):
        raise MessageClassNotFound(class_name=class_name, reason=f"there is no such class in {module}")
    if not _suits(found):
        reason = "here it is no dataclass, or has a pickle of its own"
        raise MessageClassNotFound(class_name=class_name, reason=reason)
    return found


def _at(place: Any, path: str) -> Any:
    """Return what lies at a path of names, in a module and in classes alone."""
    for name in path.split("."):
        place = vars(place).get(name) if isinstance(place, ModuleType | type) else None
    return place


def _suits(cls: type[Any]) -> bool:
    """Whether an object of this class is its fields and nothing else."""
    if not dataclasses.is_dataclass(cls) or cls.__new__ is not object.__new__ or cls in copyreg.dispatch_table:
        return False
    if cls.__reduce_ex__ is not object.__reduce_ex__ or cls.__reduce__ is not object.__reduce__:
        return False
    if any(hasattr(cls, way) for way in ("__getnewargs__", "__getnewargs_ex__")):
        return False
    slots = slots_of(cls)
    if slots and (cls.__dictoffset__ or slots != {*names_of(cls)}):
        return False
    ways = [getattr(cls, way, None) for way in ("__getstate__", "__setstate__")]
    if ways == [getattr(object, "__getstate__", None), None]:
        return True
    # Those of a frozen one with slots are not its own.
    return all(getattr(way, "__module__", None) == dataclasses.__name__ for way in ways)


def slots_of(cls: type) -> set[str]:
    """Return what an object of a class has in slots."""
    found: set[str] = set()
    for base in cls.__mro__:
        own = vars(base).get("__slots__", ())
        found.update([own] if isinstance(own, str) else own)
    return found - {"__weakref__", "__dict__"}


def names_of(cls: type[Any]) -> list[str]:
    """Return the names of the fields of a dataclass."""
    return [field.name for field in dataclasses.fields(cls)]
