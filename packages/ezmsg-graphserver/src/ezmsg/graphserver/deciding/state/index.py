"""Indexes: the ids that belong to each key, never an empty set. They spare a scan of everything there is."""

from collections.abc import Hashable, Iterable
from typing import TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V", bound=Hashable)


def add(index: dict[K, set[V]], key: K, identity: V) -> None:
    """Put an id into an index."""
    index.setdefault(key, set()).add(identity)


def discard(index: dict[K, set[V]], key: K, identity: V) -> None:
    """Take an id out of an index that holds it."""
    members = index[key]
    members.discard(identity)
    if not members:
        del index[key]


def grouped(pairs: Iterable[tuple[K, V]]) -> dict[K, set[V]]:
    """Return the index of all pairs."""
    index: dict[K, set[V]] = {}
    for key, identity in pairs:
        add(index, key, identity)
    return index
