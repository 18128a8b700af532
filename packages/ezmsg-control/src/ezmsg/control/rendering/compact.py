"""Graphs with less detail: without the topics that only hand on, or with components in place of their topics.

A graph here is its topics with the topics that each feeds, as :attr:`ezmsg.protocol.graph.dag.DAG.graph` has it.
"""

from collections import defaultdict
from collections.abc import Mapping
from collections.abc import Set as AbstractSet

Graph = Mapping[str, AbstractSet[str]]
"""Every topic, also one that feeds nothing, with those that it feeds."""

SEPARATOR = "/"


def without_relaying(graph: Graph) -> tuple[dict[str, set[str]], list[str]]:
    """Return a graph in which who feeds a topic that feeds others feeds these directly, and the topics left out."""
    left = {topic: set(following) for topic, following in graph.items()}
    feeding: defaultdict[str, set[str]] = defaultdict(set)
    for topic, following in graph.items():
        for fed in following:
            feeding[fed].add(topic)
    relaying = sorted(topic for topic in feeding if graph.get(topic))
    for topic in relaying:
        sources, targets = feeding.pop(topic), left.pop(topic)
        for source in sources:
            left[source] = left[source] - {topic} | targets
        for target in targets:
            feeding[target] = feeding[target] - {topic} | sources
    return left, relaying


def levels_up(graph: Graph, levels: int, separator: str = SEPARATOR) -> dict[str, set[str]]:
    """Return the graph of what contains the topics, ``levels`` above them; nothing feeds itself.

    What has no so many levels above it stands for itself at the outermost one.
    """

    def container(topic: str) -> str:
        parts = topic.split(separator)
        return separator.join(parts[: max(1, len(parts) - levels)])

    up: dict[str, set[str]] = {}
    for topic, following in graph.items():
        above = container(topic)
        up.setdefault(above, set()).update(map(container, following))
    for above, following in up.items():
        following.discard(above)
    return up
