"""Numbers by which traces know channels: for each message, one integer is cheaper to note than an id and a kind."""

from itertools import count
from typing import Protocol
from uuid import UUID
from weakref import ref

LOOK_AGAIN = 1024
"""After so many channels more, those that are gone are forgotten."""


class Source(Protocol):
    """What is known of a channel."""

    kind: str
    publisher_id: UUID


_numbers = count(1)
_known: dict[int, tuple[UUID, str, "ref[Source]"]] = {}


def add(source: Source) -> int:
    """Return the number of a new channel; no two of this process have the same."""
    number = next(_numbers)
    if number % LOOK_AGAIN == 0:
        for other, (_, _, channel) in list(_known.items()):
            if channel() is None:
                _known.pop(other, None)
    _known[number] = source.publisher_id, source.kind, ref(source)
    return number


def find(number: int) -> tuple[UUID, str] | None:
    """Return the id of a channel's publisher and the channel's kind; ``None`` if it is gone for long."""
    known = _known.get(number)
    return None if known is None else known[:2]
