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
from collections.abc import Container, Iterable
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


def spans_of(value: object, owners: Container[int]) -> list[tuple[int, int]] | None:
    """Return from where to where the arrays of an object lie, in addresses.

    :param owners: ids of owners of memory.
    :return: ``None`` if it cannot be looked into, or uses that memory by something that is no array.
    """
    spans: list[tuple[int, int]] = []
    seen: set[int] = set()
    waiting = [value]
    while waiting:
        item: Any = waiting.pop()
        if id(item) in owners:
            return None
        if id(item) in seen or is_leaf(item):
            continue
        seen.add(id(item))
        if isinstance(item, ndarray_class()) and not item.dtype.hasobject:
            spans.append(_bounds(item))
            found = [] if type(item) is arrays.ndarray else gc.get_referents(item)
        else:
            found = referents(item)
            if not found and not _is_known_empty(item):
                return None
        if len(seen) > LIMIT:
            return None
        waiting += found
    return spans


def _bounds(array: Array) -> tuple[int, int]:
    first = last = array.__array_interface__["data"][0]
    if not array.size:
        return first, first
    for length, stride in zip(array.shape, array.strides, strict=True):
        if stride < 0:
            first += (length - 1) * stride
        else:
            last += (length - 1) * stride
    return first, last + array.itemsize


def span_of(memory: memoryview) -> tuple[int, int]:
    """Return from where to where memory lies, in addresses."""
    import numpy as np

    first = np.frombuffer(memory, np.uint8).__array_interface__["data"][0]
    return first, first + len(memory)


def _owns_all(array: Array) -> bool:
    """Whether an array refers to nothing, and lies in memory of its own."""
    return array.base is None and not array.dtype.hasobject


def _is_known_empty(item: object) -> bool:
    """Whether an object that names nothing refers to nothing, and does not merely keep it to itself."""
    return isinstance(item, (ndarray_class(), tuple, list, dict, set, frozenset)) or gc.is_tracked(item)
