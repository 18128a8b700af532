"""An order of the nodes of a graph in which every edge goes forward, kept up to date edge by edge.

This is the dynamic topological sort of D. J. Pearce and P. H. J. Kelly, "A dynamic topological sort
algorithm for directed acyclic graphs", ACM Journal of Experimental Algorithmics 11 (2006), article 1.7.
Each node has a position. An edge that already goes forward costs nothing. For one that goes backward, only
nodes whose positions lie between those of its ends are visited (the affected region); they trade positions
among themselves, and nobody else moves.

Beyond the paper: positions need not be dense, so a node that nothing leads to can always go before all
others, and one that leads nowhere after all others, without any visit. That covers every new node and most
edges of a pipeline.

The graph itself belongs to the caller (:mod:`ezmsg.protocol.graph.dag`); this module only reads it, never whole.
"""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet

Adjacency = Mapping[str, AbstractSet[str]]
"""The neighbours of each node, in one direction."""


class TopologicalOrder:
    """Positions of nodes such that every edge of the caller's graph leads from a lower to a higher one.

    Removing an edge needs no call, because an order stays valid with fewer edges. Memory is one integer per
    node that was admitted and not discarded.
    """

    def __init__(self) -> None:
        self._position: dict[str, int] = {}
        self._lowest = 0
        self._highest = 0

    def admit(self, earlier: str, later: str, successors: Adjacency, predecessors: Adjacency) -> list[str]:
        """Make room for an edge from ``earlier`` to ``later``, which the two adjacencies do not contain yet.

        Return an empty list if the edge now fits; the caller then adds it. Otherwise the order is
        unchanged; return a shortest path from ``later`` to ``earlier``, both included, which the edge would
        close into a cycle.
        """
        if earlier == later:
            return [later]
        position = self._position
        if later not in position:
            self._move_to_end(later)
        if earlier not in position:
            self._move_to_front(earlier)

        if position[earlier] < position[later]:
            return []
        if not successors.get(later):
            self._move_to_end(later)
            return []
        if not predecessors.get(earlier):
            self._move_to_front(earlier)
            return []

        came_from = self._reach_forward(later, position[earlier], successors)
        if earlier in came_from:
            return _trace_back(came_from, earlier)
        before = self._reach_backward(earlier, position[later], predecessors)
        self._reassign(before, list(came_from))
        return []

    def discard(self, node: str) -> None:
        """Forget a node that no edge touches any more."""
        del self._position[node]

    def validate(self, successors: Adjacency) -> None:
        """Assert that exactly the graph's nodes have positions, and that every edge goes forward.

        For tests: it visits the whole graph.
        """
        position = self._position
        assert position.keys() == successors.keys()
        assert len(set(position.values())) == len(position), "two nodes share a position"
        for node, nexts in successors.items():
            assert self._lowest <= position[node] <= self._highest
            for following in nexts:
                assert position[node] < position[following], f"{node} -> {following} goes backward"

    def _move_to_end(self, node: str) -> None:
        self._highest += 1
        self._position[node] = self._highest

    def _move_to_front(self, node: str) -> None:
        self._lowest -= 1
        self._position[node] = self._lowest

    def _reach_forward(self, start: str, ceiling: int, successors: Adjacency) -> dict[str, str]:
        """Return what ``start`` reaches up to the position ``ceiling``, breadth-first.

        The values say from where each node was reached first; the start is its own. The search stops early at
        the node that holds the ceiling, because meeting it means a cycle.
        """
        position = self._position
        came_from = {start: start}
        queue = [start]
        for node in queue:
            for following in successors[node]:
                if following not in came_from and position[following] <= ceiling:
                    came_from[following] = node
                    if position[following] == ceiling:
                        return came_from
                    queue.append(following)
        return came_from

    def _reach_backward(self, start: str, floor: int, predecessors: Adjacency) -> list[str]:
        """Return what leads to ``start`` from above the position ``floor``, the start included."""
        position = self._position
        seen = {start}
        queue = [start]
        for node in queue:
            for preceding in predecessors[node]:
                if preceding not in seen and position[preceding] > floor:
                    seen.add(preceding)
                    queue.append(preceding)
        return queue

    def _reassign(self, before: list[str], after: list[str]) -> None:
        """Share out both groups' positions again: ``before`` first, each group in its present order."""
        position = self._position
        before.sort(key=position.__getitem__)
        after.sort(key=position.__getitem__)
        nodes = before + after
        free = sorted(position[node] for node in nodes)
        position.update(zip(nodes, free, strict=True))


def _trace_back(came_from: Mapping[str, str], end: str) -> list[str]:
    """Return the path that a breadth-first search took to ``end``, from its start on."""
    path = [end]
    while (previous := came_from[path[-1]]) != path[-1]:
        path.append(previous)
    path.reverse()
    return path
