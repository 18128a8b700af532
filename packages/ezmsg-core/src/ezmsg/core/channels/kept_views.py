"""Whether anybody keeps a view whose lease has ended, and who: for debugging, exact before fast.

What was *held* is a list of two: the message, and the guard that lives as long as anything lies in its memory. A
name in the function that received the message does not keep it: after ``async with ... as message:`` such a name
is there until it is bound anew. So references are counted: all that lead to the guard must be explained by the
parts of the message and by those names. Whatever is left over belongs to somebody who keeps it.
"""

import gc
import sys
from collections import Counter
from collections.abc import Iterator
from types import AsyncGeneratorType, CoroutineType, FrameType, GeneratorType
from typing import Any

from ezmsg.core.messages.memory import LIMIT, is_leaf, referents
from ezmsg.core.support.arrays import ndarray_class

MOST_HOLDERS = 3
"""How many holders are named."""

Objects = dict[int, Any]
"""Objects by their id, each of which is referred to here once."""


def names_in(frame: FrameType) -> list[Any]:
    """Return what the names of a running function stand for."""
    names = frame.f_locals
    values = list(names.values())
    if sys.version_info < (3, 13) and names is not frame.f_globals:
        names.clear()  # a copy that the frame would keep, and everything in it
    return values


def is_kept(held: list[Any], names: list[Any]) -> bool:
    """Whether something refers to the guard other than the message in ``held`` and ``names``."""
    objects = _leading_to(held, names)
    explained = Counter([id(each) for each in held])
    for each in names:
        explained[id(each)] += 2  # in its function, and in our list
    for each in objects.values():
        explained.update(id(found) for found in referents(each) if id(found) in objects)
    del each
    return any(sys.getrefcount(objects[key]) - _OURSELVES > explained[key] for key in objects)


def holders_of(held: list[Any], receiver: FrameType) -> list[str]:
    """Return in words what keeps the message, or a part of it; nothing that its receiver's names explain."""
    parts = _leading_to(held, [])
    found: list[str] = []
    gc.unfreeze()  # a worker's units were there before it started, and are the first to keep a view
    for holder in gc.get_objects():
        if holder is held or holder is parts or id(holder) in parts or _belongs_to(holder, receiver):
            continue
        for item in _contents_of(holder):
            if item is held[0] or (isinstance(item, (ndarray_class(), memoryview)) and _reaches(item, held[1])):
                found.append(_in_words(holder, item))
                break
        if len(found) == MOST_HOLDERS:
            break
    return list(dict.fromkeys(found))


# --- which objects lead to the guard ----------------------------------------------------------------------------


def _leading_to(held: list[Any], names: list[Any]) -> Objects:
    """Return the guard, and all parts of the message and arrays among the names through which it is reached."""
    waiting = [held[0], *(each for each in names if isinstance(each, (ndarray_class(), memoryview)))]
    guard = id(held[1])
    objects: Objects = {guard: held[1]}
    pointing: dict[int, list[int]] = {}
    while waiting and len(objects) < LIMIT:
        item = waiting.pop()
        if id(item) in objects or is_leaf(item):
            continue
        objects[id(item)] = item
        for found in referents(item):
            pointing.setdefault(id(found), []).append(id(item))
            waiting.append(found)
    leading = set(_closure(guard, pointing))
    return {key: item for key, item in objects.items() if key in leading}


def _closure(start: int, pointing: dict[int, list[int]]) -> Iterator[int]:
    seen = set()
    waiting = [start]
    while waiting:
        key = waiting.pop()
        if key not in seen:
            seen.add(key)
            yield key
            waiting += pointing.get(key, [])


def _contents_of(holder: object) -> Iterator[Any]:
    """Yield what an object refers to, also through dicts and tuples that the garbage collector does not list."""
    waiting = gc.get_referents(holder)
    while waiting:
        item = waiting.pop()
        yield item
        if isinstance(item, dict | tuple) and not gc.is_tracked(item):
            waiting += gc.get_referents(item)


def _reaches(item: Any, guard: object) -> bool:
    while item is not None and item is not guard:
        item = item.base if isinstance(item, ndarray_class()) else getattr(item, "obj", None)
    return item is guard


# --- words ------------------------------------------------------------------------------------------------------


def _belongs_to(holder: object, receiver: FrameType) -> bool:
    if isinstance(holder, CoroutineType):
        return holder.cr_frame is receiver
    if isinstance(holder, AsyncGeneratorType):
        return holder.ag_frame is receiver
    return holder is receiver


def _in_words(holder: Any, item: object) -> str:
    match holder:
        case dict():
            return _dict_in_words(holder, item)
        case CoroutineType() | GeneratorType() | AsyncGeneratorType():
            return f"a call of {holder.__qualname__} that is not over"
        case FrameType():
            return f"a traceback through {holder.f_code.co_qualname}"
    for name, value in (_attributes_of(holder) or {}).items():
        if value is item:
            return f"attribute {name!r} of {type(holder).__qualname__}"
    return f"an object of type {type(holder).__qualname__}"


def _dict_in_words(holder: dict[Any, Any], item: object) -> str:
    key = next((key for key, value in holder.items() if value is item), None)
    for owner in gc.get_referrers(holder):
        if _attributes_of(owner) is holder:
            return f"attribute {key!r} of {type(owner).__qualname__}"
    return f"a dict, under {key!r}"


def _attributes_of(item: object) -> dict[str, Any] | None:
    """Return an object's own attributes, without asking its class what it makes of the question."""
    try:
        found = object.__getattribute__(item, "__dict__")
    except (AttributeError, TypeError):
        return None
    return found if isinstance(found, dict) else None


def _own_references() -> int:
    """Return how many references a fresh object has that is looked at as :func:`is_kept` does."""
    objects: Objects = {0: object()}
    return sys.getrefcount(objects[0])


_OURSELVES = _own_references()
