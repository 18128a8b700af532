"""The parts of the state together, and what takes more than one of them: routes, events, endings, snapshots.

The conversations (:mod:`ezmsg.graphserver.deciding.conversations`) decide by it,
:mod:`ezmsg.graphserver.deciding.graph` feeds it.
"""

from collections import defaultdict
from collections.abc import Iterable
from uuid import UUID

from ezmsg.graphserver.deciding.configuration import Configuration
from ezmsg.graphserver.deciding.contacts import contact_for
from ezmsg.graphserver.deciding.effects import Effect, Feed, KeepEdge, KeepSettings, Moment, PeerId
from ezmsg.graphserver.deciding.peers import Peers
from ezmsg.graphserver.deciding.standing import StandingSettings
from ezmsg.graphserver.deciding.state.changes import Changes
from ezmsg.graphserver.deciding.state.edges import Edges
from ezmsg.graphserver.deciding.state.endpoints import Endpoints, Publisher, Routes, Subscriber
from ezmsg.graphserver.deciding.state.event_log import Cursor, E, EventLog
from ezmsg.graphserver.deciding.state.leases import Leases
from ezmsg.graphserver.deciding.state.operations import MakeBody, Operations, Question
from ezmsg.graphserver.deciding.state.processes import Processes
from ezmsg.graphserver.deciding.state.profiles import Profiles
from ezmsg.graphserver.deciding.state.returning import Returning
from ezmsg.graphserver.deciding.state.sessions import Session, Sessions
from ezmsg.graphserver.deciding.state.settings import Settings
from ezmsg.protocol.messages.endpoints import ApplyRoutes, RouteChange, RoutesApplied, Source
from ezmsg.protocol.messages.events import Reset, TopologyEvent
from ezmsg.protocol.messages.requests import EndTraces
from ezmsg.protocol.messages.sessions import CompactSnapshot, SnapshotTaken
from ezmsg.protocol.model.snapshot import Edge, GraphSnapshot, ProcessState, SnapshotSession
from ezmsg.protocol.model.topology import TopologyChangedEvent, TopologyEventType
from ezmsg.protocol.wire.auth import channel_key

ANSWER_BEFORE = 0.8
"""After which part of the time for routes a client says whom it still waits for, as it is not to blame itself."""


class GraphState:
    """Everything the server knows."""

    def __init__(self, epoch: UUID, configuration: Configuration) -> None:
        self.epoch = epoch
        self.configuration = configuration
        self.peers = Peers()
        self.edges = Edges()
        self.endpoints = Endpoints(self.edges)
        self.sessions = Sessions()
        self.processes = Processes()
        self.profiles = Profiles()
        self.settings = Settings(configuration.settings_history)
        self.topology: EventLog[TopologyEvent] = EventLog(configuration.topology_history)
        self.operations = Operations()
        self.leases = Leases(configuration.lease_s, configuration.look_s)
        self.returning = Returning()
        self.changes = Changes()
        self.standing = StandingSettings()
        self._routes_version = 0

    # --- routes -------------------------------------------------------------------------------------------

    def apply_routes(self, routes: Routes) -> list[Effect]:
        """Have changed routes applied, and let nothing wait for it."""
        return self.operations.ask(self._route_questions(routes))

    def await_routes(
        self, requester: PeerId, request_id: int, now: Moment, what: str, routes: Routes, make_body: MakeBody
    ) -> list[Effect]:
        """Have changed routes applied, and reply to a request when they are, or after the route time-out."""
        limit_s = self.configuration.route_timeout_s
        questions = self._route_questions(routes, ANSWER_BEFORE * limit_s)
        deadline = now.monotonic + limit_s
        return self.operations.confirm(requester, request_id, what, questions, make_body, deadline, self._unheard)

    def _unheard(self, answer: object) -> list[str]:
        """Name the publishers that a client cannot hear yet: by process, topic, and the units of the process."""
        if not isinstance(answer, RoutesApplied):
            return []
        known = self.endpoints.publishers
        return [self._publisher_name(known[publisher]) for publisher in answer.unheard if publisher in known]

    def _publisher_name(self, publisher: Publisher) -> str:
        name = self.peers[publisher.peer].name
        # A process of units has a connection of its own, by the same name.
        processes = [each for peer in self.peers.named(name) for each in self.processes.of_peer(peer)]
        units = {unit for each in processes for unit in each.answers_for}
        return f"{name} {publisher.topic}" + (f" (units {', '.join(sorted(units))})" if units else "")

    def _route_questions(
        self, routes: Routes, wait_s: float | None = None, *, only_missed: bool = False
    ) -> list[Question]:
        """Make one message for each client whose subscribers' routes changed.

        :param only_missed: publishers that are not known here may be back, and have sent something meanwhile.
        """
        changes: dict[PeerId, list[RouteChange]] = defaultdict(list)
        topics: dict[PeerId, set[str]] = defaultdict(set)
        for identity in routes.subscribers:
            subscriber = self.endpoints.subscribers[identity]
            added, removed = routes.added[identity], routes.removed[identity]
            if self.returning.keep(identity, removed - added):
                removed &= added
            self.returning.let_go(identity, removed)
            if not added and not removed:
                continue
            sources = [self._source(publisher, subscriber) for publisher in sorted(added)]
            # Not the difference to all keys, which a set takes away one after the other.
            known = self.endpoints.publishers
            away = sorted(gone for gone in removed if gone not in known) if only_missed else []
            changes[subscriber.peer].append(RouteChange(identity, sources, sorted(removed), away))
            topics[subscriber.peer].add(subscriber.topic)
        if not changes:
            return []
        self._routes_version += 1
        return [
            Question(
                peer,
                ApplyRoutes(self._routes_version, changes[peer], wait_s),
                [f"{self.peers[peer].name} {topic}" for topic in sorted(topics[peer])],
            )
            for peer in sorted(changes)
        ]

    def end_claims(self, now: Moment) -> list[Effect]:
        """Take down the routes that were kept for who may come back, and that nobody has confirmed."""
        routes = Routes()
        for identity, kept in self.returning.expire(now.monotonic).items():
            if identity in self.endpoints.subscribers and (stale := kept - self.endpoints.hears(identity)):
                routes.removed[identity] |= stale
        return self.operations.ask(self._route_questions(routes, only_missed=True))

    def _source(self, publisher_id: UUID, subscriber: Subscriber) -> Source:
        publisher = self.endpoints.publishers[publisher_id]
        declared = publisher.declared
        peer = self.peers[publisher.peer]
        return Source(
            publisher_id=publisher_id,
            topic=declared.topic,
            contact=contact_for(declared.contact, peer.route, self.peers[subscriber.peer].route),
            key=channel_key(declared.secret, publisher_id.bytes + subscriber.client_id.bytes),
            force_tcp=declared.force_tcp,
            allow_local=declared.allow_local,
            publisher_name=peer.name,
            offers=declared.offers,
        )

    # --- events -------------------------------------------------------------------------------------------

    def graph_changed(self, topics: Iterable[str], session: UUID | None, now: Moment) -> list[Effect]:
        """Log that edges to these topics, or metadata that speaks of them, came or went."""
        name = None if session is None else str(session)
        return self._log(TopologyEventType.GRAPH_CHANGED, sorted(topics), name, None, now)

    def edge_kept(self, edge: Edge, owner: UUID | None, *, held: bool) -> list[Effect]:
        """Have a persistent edge survive the server, or not any more, if there is a file for it."""
        return [KeepEdge(edge, held)] if owner is None and self.configuration.keeps_state else []

    def settings_kept(self, component: str) -> list[Effect]:
        """Have what stands of a component's settings survive the server, if there is a file for it."""
        return [KeepSettings(component, self.standing.of(component))] if self.configuration.keeps_state else []

    def channel_cut(self, topic: str, now: Moment) -> list[Effect]:
        """Log that a publisher of a topic goes on without one of its subscribers."""
        return self._log(TopologyEventType.CHANNEL_CUT, [topic], None, None, now)

    def process_changed(self, process_id: UUID, lost: set[str], now: Moment) -> list[Effect]:
        """Log that a process came, went, or owns other units than before; what it said of those it lost is void."""
        self.settings.withdraw(process_id, lost, now.wall)
        self.leases.is_back(process_id)
        if not self.configuration.keeps_state:
            described = self.sessions.component_owners
            self.standing.forget([unit for unit in lost if unit not in described])
        return self._log(TopologyEventType.PROCESS_CHANGED, [], None, process_id, now)

    def presence_changed(self, peer: PeerId, presence: ProcessState, now: Moment) -> list[Effect]:
        """Log what the processes of a client are taken for from now on."""
        effects: list[Effect] = []
        for process in self.processes.of_peer(peer):
            effects += self._log(TopologyEventType.PROCESS_CHANGED, [], None, process.id, now, presence)
        return effects

    def cursor(self, log: EventLog[E], after_seq: int, epoch: UUID | None) -> Cursor[E]:
        """Return a cursor over a log for who has read up to a number, in a run of this or another server.

        Who does not say of which run has one of another, if the number is yet to come in this one.
        """
        is_of_this_run = epoch in (None, self.epoch) and after_seq <= log.last_seq
        return Cursor(log, after_seq, None if is_of_this_run else Reset(self.epoch, log.last_seq))

    def _log(
        self,
        kind: TopologyEventType,
        topics: list[str],
        session: str | None,
        process: UUID | None,
        now: Moment,
        presence: ProcessState | None = None,
    ) -> list[Effect]:
        seq = self.topology.last_seq + 1
        event = TopologyChangedEvent(seq, kind, now.wall, topics, session, process, presence)
        self.topology.append(TopologyEvent(event))
        return [Feed()]

    # --- endings ------------------------------------------------------------------------------------------

    def clear_session(self, session: Session, now: Moment) -> tuple[list[Effect], Routes]:
        """Take a session's edges and its metadata, and nobody else's; return the routes that are gone, too."""
        held, gone = self.edges.drop_owner(session.id)
        self.settings.describe(session.id, session.metadata, None, now.wall)
        if session.metadata is not None and not self.configuration.keeps_state:
            self.standing.forget(session.metadata.components)
        described = self.sessions.drop_metadata(session)
        topics = {edge.to_topic for edge in held} | (described or set())
        changed = bool(held) or described is not None
        effects = self.graph_changed(topics, session.id, now) if changed else []
        return effects, self.endpoints.edges_removed(gone)

    def end_session(self, session: Session, now: Moment) -> list[Effect]:
        """End a session, and what it held with it."""
        effects, routes = self.clear_session(session, now)
        self.sessions.close(session)
        return effects + self.apply_routes(routes) + self.end_traces(session.id)

    def end_traces(self, origin: UUID) -> list[Effect]:
        """Tell the processes that may trace for a session or client that it is gone."""
        traced = [self.processes.find(process_id) for process_id in self.profiles.origin_gone(origin)]
        return self.operations.ask(
            [Question(process.peer, EndTraces(process.id, origin)) for process in traced if process is not None]
        )

    def drop_peer(self, peer: PeerId, now: Moment) -> list[Effect]:
        """Let go of everything that a client was, as it is gone."""
        left = self.peers.leave(peer)
        if left is None:
            return []
        was_dead = self.leases.state_of(peer) is ProcessState.DEAD
        self.leases.close(peer)
        # Its own requests and endpoints first, so that nothing more is asked of it or told to it.
        effects = self.operations.drop_requests(peer)
        self._drop_endpoints(peer, now)
        for session in self.sessions.of_peer(peer):
            effects += self.end_session(session, now)
        for process in self.processes.drop_peer(peer):
            self.profiles.process_gone(process.id)
            effects += self.process_changed(process.id, process.units, now)
            if was_dead:
                self.leases.bury(process.shown(ProcessState.DEAD), now.wall)
        if left.client_id in self.profiles and not self.peers.has_client(left.client_id):
            effects += self.end_traces(left.client_id)
        # What was asked of it last: who hears that it is gone must find that it owns nothing any more.
        return effects + self.operations.drop_calls(peer, now)

    def _drop_endpoints(self, peer: PeerId, now: Moment) -> None:
        """Forget a client's endpoints, but leave the routes to its publishers in place for a while."""
        declared = self.endpoints.published_by(peer)
        heard_by: dict[UUID, set[UUID]] = defaultdict(set)
        for subscriber, publishers in self.endpoints.drop_peer(peer).removed.items():
            for publisher in publishers:
                heard_by[publisher].add(subscriber)
        deadline = now.monotonic + self.configuration.return_timeout_s
        for publisher, subscribers in heard_by.items():
            self.returning.hold(declared[publisher], subscribers, deadline)

    # --- the whole ----------------------------------------------------------------------------------------

    def snapshot(self) -> GraphSnapshot:
        """Return everything that clients may know, sorted; it costs the whole graph."""
        sessions = {
            str(session.id): SnapshotSession(
                self.edges.held_by(session.id), session.metadata, session.client, session.opened
            )
            for session in self.sessions
        }
        return self._snapshot(self.edges.graph(), self.edges.owner_names(), sessions)

    def compact_snapshot(self, known: Iterable[bytes]) -> SnapshotTaken:
        """Return the same for who can expand it: edges in columns, and no metadata of a digest that is known."""
        held = frozenset(known)
        sessions = [session.shown(held) for session in self.sessions]
        return SnapshotTaken(self._snapshot({}, {}, {}), CompactSnapshot(self.edges.packed(), sessions))

    def _snapshot(
        self, graph: dict[str, list[str]], owners: dict[Edge, list[str]], sessions: dict[str, SnapshotSession]
    ) -> GraphSnapshot:
        return GraphSnapshot(
            graph=graph,
            edge_owners=owners,
            sessions=sessions,
            processes=self.processes.snapshot(self.leases.state_of),
            dead=self.leases.dead(),
            epoch=self.epoch,
            topology_seq=self.topology.last_seq,
            settings_seq=self.settings.log.last_seq,
        )

    def validate(self) -> None:
        """Assert every invariant. For tests: it visits the whole graph."""
        self.peers.validate()
        self.edges.validate()
        self.endpoints.validate()
        self.sessions.validate()
        self.processes.validate()
        self.profiles.validate()
        self.settings.validate(self.sessions.component_owners, self.processes.unit_owners)
        self.changes.validate()
        self.returning.validate()
        self.operations.validate()
