"""The order in which data flows through a graph, and what its units are known to have. Pure."""

import heapq
from collections.abc import Iterable, Mapping

from attrs import frozen

from ezmsg.protocol.model.metadata import UnitMetadata
from ezmsg.protocol.model.snapshot import GraphSnapshot

SEPARATOR = "/"
SETTINGS_STREAM = "INPUT_SETTINGS"


@frozen
class Described:
    """What programs say of their units: the unit of each stream, and which units there are."""

    unit_of: Mapping[str, str]
    units: frozenset[str]

    def owner(self, topic: str) -> str:
        """Return the unit of a topic, or what stands in front of its name."""
        return self.unit_of.get(topic) or topic.rpartition(SEPARATOR)[0] or topic

    def missing_at(self, topic: str) -> str | None:
        """Return the unit that a topic names and that has no such stream, ``None`` if that is not known."""
        unit = topic.rpartition(SEPARATOR)[0]
        return unit if topic not in self.unit_of and unit in self.units else None


NOTHING_DESCRIBED = Described({}, frozenset())


def described(snapshot: GraphSnapshot) -> Described:
    """Return what all sessions of a graph say of their units."""
    told = [session.metadata.components for session in snapshot.sessions.values() if session.metadata]
    units = [each for components in told for each in components.values() if isinstance(each, UnitMetadata)]
    unit_of = {stream.address: unit.address for unit in units for stream in unit.streams.values()}
    return Described(unit_of, frozenset(unit.address for unit in units))


def ranks(graph: Mapping[str, Iterable[str]], known: Described) -> dict[str, int]:
    """Return the place of each unit in the order in which data flows; where it flows in a circle, by name."""
    following: dict[str, set[str]] = {}
    for topic, successors in graph.items():
        unit = known.owner(topic)
        following.setdefault(unit, set()).update(known.owner(each) for each in successors)
    for unit, others in tuple(following.items()):
        others.discard(unit)
        for each in others:
            following.setdefault(each, set())
    fed = dict.fromkeys(following, 0)
    for others in following.values():
        for each in others:
            fed[each] += 1
    ready = [unit for unit, count in fed.items() if not count]
    heapq.heapify(ready)
    waiting = sorted(set(following) - set(ready), reverse=True)
    placed: dict[str, int] = {}
    while ready or waiting:
        unit = heapq.heappop(ready) if ready else waiting.pop()
        if unit in placed:
            continue
        placed[unit] = len(placed)
        for each in following[unit]:
            fed[each] -= 1
            if not fed[each]:
                heapq.heappush(ready, each)
    return placed
