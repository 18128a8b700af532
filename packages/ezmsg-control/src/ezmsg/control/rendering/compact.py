"""Graphs with less detail: without the topics that only hand on, or with components in place of their topics.

A graph here is its topics with the topics that each feeds, as :attr:`ezmsg.protocol.graph.dag.DAG.graph` has it.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from itertools import chain

Graph = Mapping[str, AbstractSet[str]]
"""Every topic, also one that feeds nothing, with those that it feeds."""

SEPARATOR = "/"


def without_relaying(graph: Graph) -> tuple[dict[str, set[str]], list[str]]:
    """Return a graph in which who feeds a topic that feeds others feeds these directly, and the topics left out.

    A server lets no topic feed itself, by whatever way; if one should do so, that way is left out.
    """
    left = {topic: set(following) for topic, following in graph.items()}
    feeding: defaultdict[str, set[str]] = defaultdict(set)
    for topic, following in graph.items():
        for fed in following:
            feeding[fed].add(topic)
    relaying = sorted(topic for topic in feeding if graph.get(topic))
    for topic in relaying:
        sources, targets = feeding.pop(topic) - {topic}, left.pop(topic) - {topic}
        for source in sources:
            left[source] = left[source] - {topic} | targets
        for target in targets:
            feeding[target] = feeding[target] - {topic} | sources
    return left, relaying


def levels_up(graph: Graph, levels: int, separator: str = SEPARATOR) -> dict[str, set[str]]:
    """Return the graph with components in place of all that lies in them, if that is at most ``levels`` deep.

    So a collection's own topics stand beside its units until it takes these up, too; nothing feeds itself.
    """
    heights = _heights({*graph, *chain.from_iterable(graph.values())}, separator)

    def container(name: str) -> str:
        above, between, _ = name.rpartition(separator)
        return container(above) if between and heights[above] <= levels else name

    up: dict[str, set[str]] = {}
    for topic, following in graph.items():
        up.setdefault(container(topic), set()).update(map(container, following))
    for name, following in up.items():
        following.discard(name)
    return up


def _heights(topics: Iterable[str], separator: str) -> dict[str, int]:
    """Return of every topic, and of all that topics lie in, how many levels there are below it."""
    heights: dict[str, int] = {}
    for topic in topics:
        name, height = topic, 0
        while heights.get(name, -1) < height:
            heights[name] = height
            name, between, _ = name.rpartition(separator)
            height += 1
            if not between:
                break
    return heights
