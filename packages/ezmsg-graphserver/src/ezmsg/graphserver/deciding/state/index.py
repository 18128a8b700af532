"""Indexes: the ids that belong to each key, never an empty set. They spare a scan of everything there is."""

from collections.abc import Hashable, Iterable
from typing import TypeVar
from uuid import UUID

K = TypeVar("K", bound=Hashable)


def add(index: dict[K, set[UUID]], key: K, identity: UUID) -> None:
    """Put an id into an index."""
    index.setdefault(key, set()).add(identity)


def discard(index: dict[K, set[UUID]], key: K, identity: UUID) -> None:
    """Take an id out of an index that holds it."""
    members = index[key]
    members.discard(identity)
    if not members:
        del index[key]


def grouped(pairs: Iterable[tuple[K, UUID]]) -> dict[K, set[UUID]]:
    """Return the index of all pairs."""
    index: dict[K, set[UUID]] = {}
    for key, identity in pairs:
        add(index, key, identity)
    return index
