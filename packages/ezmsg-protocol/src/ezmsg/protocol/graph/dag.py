"""The graph of topics: which topic feeds which, and who wants each edge to be there.

An edge exists while it has at least one owner, so the topology changes only when the first owner comes and
when the last one goes, and every mutation says whether it did. No operation can make a cycle. Each mutation
costs what it touches: an edge, an owner's edges, or the region between an edge's ends; none copies or scans
the graph.

This module is pure: no I/O, no clock, no locks. The caller serialises the calls.
"""

from collections import defaultdict
from collections.abc import Hashable
from dataclasses import dataclass, field

from ezmsg.protocol.errors import CyclicException
from ezmsg.protocol.graph.topological_order import Adjacency, TopologicalOrder

__all__ = ["DAG", "CyclicException"]

Edge = tuple[str, str]
"""The topic that feeds, then the topic that is fed."""


def _no_neighbours() -> defaultdict[str, set[str]]:
    return defaultdict(set)


@dataclass
class DAG:
    """A directed acyclic graph of topics whose edges have owners.

    The owner ``None`` makes an edge persistent: nobody's departure takes it away. ``graph`` and
    ``edge_owners`` are there to be read; change them only through the methods, which keep further indexes
    beside them.
    """

    graph: defaultdict[str, set[str]] = field(default_factory=_no_neighbours, init=False)
    """The direct successors of every topic that takes part in an edge, also of those that have none.

    Look up with ``get``: indexing with an unknown topic would add it, as with any ``defaultdict``.
    """

    edge_owners: dict[Edge, set[Hashable | None]] = field(default_factory=dict, init=False)
    """Who holds each edge; never an empty set."""

    _predecessors: defaultdict[str, set[str]] = field(
        default_factory=_no_neighbours, init=False, repr=False, compare=False
    )
    _edges_by_owner: dict[Hashable | None, set[Edge]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )
    _order: TopologicalOrder = field(default_factory=TopologicalOrder, init=False, repr=False, compare=False)

    def add_edge(self, from_node: str, to_node: str, owner: Hashable | None = None) -> bool:
        """Let ``owner`` hold an edge; return whether the edge is new to the graph.

        Holding the same edge twice is the same as once.

        :raises CyclicException: if the edge would close a cycle, naming a shortest path from ``to_node`` back
            to ``from_node``; nothing has changed then.
        """
        edge = (from_node, to_node)
        # The first lookup is also what fails for an unhashable owner, before anything has changed.
        if edge in self._edges_by_owner.get(owner, ()):
            return False
        appeared = edge not in self.edge_owners
        if appeared:
            self._link(from_node, to_node)
            self.edge_owners[edge] = set()
        self.edge_owners[edge].add(owner)
        self._edges_by_owner.setdefault(owner, set()).add(edge)
        return appeared

    def remove_edge(self, from_node: str, to_node: str, owner: Hashable | None = None) -> bool:
        """Let ``owner`` let go of an edge; return whether the edge is gone, because nobody else holds it.

        Letting go of what one does not hold changes nothing.
        """
        edge = (from_node, to_node)
        held = self._edges_by_owner.get(owner)
        if held is None or edge not in held:
            return False
        held.remove(edge)
        if not held:
            del self._edges_by_owner[owner]
        return self._release(edge, owner)

    def remove_owner(self, owner: Hashable | None) -> set[Edge]:
        """Let ``owner`` let go of everything; return the edges that are gone, as nobody else holds them."""
        held = self._edges_by_owner.pop(owner, set())
        return {edge for edge in held if self._release(edge, owner)}

    def downstream(self, from_node: str) -> list[str]:
        """Return the topic itself, then all that it feeds directly or indirectly, nearest first.

        A topic without edges is alone in its list.
        """
        return _breadth_first(from_node, self.graph)

    def upstream(self, from_node: str) -> list[str]:
        """Return the topic itself, then all that feed it directly or indirectly, nearest first.

        A topic without edges is alone in its list.
        """
        return _breadth_first(from_node, self._predecessors)

    @property
    def nodes(self) -> set[str]:
        """Every topic that takes part in an edge. A new set each time, so it costs the number of topics."""
        return set(self.graph)

    @property
    def invgraph(self) -> defaultdict[str, set[str]]:
        """The direct predecessors of every topic. A deep copy on each access, so it costs the whole graph."""
        return defaultdict(set, {node: set(preceding) for node, preceding in self._predecessors.items()})

    def validate(self) -> None:
        """Assert every invariant. For tests: it visits the whole graph."""
        edges = {(node, following) for node, nexts in self.graph.items() for following in nexts}
        inverse = {(preceding, node) for node, befores in self._predecessors.items() for preceding in befores}
        assert edges == inverse == self.edge_owners.keys()
        ends = {node for edge in edges for node in edge}
        assert ends == self.graph.keys() == self._predecessors.keys(), "a node without an edge"
        assert all(self.edge_owners.values()), "an edge without an owner"
        assert all(self._edges_by_owner.values()), "an owner without an edge"
        claims = {(edge, owner) for edge, owners in self.edge_owners.items() for owner in owners}
        assert claims == {(edge, owner) for owner, held in self._edges_by_owner.items() for edge in held}
        self._order.validate(self.graph)

    def _link(self, from_node: str, to_node: str) -> None:
        """Make an edge that was not there, or refuse it and leave no trace."""
        path = self._order.admit(from_node, to_node, self.graph, self._predecessors)
        if path:
            raise CyclicException(from_topic=from_node, to_topic=to_node, path=path)
        self.graph[from_node].add(to_node)
        self._predecessors[to_node].add(from_node)
        # Every node is a key on both sides.
        self.graph.setdefault(to_node, set())
        self._predecessors.setdefault(from_node, set())

    def _release(self, edge: Edge, owner: Hashable | None) -> bool:
        """Take an owner off an edge, and the edge away if that was its last owner; return whether it was."""
        owners = self.edge_owners[edge]
        owners.remove(owner)
        if owners:
            return False
        del self.edge_owners[edge]
        from_node, to_node = edge
        self.graph[from_node].remove(to_node)
        self._predecessors[to_node].remove(from_node)
        for node in edge:
            if not self.graph[node] and not self._predecessors[node]:
                del self.graph[node], self._predecessors[node]
                self._order.discard(node)
        return True


def _breadth_first(start: str, neighbours: Adjacency) -> list[str]:
    """Return the start and all that can be reached from it, nearest first."""
    seen = {start}
    queue = [start]
    for node in queue:
        fresh = neighbours.get(node, set()) - seen
        seen |= fresh
        queue.extend(fresh)
    return queue
