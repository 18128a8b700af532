"""Drawings as the functions of ezmsg 3 gave them; the drawing itself is `ezmsg.control.rendering`."""

from collections import defaultdict
from collections.abc import Mapping
from collections.abc import Set as AbstractSet

from ezmsg.control.rendering.compact import levels_up, without_relaying
from ezmsg.control.rendering.diagrams import diagram_lines

__all__ = ["LeafNodeException", "get_compactified_graph", "graph_string", "prune_graph_connections"]


class LeafNodeException(Exception):
    """Was raised where a topic is also the beginning of another one's address. Such graphs are drawn by now."""


def get_compactified_graph(
    graph_connections: Mapping[str, AbstractSet[str]], compact_level: int = 0, level_separator: str = "/"
) -> defaultdict[str, set[str]]:
    """Return the graph with components in place of all that lies at most ``compact_level`` levels deep in them.

    The own topics of a collection stay for as long as its units do.
    """
    return defaultdict(set, levels_up(graph_connections, compact_level, level_separator))


def prune_graph_connections(
    graph_connections: Mapping[str, AbstractSet[str]],
) -> tuple[defaultdict[str, set[str]], list[str]]:
    """Return the graph without the topics that are fed and feed others, and the names of these."""
    left, pruned = without_relaying(graph_connections)
    return defaultdict(set, left), pruned


def graph_string(
    graph_connections: Mapping[str, AbstractSet[str]], fmt: str, direction: str = "LR", level_separator: str = "/"
) -> str:
    """Return the source of a drawing, for ``mermaid`` or ``graphviz``.

    :raises UnknownFormat: if ``fmt`` is another.
    """
    return "\n".join(diagram_lines(graph_connections, fmt, direction, level_separator)) + "\n"
