"""The edges, their owners, and the topics that lie up and down from them.

Thin over :class:`ezmsg.protocol.graph.dag.DAG`, which holds the rules; here owners are session ids, or ``None`` for
the persistent owner, and answers are what the rest of the state needs to go on.
"""

from collections.abc import Hashable, Iterable
from uuid import UUID

from attrs import frozen

from ezmsg.protocol.graph.dag import DAG
from ezmsg.protocol.model.snapshot import PERSISTENT_OWNER, Edge
from ezmsg.protocol.snapshots.compact import pack_edges

Owner = UUID | None


@frozen
class EdgeOutcome:
    """What a change did: whether anybody's hold on the edge changed, and whether the graph did."""

    owners_changed: bool
    topology_changed: bool


class Edges:
    """Every edge with its owners."""

    def __init__(self) -> None:
        self._dag = DAG()
        self._held: dict[Owner, set[Edge]] = {}
        self._packed: bytes | None = None  # what `packed` returns, until an owner comes or goes

    def connect(self, edge: Edge, owner: Owner) -> EdgeOutcome:
        """Let ``owner`` hold an edge.

        :raises CyclicException: if it would close a cycle; nothing has changed then.
        """
        appeared = self._dag.add_edge(*edge, owner)
        held = self._held.setdefault(owner, set())
        fresh = edge not in held
        if fresh:
            held.add(edge)
            self._packed = None
        return EdgeOutcome(fresh, appeared)

    def disconnect(self, edge: Edge, owner: Owner) -> EdgeOutcome:
        """Let ``owner`` let go of an edge; one that it does not hold stays as it is."""
        held = self._held.get(owner, set())
        if edge not in held:
            return EdgeOutcome(owners_changed=False, topology_changed=False)
        held.remove(edge)
        self._packed = None
        if not held:
            del self._held[owner]
        return EdgeOutcome(True, self._dag.remove_edge(*edge, owner))

    def drop_owner(self, owner: Owner) -> tuple[list[Edge], list[Edge]]:
        """Let ``owner`` let go of everything; return what it held and, of that, what is gone, both sorted."""
        held = self._held.pop(owner, set())
        if held:
            self._packed = None
        gone = self._dag.remove_owner(owner)
        return sorted(held), sorted(Edge(*edge) for edge in gone)

    def held_by(self, owner: Owner) -> list[Edge]:
        """Return the edges that ``owner`` holds, sorted."""
        return sorted(self._held.get(owner, ()))

    def upstream(self, topic: str) -> list[str]:
        """Return the topic and all that feed it."""
        return self._dag.upstream(topic)

    def downstream(self, topic: str) -> list[str]:
        """Return the topic and all that it feeds."""
        return self._dag.downstream(topic)

    def feeds_nothing(self, topic: str) -> bool:
        """Whether no edge leads on from a topic."""
        return not self._dag.graph.get(topic)

    def graph(self) -> dict[str, list[str]]:
        """Return the direct successors of every topic that is in an edge, all sorted."""
        return {topic: sorted(self._dag.graph[topic]) for topic in sorted(self._dag.graph)}

    def owners(self) -> list[tuple[Edge, list[str | None]]]:
        """Return every edge with the ids of its owners, sorted, the persistent one first."""
        return [(Edge(*edge), _names(self._dag.edge_owners[edge])) for edge in sorted(self._dag.edge_owners)]

    def owner_names(self) -> dict[Edge, list[str]]:
        """Return every edge with its owners' names as a snapshot writes them, sorted."""
        return {
            Edge(*edge): sorted(map(_name, self._dag.edge_owners[edge])) for edge in sorted(self._dag.edge_owners)
        }

    def packed(self) -> bytes:
        """Return every edge with its owners' names as a compact snapshot holds them; made once for each change."""
        if self._packed is None:
            self._packed = pack_edges(self._dag.graph, self._dag.edge_owners, _name)
        return self._packed

    def __len__(self) -> int:
        return len(self._dag.edge_owners)

    def validate(self) -> None:
        """Assert every invariant. For tests: it visits the whole graph."""
        self._dag.validate()
        assert self._packed in (None, pack_edges(self._dag.graph, self._dag.edge_owners, _name)), "an old copy"
        claims = {(edge, owner) for edge, owners in self._dag.edge_owners.items() for owner in owners}
        assert claims == {(edge, owner) for owner, held in self._held.items() for edge in held}
        assert all(self._held.values()), "an owner without an edge"


def _name(owner: Hashable) -> str:
    return PERSISTENT_OWNER if owner is None else str(owner)


def _names(owners: Iterable[object]) -> list[str | None]:
    return sorted((None if owner is None else str(owner) for owner in owners), key=lambda name: name or "")
