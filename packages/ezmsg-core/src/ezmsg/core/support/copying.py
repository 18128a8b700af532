"""Objects copied, and which part of one it is that cannot be."""

import copy
import pickle
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

T = TypeVar("T")

_DEEPEST = 8


def copied(value: T) -> T:
    """Return a deep copy; an error over that has a note which names the part that cannot be copied."""
    try:
        return copy.deepcopy(value)
    except Exception as error:  # what copying any object of the user's may raise
        error.add_note(uncopyable_words(value, type(value).__qualname__))
        raise


def uncopyable_words(value: object, name: str) -> str:
    """Return which part of a value cannot be copied, as the beginning of a sentence."""
    path, part = uncopyable_part(value)
    return f"{name}{path} cannot be copied, which is a {type(part).__qualname__}"


def unpicklable_words(value: object, name: str) -> str:
    """Return which part of a value cannot be pickled, as the beginning of a sentence."""
    path, part = faulty_part(value, _is_picklable)
    return f"{name}{path} cannot be pickled, which is a {type(part).__qualname__}"


def uncopyable_part(value: object) -> tuple[str, object]:
    """Return the way to the smallest part that cannot be copied, such as ``.SETTINGS.lock``, and the part."""
    return faulty_part(value, _is_copyable)


def faulty_part(value: object, is_fine: Callable[[object], bool]) -> tuple[str, object]:
    """Return the way to the smallest part that is not fine, and the part.

    The value itself, by the way of nothing, if all its parts are.
    """
    path, part = "", value
    for _ in range(_DEEPEST):
        found = next(((step, inner) for step, inner in _parts(part) if not is_fine(inner)), None)
        if found is None:
            break
        path, part = path + found[0], found[1]
    return path, part


def _is_copyable(value: object) -> bool:
    try:
        copy.deepcopy(value)
    except Exception:  # noqa: BLE001  whatever a user's class raises when it is copied
        return False
    return True


def _is_picklable(value: object) -> bool:
    try:
        pickle.dumps(value, protocol=5, buffer_callback=lambda _: None)
    except Exception:  # noqa: BLE001  whatever a user's class raises when it is pickled
        return False
    return True


def _parts(value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        yield from ((f"[{key!r}]", each) for key, each in value.items())
    elif isinstance(value, list | tuple | set | frozenset):
        yield from ((f"[{n}]", each) for n, each in enumerate(value))
    else:
        yield from ((f".{name}", each) for name, each in getattr(value, "__dict__", {}).items())
