"""How many bytes are counted of an object that is handed on inside the process: those of its arrays, at no cost."""

from collections.abc import Callable
from operator import attrgetter
from types import GetSetDescriptorType
from typing import Any

from ezmsg.core.support.arrays import ndarray_class

CLASSES_LIMIT = 1000
"""So many classes are remembered; then all are forgotten, as a program may make classes as it goes."""

Look = Callable[[Any], Any]
"""Returns the size of an object, or else the dictionary of its attributes."""

_ARRAY = attrgetter("nbytes")
_SIZED: dict[type, Look | None] = {bytes: len, bytearray: len}
_looks = dict(_SIZED)


def object_size(obj: object) -> int:
    """Return the bytes of an array, of bytes, or of the array that an object has as its ``data``; else 0.

    Nothing of the object's own code is run, because whatever it did would be done for each message.
    """
    look = _look_at(obj)
    if look is None:
        return 0
    found = look(obj)
    if type(found) is int:
        return found
    data = dict.get(found, "data")
    return _ARRAY(data) if data is not None and _look_at(data) is _ARRAY else 0


def _look_at(obj: object) -> Look | None:
    cls = type(obj)
    try:
        return _looks[cls]
    except KeyError:
        return _remember(cls, obj)


def _remember(cls: type, obj: object) -> Look | None:
    """Find out, once for a class, how to look at its objects; ``None`` if there is nothing to be seen."""
    if len(_looks) >= CLASSES_LIMIT:
        _looks.clear()
        _looks.update(_SIZED)
    _looks[cls] = look = _look(cls, obj)
    return look


def _look(cls: type, obj: object) -> Look | None:
    if cls is ndarray_class():
        return _ARRAY
    # Objects with slots have no dictionary, and a class may have made it a property, whose code is not ours to run.
    attribute = next((each.__dict__["__dict__"] for each in cls.__mro__ if "__dict__" in each.__dict__), None)
    if not isinstance(attribute, GetSetDescriptorType):
        return None
    look = attribute.__get__
    return look if isinstance(look(obj), dict) else None
