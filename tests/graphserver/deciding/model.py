"""The rules of the graph, said as plainly as possible: a few dicts and sets that recompute everything.

A :class:`Model` predicts what a graph server makes of each request: its answer, the errors' fields included, the
events that followers see, the snapshot afterwards, and who hears whom. Nothing here is fast, and nothing here
comes from the server.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from tests.graphserver.deciding.descriptions import topics_of

from ezmsg.protocol import errors
from ezmsg.protocol.errors import EzmsgError
from ezmsg.protocol.messages.endpoints import DeclareEndpoints, DeclarePublisher, DeclareSubscriber, Withdraw
from ezmsg.protocol.messages.processes import RegisterProcess, UpdateOwnership
from ezmsg.protocol.messages.sessions import (
    ClearSession,
    CloseSession,
    Connect,
    Disconnect,
    OpenSession,
    RegisterMetadata,
)
from ezmsg.protocol.messages.settings import ReportSettings, SettingsRecorded
from ezmsg.protocol.model.metadata import ComponentMetadata, GraphMetadata
from ezmsg.protocol.model.settings import SettingsEventType, SettingsSnapshotValue
from ezmsg.protocol.model.snapshot import Edge, GraphSnapshot, SnapshotProcess, SnapshotSession
from ezmsg.protocol.model.topology import TopologyEventType

Outcome = EzmsgError | SettingsRecorded | bool | None
"""A refusal, where a report is recorded, whether the topology changed, or ``None`` where there is nothing more to
say than that it is done."""

Event = tuple[TopologyEventType, list[str], str | None, UUID | None]
"""What an event says beside its number and its time: kind, topics, session, process."""

SettingsEvent = tuple[SettingsEventType, str, str | None, UUID | None, SettingsSnapshotValue, float | None]
"""What an event of settings says beside its number: kind, component, session, process, value, and its time if that
is another than when it happened."""

Settings = dict[str, tuple[UUID | None, UUID | None, SettingsSnapshotValue]]
"""By component: the session that describes it, the process that has reported it, the value that stands."""

Heard = dict[UUID, dict[UUID, DeclarePublisher]]
"""By subscriber: the publishers that it hears, each as it was declared."""


@dataclass
class Opened:
    """Where a session is open, and what it describes."""

    who: int
    incarnation: int
    metadata: GraphMetadata | None = None


@dataclass
class Running:
    """A process, and who it belongs to."""

    who: int
    client: UUID
    pid: int
    host: str
    units: set[str]
    starting: set[str]

    @property
    def all(self) -> set[str]:
        return self.units | self.starting


class Model:
    """A graph server without a server. Connections are numbers; ``None`` owns what is persistent."""

    def __init__(self) -> None:
        self.peers: dict[int, UUID] = {}
        self.owners: dict[Edge, set[UUID | None]] = {}
        self.sessions: dict[UUID, Opened] = {}
        self.processes: dict[UUID, Running] = {}
        self.publishers: dict[UUID, tuple[int, DeclarePublisher]] = {}
        self.subscribers: dict[UUID, tuple[int, str]] = {}
        self.events: list[Event] = []
        self.reported: dict[str, tuple[UUID, SettingsSnapshotValue]] = {}
        self.revisions: dict[str, int] = {}
        self.settings_events: list[SettingsEvent] = []
        self.settled: Settings = {}

    # --- connections --------------------------------------------------------------------------------------

    def join(self, who: int, client: UUID) -> None:
        """A client connects; it may do so again before its old connection is noticed to be dead."""
        self.peers[who] = client

    def leave(self, who: int) -> None:
        """A connection is gone, and takes along what still belongs to it, but nothing else."""
        del self.peers[who]
        self.publishers = {one: known for one, known in self.publishers.items() if known[0] != who}
        self.subscribers = {one: known for one, known in self.subscribers.items() if known[0] != who}
        for session in sorted(one for one, known in self.sessions.items() if known.who == who):
            self._end(session)
        for process in sorted(one for one, known in self.processes.items() if known.who == who):
            del self.processes[process]
            self._process_changed(process)
            self._settle_settings()

    def request(self, who: int, body: object) -> Outcome:
        """Return what the server must answer; a refusal changes nothing."""
        match body:
            case OpenSession():
                return self._open(who, body)
            case CloseSession() | ClearSession() | RegisterMetadata():
                return self._missing_session(who, body.session_id) or self._of_session(body)
            case Connect() | Disconnect():
                refusal = body.session_id and self._missing_session(who, body.session_id)
                return refusal or self._wrong_topic(body) or self._change_edge(body)
            case RegisterProcess() | UpdateOwnership():
                outcome = self._change_process(who, body)
                self._settle_settings()
                return outcome
            case ReportSettings():
                return self._report_settings(who, body)
            case DeclarePublisher():
                return self._declare_publisher(who, body)
            case DeclareSubscriber():
                return self._declare_subscriber(who, body)
            case DeclareEndpoints():
                return self._declare_together(who, body)
            case Withdraw():
                return self._withdraw(who, body)
            case _:
                raise AssertionError(f"the model knows no {type(body).__name__}")

    # --- sessions: rules 3 and 4 --------------------------------------------------------------------------

    def _open(self, who: int, body: OpenSession) -> Outcome:
        known = self.sessions.get(body.session_id)
        if known is None:
            self.sessions[body.session_id] = Opened(who, body.incarnation)
        elif body.incarnation > known.incarnation:
            known.who, known.incarnation = who, body.incarnation
        elif known.who != who:
            return errors.DuplicateIdentity(role="session", identity=str(body.session_id))
        return None

    def _missing_session(self, who: int, session: UUID) -> EzmsgError | None:
        if session in self.sessions and self.sessions[session].who == who:
            return None
        return errors.UnknownSession(session=str(session))

    def _of_session(self, body: CloseSession | ClearSession | RegisterMetadata) -> Outcome:
        match body:
            case CloseSession():
                self._end(body.session_id)
            case ClearSession():
                self._clear(body.session_id)
            case RegisterMetadata():
                return self._describe(body.session_id, body.metadata)
        return None

    def _end(self, session: UUID) -> None:
        self._clear(session)
        del self.sessions[session]

    def _clear(self, session: UUID) -> None:
        held = [edge for edge, owners in self.owners.items() if session in owners]
        described = self.sessions[session].metadata
        for edge in held:
            self._let_go(edge, session)
        self.sessions[session].metadata = None
        self._settle_settings()
        if held or described is not None:
            self._graph_changed({edge.to_topic for edge in held} | topics_of(described), session)

    def _describe(self, session: UUID, metadata: GraphMetadata) -> Outcome:
        if any(not address or address != told.address for address, told in metadata.components.items()):
            return errors.InvalidMetadata(reason="")
        owners = {
            address: other
            for other, known in self.sessions.items()
            if other != session and known.metadata is not None
            for address in known.metadata.components
        }
        taken, holders = collisions(metadata.components, owners)
        if taken:
            return errors.ComponentCollision(addresses=taken, sessions=holders)
        before = self.sessions[session].metadata
        if before != metadata:
            self.sessions[session].metadata = metadata
            self._settle_settings()
            self._graph_changed(topics_of(before) | topics_of(metadata), session)
        return None

    # --- edges: rules 1 and 2 -----------------------------------------------------------------------------

    def _change_edge(self, body: Connect | Disconnect) -> Outcome:
        edge, owner = Edge(body.from_topic, body.to_topic), body.session_id
        before = self.owners.get(edge, set())
        if isinstance(body, Disconnect):
            if owner not in before:
                return False
            self._let_go(edge, owner)
        else:
            path = [] if before else self.shortest_path(edge.to_topic, edge.from_topic)
            if path:
                return errors.CyclicException(from_topic=edge.from_topic, to_topic=edge.to_topic, path=path)
            if owner in before:
                return False
            self.owners[edge] = before | {owner}
        self._graph_changed({edge.to_topic}, owner)
        return not before or edge not in self.owners

    def _let_go(self, edge: Edge, owner: UUID | None) -> None:
        self.owners[edge] = self.owners[edge] - {owner}
        if not self.owners[edge]:
            del self.owners[edge]

    def _wrong_topic(self, body: Connect | Disconnect) -> EzmsgError | None:
        wrong = [topic for topic in (body.from_topic, body.to_topic) if not topic]
        return errors.InvalidTopic(topic=wrong[0], reason="") if wrong else None

    def reach(self, starts: Iterable[str], *, backward: bool = False) -> set[str]:
        """Return the topics and all that lie down from them, or up."""
        edges = [edge[::-1] if backward else edge for edge in self.owners]
        reached = set(starts)
        while more := {to for start, to in edges if start in reached} - reached:
            reached |= more
        return reached

    def shortest_path(self, start: str, end: str) -> list[str]:
        """Return one of the shortest ways along the edges, both ends included, or an empty list."""
        paths = [[start]]
        while paths:
            if found := [path for path in paths if path[-1] == end]:
                return found[0]
            paths = [[*path, to] for path in paths for at, to in self.owners if at == path[-1]]
        return []

    # --- processes: rule 4 --------------------------------------------------------------------------------

    def _change_process(self, who: int, body: RegisterProcess | UpdateOwnership) -> Outcome:
        if isinstance(body, RegisterProcess):
            return self._register_process(who, body)
        return self._update_ownership(who, body)

    def owner_of(self, unit: str) -> UUID | None:
        """Return the process that owns a unit, or is setting it up."""
        owners = [process for process, known in self.processes.items() if unit in known.all]
        return owners[0] if owners else None

    def _register_process(self, who: int, body: RegisterProcess) -> Outcome:
        known = self.processes.get(body.process_id)
        if known is not None and known.client != self.peers[who]:
            return errors.DuplicateIdentity(role="process", identity=str(body.process_id))
        told = body.registration
        if collision := self._ownership_collision(body.process_id, {*told.units, *told.starting}):
            return collision
        units = set(told.units)
        now = Running(who, self.peers[who], told.pid, told.host, units, set(told.starting) - units)
        self.processes[body.process_id] = now
        if known is None or replace(known, who=0, client=now.client) != replace(now, who=0):
            self._process_changed(body.process_id)
        return None

    def _update_ownership(self, who: int, body: UpdateOwnership) -> Outcome:
        known = self.processes.get(body.process_id)
        if known is None or known.who != who:
            return errors.UnknownProcess(process=str(body.process_id))
        if collision := self._ownership_collision(body.process_id, body.update.added_units):
            return collision
        before = replace(known)
        removed, added = set(body.update.removed_units), set(body.update.added_units)
        known.units = known.units - removed | added
        known.starting = known.starting - removed - added
        if known != before:
            self._process_changed(body.process_id)
        return None

    def _ownership_collision(self, process: UUID, units: Iterable[str]) -> EzmsgError | None:
        owners = {unit: other for other, known in self.processes.items() if other != process for unit in known.all}
        taken, holders = collisions(units, owners)
        return errors.OwnershipCollision(units=taken, processes=holders) if taken else None

    # --- settings: rule 5 ---------------------------------------------------------------------------------

    def settings(self) -> Settings:
        """Return what stands: what the owner of a component has reported, else what its session describes."""
        found: Settings = {}
        for session, opened in self.sessions.items():
            for address, told in ({} if opened.metadata is None else opened.metadata.components).items():
                found[address] = (session, None, initial(told))
        for address, (process, value) in self.reported.items():
            if process in self.processes and address in self.processes[process].units:
                found[address] = (found[address][0] if address in found else None, process, value)
        return found

    def described(self) -> dict[str, ComponentMetadata]:
        """Return every component that a session describes."""
        known = [each.metadata for each in self.sessions.values() if each.metadata is not None]
        return {address: component for metadata in known for address, component in metadata.components.items()}

    def owned(self) -> set[str]:
        """Return every unit that a process owns and has set up."""
        return {unit for process in self.processes.values() for unit in process.units}

    def initial_fields(self, address: str) -> dict[str, Any]:
        """Return the fields that a component's session gave it at first."""
        component = self.described().get(address)
        return {} if component is None else initial(component).structured_value or {}

    def shown_settings(self) -> dict[str, SettingsSnapshotValue]:
        """Return what must be shown, sorted."""
        return {
            address: replace(value, revision=self.revisions[address])
            for address, (_, _, value) in sorted(self.settings().items())
        }

    def report(
        self,
        process: UUID,
        address: str,
        value: SettingsSnapshotValue,
        timestamp: float | None,
        restored: int | None = None,
    ) -> None:
        """The owner of a component reports it; that is an event also if nothing is new.

        If it only says again what stands here, there is none. What it says again to a server that does not know it
        keeps its revision, unless a higher one was given meanwhile.
        """
        value = replace(value, revision=0)
        if restored is not None and self.reported.get(address) == (process, value):
            return
        self.reported[address] = (process, value)
        self.settled = self.settings()
        if restored is not None:
            self.revisions[address] = max(self.revisions.get(address, -1), restored - 1)
        self._settings_changed(SettingsEventType.SETTINGS_UPDATED, address, timestamp)

    def _report_settings(self, who: int, body: ReportSettings) -> Outcome:
        known, update = self.processes.get(body.process_id), body.update
        if known is None or known.who != who:
            return errors.UnknownProcess(process=str(body.process_id))
        if update.component_address not in known.units:
            return errors.UnitNotOwned(unit=update.component_address, process=str(body.process_id))
        self.report(body.process_id, update.component_address, update.value, update.timestamp, body.restored)
        return SettingsRecorded(len(self.settings_events), self.revisions[update.component_address])

    def _settle_settings(self) -> None:
        """Tell what changed since last time in what stands; forget reports that nobody stands for any more."""
        before, self.settled = self.settled, self.settings()
        self.reported = {
            address: self.reported[address]
            for address, (_, process, _) in self.settled.items()
            if process is not None
        }
        for address in sorted(before.keys() | self.settled.keys()):
            if address not in self.settled:
                session, process, value = before[address]
                last = replace(value, revision=self.revisions.pop(address))
                name = None if session is None else str(session)
                kind = SettingsEventType.SETTINGS_REMOVED
                self.settings_events.append((kind, address, name, process, last, None))
            elif address not in before or before[address][1:] != self.settled[address][1:]:
                restored = address in before and before[address][1] is not None
                kind = SettingsEventType.SETTINGS_UPDATED if restored else SettingsEventType.INITIAL_SETTINGS
                self._settings_changed(kind, address, None)

    def _settings_changed(self, kind: SettingsEventType, address: str, timestamp: float | None) -> None:
        session, process, value = self.settled[address]
        self.revisions[address] = self.revisions.get(address, -1) + 1
        name = None if session is None else str(session)
        value = replace(value, revision=self.revisions[address])
        self.settings_events.append((kind, address, name, process, value, timestamp))

    # --- endpoints: rule 6 --------------------------------------------------------------------------------

    def _declare_publisher(self, who: int, body: DeclarePublisher) -> Outcome:
        holder = self.publishers.get(body.publisher_id, (who, body))[0]
        if body.publisher_id in self.subscribers or not self._same_client(holder, who):
            return errors.DuplicateIdentity(role="publisher", identity=str(body.publisher_id))
        self.publishers[body.publisher_id] = (who, body)
        return None

    def _declare_subscriber(self, who: int, body: DeclareSubscriber) -> Outcome:
        holder = self.subscribers.get(body.subscriber_id, (who, ""))[0]
        if body.subscriber_id in self.publishers or not self._same_client(holder, who):
            return errors.DuplicateIdentity(role="subscriber", identity=str(body.subscriber_id))
        self.subscribers[body.subscriber_id] = (who, body.topic)
        return None

    def _declare_together(self, who: int, body: DeclareEndpoints) -> Outcome:
        """All join, or none."""
        before = dict(self.publishers), dict(self.subscribers)
        for publisher in body.publishers:
            if refusal := self._declare_publisher(who, publisher):
                self.publishers, self.subscribers = before
                return refusal
        for subscriber in body.subscribers:
            if refusal := self._declare_subscriber(who, subscriber):
                self.publishers, self.subscribers = before
                return refusal
        return None

    def _withdraw(self, who: int, body: Withdraw) -> Outcome:
        known = {**self.publishers, **self.subscribers}.get(body.endpoint_id)
        if known is None or known[0] != who:
            return errors.UnknownEndpoint(endpoint=str(body.endpoint_id))
        self.publishers.pop(body.endpoint_id, None)
        self.subscribers.pop(body.endpoint_id, None)
        return None

    def _same_client(self, one: int, other: int) -> bool:
        return self.peers[one] == self.peers[other]

    def heard(self) -> Heard:
        """Return who hears whom: a subscriber hears its topic and all that lies up from it."""
        return {
            subscriber: {
                publisher: declared
                for publisher, (_, declared) in self.publishers.items()
                if declared.topic in self.reach([topic], backward=True)
            }
            for subscriber, (_, topic) in self.subscribers.items()
        }

    # --- what is seen from outside ------------------------------------------------------------------------

    def _graph_changed(self, topics: set[str], session: UUID | None) -> None:
        name = None if session is None else str(session)
        self.events.append((TopologyEventType.GRAPH_CHANGED, sorted(topics), name, None))

    def _process_changed(self, process: UUID) -> None:
        self.events.append((TopologyEventType.PROCESS_CHANGED, [], None, process))

    def snapshot(self, epoch: UUID) -> GraphSnapshot:
        """Return what a snapshot must show, sorted."""
        nodes = sorted({topic for edge in self.owners for topic in edge})
        return GraphSnapshot(
            graph={
                node: sorted(edge.to_topic for edge in self.owners if edge.from_topic == node) for node in nodes
            },
            edge_owners={
                edge: sorted("persistent" if owner is None else str(owner) for owner in self.owners[edge])
                for edge in sorted(self.owners)
            },
            sessions={
                str(session): SnapshotSession(
                    sorted(edge for edge, owners in self.owners.items() if session in owners), known.metadata
                )
                for session, known in sorted(self.sessions.items())
            },
            processes={
                process: SnapshotProcess(
                    process, known.pid, known.host, sorted(known.units), sorted(known.starting)
                )
                for process, known in sorted(self.processes.items())
            },
            epoch=epoch,
            topology_seq=len(self.events),
            settings_seq=len(self.settings_events),
        )


def initial(component: ComponentMetadata) -> SettingsSnapshotValue:
    """Return the settings that metadata made by :func:`program` describes."""
    serialized, readable = component.initial_settings
    assert isinstance(readable, dict)
    return SettingsSnapshotValue(serialized, readable, readable, component.settings_schema)


def collisions(wanted: Iterable[str], owners: dict[str, UUID]) -> tuple[list[str], list[str]]:
    """Return what is wanted but owned by others, and the names of those, both sorted."""
    taken = sorted(set(wanted) & owners.keys())
    return taken, sorted({str(owners[name]) for name in taken})
