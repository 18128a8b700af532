"""A snapshot as people think of a graph: units with their streams, what flows where, whose it all is."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from uuid import UUID

from attrs import field, frozen

from ezmsg.control.rendering.compact import without_relaying
from ezmsg.control.rendering.flow import SETTINGS_STREAM, Described, described, ranks
from ezmsg.protocol.model.metadata import CollectionMetadata, ComponentMetadata, UnitMetadata
from ezmsg.protocol.model.snapshot import PERSISTENT_OWNER, Edge, GraphSnapshot, SnapshotProcess


@frozen
class Unit:
    """A unit or a collection, or what stands in front of topics that nobody describes."""

    address: str
    kind: str = ""
    is_collection: bool = False
    is_described: bool = False
    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    tunable: bool = False
    process_id: UUID | None = None
    pid: int | None = None
    host: str | None = None

    @property
    def name(self) -> str:
        """The last part of its address."""
        return self.address.rpartition("/")[2]


@frozen
class Whose:
    """A session: whose it is, since when (wall time), and what would vanish with it."""

    id: str
    client: str | None
    opened: float | None
    root: str | None
    edges: tuple[Edge, ...]
    components: tuple[str, ...]
    sole_edges: int = 0


@frozen
class Picture:
    """Everything of a snapshot; the units are in the order in which data flows.

    ``flows`` are the edges with the topics left out that only hand on; ``edges`` are all, with their owners.
    """

    units: Mapping[str, Unit] = field(factory=dict)
    edges: Mapping[Edge, tuple[str, ...]] = field(factory=dict)
    flows: tuple[Edge, ...] = ()
    unit_of: Mapping[str, str] = field(factory=dict)
    sessions: tuple[Whose, ...] = ()
    processes: Mapping[UUID, SnapshotProcess] = field(factory=dict)
    after: Mapping[str, tuple[str, ...]] = field(factory=dict, eq=False)
    before: Mapping[str, tuple[str, ...]] = field(factory=dict, eq=False)
    """For each topic those that it feeds, and those that feed it, by the edges."""
    down: Mapping[str, frozenset[str]] = field(factory=dict, eq=False)
    up: Mapping[str, frozenset[str]] = field(factory=dict, eq=False)
    """For each unit those that it feeds, and those that feed it, by the flows."""

    children: Mapping[str, tuple[str, ...]] = field(factory=dict, eq=False)
    """What lies directly in each part of an address, in the order in which data flows; in "" lies the outermost."""

    def owner(self, topic: str) -> str:
        """Return the unit of a topic."""
        return self.unit_of.get(topic) or topic.rpartition("/")[0] or topic

    @property
    def unit_count(self) -> int:
        """How many units are described or owned by a process."""
        return sum(1 for unit in self.units.values() if not unit.is_collection and (unit.is_described or unit.pid))

    @property
    def topics(self) -> list[str]:
        """Every topic that is known, sorted."""
        known = {topic for edge in self.edges for topic in edge} | self.unit_of.keys()
        return sorted(known)


def picture(snapshot: GraphSnapshot) -> Picture:
    """Return a snapshot as a picture."""
    known = described(snapshot)
    owners = {unit: process for process in snapshot.processes.values() for unit in process.units}
    graph = {topic: set(following) for topic, following in snapshot.graph.items()}
    components = dict(_components(snapshot))
    unit_of = {**dict(_collection_topics(components)), **known.unit_of}
    whole = Described(unit_of, known.units)
    addresses = {*components, *owners, *(whole.owner(topic) for edge in snapshot.edge_owners for topic in edge)}
    rank = ranks(graph, whole)
    order = sorted(addresses, key=lambda address: (rank.get(address, len(rank)), address))
    units = {address: _unit(address, components.get(address), owners.get(address)) for address in order}
    direct, _ = without_relaying(graph)
    flows = tuple(Edge(start, end) for start in sorted(direct) for end in sorted(direct[start]))
    edges = {edge: tuple(names) for edge, names in snapshot.edge_owners.items()}
    after, before = neighbours(edges)
    down, up = neighbours(Edge(whole.owner(start), whole.owner(end)) for start, end in flows)
    return Picture(
        units,
        edges,
        flows,
        unit_of,
        tuple(_sessions(snapshot)),
        dict(snapshot.processes),
        after,
        before,
        {unit: frozenset(others) - {unit} for unit, others in down.items()},
        {unit: frozenset(others) - {unit} for unit, others in up.items()},
        _children(units),
    )


def _children(addresses: Iterable[str]) -> dict[str, tuple[str, ...]]:
    children: dict[str, dict[str, None]] = defaultdict(dict)
    for address in addresses:
        parts = address.split("/")
        for count in range(1, len(parts) + 1):
            children["/".join(parts[: count - 1])]["/".join(parts[:count])] = None
    return {path: tuple(inside) for path, inside in children.items()}


def neighbours(edges: Iterable[Edge]) -> tuple[dict[str, tuple[str, ...]], dict[str, tuple[str, ...]]]:
    """Return for each place those that it feeds, and those that feed it, sorted."""
    after: dict[str, list[str]] = defaultdict(list)
    before: dict[str, list[str]] = defaultdict(list)
    for start, end in sorted(edges):
        after[start].append(end)
        before[end].append(start)
    return {each: tuple(ends) for each, ends in after.items()}, {each: tuple(s) for each, s in before.items()}


def _components(snapshot: GraphSnapshot) -> Iterator[tuple[str, ComponentMetadata]]:
    for session in snapshot.sessions.values():
        if session.metadata is not None:
            yield from session.metadata.components.items()


def _collection_topics(components: Mapping[str, ComponentMetadata]) -> Iterator[tuple[str, str]]:
    for address, component in components.items():
        if isinstance(component, CollectionMetadata):
            for topic in (*component.topics.values(), *component.relays.values()):
                yield topic.address, address


def _unit(address: str, component: ComponentMetadata | None, process: SnapshotProcess | None) -> Unit:
    ports: dict[str, list[str]] = defaultdict(list)
    if isinstance(component, UnitMetadata):
        for stream in component.streams.values():
            if not stream.name.endswith(SETTINGS_STREAM):
                ports["in" if type(stream).__name__.startswith("Input") else "out"].append(stream.address)
    elif isinstance(component, CollectionMetadata):
        for topic in component.topics.values():
            ports["in" if type(topic).__name__.startswith("Input") else "out"].append(topic.address)
    return Unit(
        address=address,
        kind="" if component is None else component.component_type.rpartition(".")[2],
        is_collection=isinstance(component, CollectionMetadata),
        is_described=component is not None,
        inputs=tuple(sorted(ports["in"])),
        outputs=tuple(sorted(ports["out"])),
        tunable=component is not None and component.dynamic_settings.enabled,
        process_id=None if process is None else process.process_id,
        pid=None if process is None else process.pid,
        host=None if process is None else process.host,
    )


def _sessions(snapshot: GraphSnapshot) -> Iterator[Whose]:
    for session_id, session in snapshot.sessions.items():
        metadata = session.metadata
        yield Whose(
            id=session_id,
            client=session.client,
            opened=session.opened,
            root=None if metadata is None else metadata.root_name,
            edges=tuple(session.edges),
            components=() if metadata is None else tuple(metadata.components),
            sole_edges=sum(1 for edge in session.edges if snapshot.edge_owners.get(edge) == [session_id]),
        )


def is_persistent(owners: tuple[str, ...]) -> bool:
    """Return whether an edge outlives every session."""
    return PERSISTENT_OWNER in owners
