"""Plain values: what msgpack carries exactly as it is."""

from typing import Any

PLAIN = frozenset((type(None), bool, int, float, str, bytes))
CONTAINERS = frozenset((list, dict))


class NotPlain(Exception):
    """Something cannot be carried in this way."""


def plain(value: Any, seen: set[int] | None = None) -> Any:
    """Return a value that comes out of msgpack as it went in; integers beyond 64 bits are left to msgpack.

    :param seen: the containers of a message met so far; one that is met twice would come out as two.
    :raises NotPlain: if there is something in it that does not.
    """
    cls = type(value)
    if cls in PLAIN:
        return value
    seen = set() if seen is None else seen
    if cls not in CONTAINERS or id(value) in seen:
        raise NotPlain
    seen.add(id(value))
    if cls is dict and not PLAIN.issuperset(map(type, value)):
        raise NotPlain
    elements = value.values() if cls is dict else value
    if not PLAIN.issuperset(map(type, elements)):
        for each in elements:
            plain(each, seen)
    return value
