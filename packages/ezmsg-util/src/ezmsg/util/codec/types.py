"""Classes by name, and the few that logs themselves are made of."""

import importlib
from dataclasses import dataclass
from typing import Any, NamedTuple

from ezmsg.util.errors import UnknownType

__all__ = ["LogStart", "StampedMessage", "import_type", "type_str"]

PUBLIC_MODULE = "ezmsg.util.messagecodec"
"""What logs, which outlive every release, call the module of these classes."""


@dataclass
class LogStart:
    """The first line of a log; it is no message."""

    __module__ = PUBLIC_MODULE


class StampedMessage(NamedTuple):
    """A message, and when it was logged, in seconds of the system's clock."""

    msg: Any
    timestamp: float | None


def type_str(obj: Any) -> str:
    """Return the name of an object's class, as :func:`import_type` reads it: ``package.module:Outer.Inner``."""
    cls = type(obj)
    return f"{cls.__module__}:{cls.__qualname__}"


def import_type(typestr: str) -> type:
    """Return the class that has a name, importing its module.

    :raises UnknownType: if there is none, or it is no class.
    """
    module_name, colon, path = str(typestr).partition(":")
    if not (module_name and colon and path) or ":" in path:
        raise UnknownType(type_name=str(typestr), reason="a name has the form module:Class")
    try:
        found: Any = importlib.import_module(module_name)
    except ImportError as error:
        raise UnknownType(type_name=typestr, reason=f"{error}. Install what it is from") from error
    for name in path.split("."):
        found = getattr(found, name, None)
    if not isinstance(found, type):
        raise UnknownType(type_name=typestr, reason="there is no such class in the module")
    return found
