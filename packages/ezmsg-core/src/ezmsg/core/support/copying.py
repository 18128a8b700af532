"""Which part of an object it is that cannot be copied."""

import copy
from collections.abc import Iterator, Mapping
from typing import Any

_DEEPEST = 8


def uncopyable_part(value: object) -> tuple[str, object]:
    """Return the way to the smallest part that cannot be copied deeply, such as ``.SETTINGS.lock``, and the part.

    The value itself, by the way of nothing, if no part of it does.
    """
    path, part = "", value
    for _ in range(_DEEPEST):
        found = next(((step, inner) for step, inner in _parts(part) if not _is_copyable(inner)), None)
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


def _parts(value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        yield from ((f"[{key!r}]", each) for key, each in value.items())
    elif isinstance(value, list | tuple | set | frozenset):
        yield from ((f"[{n}]", each) for n, each in enumerate(value))
    else:
        yield from ((f".{name}", each) for name, each in getattr(value, "__dict__", {}).items())
