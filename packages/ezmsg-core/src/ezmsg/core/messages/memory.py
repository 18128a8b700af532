"""Which memory an object lies in: the question behind every view that is handed on or kept.

NumPy's arrays know the object whose memory they use, but tell the garbage collector nothing about it; everything
else tells the garbage collector what it refers to.
"""

import datetime
import enum
import functools
import gc
import sys
import types
import uuid
from collections.abc import Iterable
from typing import Any, cast

from ezmsg.core.messages.payload import Array
from ezmsg.core.support import arrays
from ezmsg.core.support.arrays import loaded_numpy, ndarray_class

LIMIT = 2000
"""How many objects of one message are looked at before the answer is: perhaps."""

# What refers to no message: values that are complete in themselves, and the furniture of the interpreter.
_LEAVES = (
    *(bool, int, float, complex, str, bytes, bytearray, types.NoneType, types.EllipsisType),
    *(datetime.date, datetime.time, datetime.timedelta, uuid.UUID, enum.Enum),
    *(type, types.ModuleType, types.FunctionType, types.BuiltinFunctionType, types.CodeType, types.FrameType),
)

_COMMON_LEAVES = frozenset((bool, int, float, str, types.NoneType, type))
"""Those that most of a message consists of, and that own no memory."""


def referents(item: object) -> list[Any]:
    """Return what an object refers to, as far as it can be known."""
    numpy = loaded_numpy()
    if numpy is None:
        return gc.get_referents(item)
    if isinstance(item, numpy.void):  # an element of a structured array is a view of it
        return [item.base]
    if not isinstance(item, numpy.ndarray):
        return gc.get_referents(item)
    found: list[Any] = [] if type(item) is numpy.ndarray else gc.get_referents(item)
    if item.dtype.hasobject:
        found += item.ravel().tolist()
    if item.base is not None:
        found.append(item.base)
    return found


def is_leaf(item: object) -> bool:
    """Whether an object surely refers to no message."""
    cls: Any = type(item)
    return _is_leaf(cls)


@functools.lru_cache(1024)
def _is_leaf(cls: type) -> bool:
    return issubclass(cls, (*_LEAVES, *_leaves_of_numpy(), *_decimals()))


def _leaves_of_numpy() -> list[type]:
    numpy, random = loaded_numpy(), sys.modules.get("numpy.random")
    names = ("number", "bool_", "character", "datetime64", "dtype")
    leaves = [] if numpy is None else [getattr(numpy, name) for name in names]
    return leaves if random is None else [*leaves, random.Generator]


def _decimals() -> list[type]:
    decimal = sys.modules.get("decimal")  # few programs have any, and its import takes long
    return [] if decimal is None else [decimal.Decimal]


def memory_used(value: object, owners: Iterable[object]) -> set[int]:
    """Return the ids of those owners in whose memory ``value`` lies; of all, if it cannot be looked into.

    :param owners: owners of memory, as ``memoryview.obj`` names them.
    """
    asked = {id(owner) for owner in owners}
    if type(value) is arrays.ndarray and _owns_all(cast(Array, value)):  # the usual case, at a third of the cost
        return asked & {id(value)}
    used: set[int] = set()
    seen: set[int] = set()
    waiting = [value]
    while waiting:
        item = waiting.pop()
        cls: Any = type(item)
        if cls in _COMMON_LEAVES:
            continue
        key = id(item)
        if key in asked:
            used.add(key)
            continue
        if key in seen or _is_leaf(cls):
            continue
        seen.add(key)
        found = referents(item)
        if len(seen) > LIMIT or (not found and not _is_known_empty(item)):
            return asked
        waiting += found
    return used


def _owns_all(array: Array) -> bool:
    """Whether an array refers to nothing, and lies in memory of its own."""
    return array.base is None and not array.dtype.hasobject


def _is_known_empty(item: object) -> bool:
    """Whether an object that names nothing refers to nothing, and does not merely keep it to itself."""
    return isinstance(item, (ndarray_class(), tuple, list, dict, set, frozenset)) or gc.is_tracked(item)
