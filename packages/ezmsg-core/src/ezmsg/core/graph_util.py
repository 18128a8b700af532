"""A door: drawings live in `ezmsg.core.commands.graph_strings`; this path is kept for ezmsg 3's programs."""

from ezmsg.core.commands.graph_strings import (
    LeafNodeException,
    get_compactified_graph,
    graph_string,
    prune_graph_connections,
)

__all__ = ["LeafNodeException", "get_compactified_graph", "graph_string", "prune_graph_connections"]
