"""The graph against a plain model: whatever clients do, in whatever order, the rules of the graph hold."""

import itertools
from typing import Any
from uuid import UUID

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from ezmsg.graphserver import effects
from ezmsg.graphserver.configuration import Configuration
from ezmsg.graphserver.conversations import HANDLERS
from ezmsg.graphserver.effects import Moment, PeerId
from ezmsg.graphserver.graph import Graph
from ezmsg.protocol import errors, messages
from ezmsg.protocol.auth import channel_key
from ezmsg.protocol.messages.endpoints import (
    ApplyRoutes,
    AwaitReleases,
    Contact,
    DeclarePublisher,
    DeclareSubscriber,
    PausePublishing,
    ResumePublishing,
    Withdraw,
)
from ezmsg.protocol.messages.handshake import Hello
from ezmsg.protocol.messages.processes import RegisterProcess, UpdateOwnership
from ezmsg.protocol.messages.sessions import (
    ClearSession,
    CloseSession,
    Connect,
    Disconnect,
    Done,
    OpenSession,
    RegisterMetadata,
)
from ezmsg.protocol.model.metadata import DynamicSettingsMetadata, GraphMetadata, UnitMetadata
from ezmsg.protocol.model.process_control import ProcessOwnershipUpdate, ProcessRegistration
from ezmsg.protocol.revisions import CURRENT

ASKED_OF_CLIENTS = {ApplyRoutes, PausePublishing, ResumePublishing, AwaitReleases}

TOPICS = [f"T{number}" for number in range(6)]
ADDRESSES = ["A", "B", "C"]
SESSIONS = [UUID(int=number) for number in range(1, 4)]
PUBLISHERS = [UUID(int=number) for number in range(11, 16)]
SUBSCRIBERS = [UUID(int=number) for number in range(21, 26)]
PROCESSES = [UUID(int=number) for number in range(31, 34)]
CLIENTS = [UUID(int=number) for number in range(101, 104)]
CONTACT = Contact(UUID(int=7), None, "127.0.0.1", 1)

topics = st.sampled_from(TOPICS)
pairs = st.tuples(topics, topics)
addresses = st.lists(st.sampled_from(ADDRESSES), unique=True)
peer_numbers = st.integers(0, 11)
"""Below 3: any peer; else the one whose thing it is, if somebody's, so that most requests are granted."""


def test_every_request_to_a_server_has_one_handler() -> None:
    assert set(HANDLERS) == set(messages.REQUESTS) - ASKED_OF_CLIENTS


def unit(address: str) -> UnitMetadata:
    """The least that can be said of a unit."""
    dynamic = DynamicSettingsMetadata(enabled=False, input_topic=None, settings_type=None)
    return UnitMetadata(address, address, "t", "t", (None, {}), dynamic, None, {}, [], None, [])


class GraphMachine(RuleBasedStateMachine):
    """Clients that connect, ask and vanish. The model holds plain dicts and recomputes everything."""

    @initialize(edges=st.lists(pairs, max_size=8), places=st.lists(topics, min_size=6, max_size=6))
    def start(self, edges: list[tuple[str, str]], places: list[str]) -> None:
        self.graph = Graph(UUID(int=99), Configuration(topology_history=50))
        self.clock = 0.0
        self.next_peer = itertools.count(1)
        self.next_request = itertools.count(1)
        self.peers: dict[PeerId, UUID] = {}
        self.sessions: dict[UUID, PeerId] = {}
        self.owners: dict[tuple[str, str], set[UUID | None]] = {}
        self.metadata: dict[UUID, set[str]] = {}
        self.publishers: dict[UUID, tuple[PeerId, str, bytes]] = {}
        self.subscribers: dict[UUID, tuple[PeerId, str]] = {}
        self.processes: dict[UUID, tuple[PeerId, set[str]]] = {}
        self.heard: dict[UUID, set[UUID]] = {}  # by subscriber: what its client was told to hear
        self.open_calls: list[effects.Call] = []
        self.open_requests: set[tuple[PeerId, int]] = set()
        self.answer: Any = None
        for number, client in enumerate(CLIENTS):
            self.join(client)
            self.open_session(number, SESSIONS[number], again=False)
        for number, edge in enumerate(edges):
            self.connect(number % 3, SESSIONS[number % 3], edge)
        for number, topic in enumerate(places[:3]):
            self.declare_publisher(number, PUBLISHERS[number], topic, b"s")
        for number, topic in enumerate(places[3:]):
            self.declare_subscriber(number, SUBSCRIBERS[number], topic)

    # --- driving the graph ---

    def now(self) -> Moment:
        return Moment(self.clock, 1e9 + self.clock)

    def perform(self, done: list[effects.Effect]) -> None:
        for effect in done:
            match effect:
                case effects.Call():
                    assert effect.peer in self.peers, "asked of nobody"
                    self.open_calls.append(effect)
                    if isinstance(effect.body, ApplyRoutes):
                        self.apply(effect.peer, effect.body)
                case effects.Uncall():
                    self.open_calls = [call for call in self.open_calls if call.call_id != effect.call_id]
                case effects.Reply() | effects.Fail():
                    assert (effect.peer, effect.request_id) in self.open_requests, "answered twice, or never asked"
                    self.open_requests.remove((effect.peer, effect.request_id))
                    self.answer = effect.body if isinstance(effect, effects.Reply) else effect.error

    def apply(self, peer: PeerId, body: ApplyRoutes) -> None:
        """Do what a client does with its routes."""
        for change in body.changes:
            assert self.subscribers[change.subscriber_id][0] == peer
            assert change.added or change.removed, "a message about nothing"
            heard = self.heard[change.subscriber_id]
            assert set(change.removed) <= heard
            heard.difference_update(change.removed)
            for source in change.added:
                assert source.publisher_id not in heard
                heard.add(source.publisher_id)
                _, topic, secret = self.publishers[source.publisher_id]
                channel_id = source.publisher_id.bytes + self.peers[peer].bytes
                assert (source.topic, source.key) == (topic, channel_key(secret, channel_id))

    def ask(self, peer: PeerId, body: Any) -> Any:
        """Ask as one of the peers; return the answer if it came at once."""
        self.answer = None
        request_id = next(self.next_request)
        self.open_requests.add((peer, request_id))
        before = self.visible()
        log = self.graph.state.topology
        seq = log.last_seq
        self.perform(self.graph.request_received(peer, request_id, body, self.now()))
        if isinstance(self.answer, Exception):
            assert self.visible() == before, "a refused request left a trace"
            assert log.last_seq == seq
        assert (self.visible() != before) == (log.last_seq != seq), "events say what snapshots show"
        return self.answer

    def visible(self) -> Any:
        """What a snapshot shows of things whose change is an event."""
        snapshot = self.graph.state.snapshot()
        sessions = {
            name: shown for name, shown in snapshot.sessions.items() if shown.edges or shown.metadata is not None
        }
        return snapshot.graph, snapshot.edge_owners, sessions, snapshot.processes

    def peer(self, number: int, owner: PeerId | None = None) -> PeerId:
        return sorted(self.peers)[number % len(self.peers)] if number < 3 or owner is None else owner

    def peer_of(self, number: int, identity: UUID) -> PeerId:
        known: dict[UUID, Any] = {**self.publishers, **self.subscribers, **self.processes}
        return self.peer(number, known[identity][0] if identity in known else None)

    def peer_of_session(self, number: int, session: UUID | None) -> PeerId:
        return self.peer(number, None if session is None else self.sessions.get(session))

    def reaches(self, start: str, end: str) -> list[str] | None:
        """Whether there is a way along the model's edges."""
        reached, queue = {start}, [start]
        for topic in queue:
            for from_topic, to_topic in self.owners:
                if from_topic == topic and to_topic not in reached:
                    reached.add(to_topic)
                    queue.append(to_topic)
        return end in reached

    # --- peers ---

    @precondition(lambda self: len(self.peers) < 3)
    @rule(client=st.sampled_from(CLIENTS))
    def join(self, client: UUID) -> None:
        if client in self.peers.values():
            return
        peer = PeerId(next(self.next_peer))
        self.peers[peer] = client
        hello = Hello(CURRENT, "0", b"", client, pid=int(peer), host="host")
        self.perform(self.graph.peer_joined(peer, hello, self.now()))

    @precondition(lambda self: self.peers)
    @rule(number=peer_numbers)
    def leave(self, number: int) -> None:
        peer = self.peer(number)
        del self.peers[peer]
        self.open_requests = {request for request in self.open_requests if request[0] != peer}
        self.open_calls = [call for call in self.open_calls if call.peer != peer]
        for session in [session for session, owner in self.sessions.items() if owner == peer]:
            self.forget_session(session)
        for endpoints in (self.publishers, self.subscribers, self.processes):
            for identity in [identity for identity, known in endpoints.items() if known[0] == peer]:
                del endpoints[identity]
                self.heard.pop(identity, None)
        before, seq = self.visible(), self.graph.state.topology.last_seq
        self.perform(self.graph.peer_left(peer, self.now()))
        assert (self.visible() != before) == (self.graph.state.topology.last_seq != seq)

    # --- sessions ---

    def forget_session(self, session: UUID) -> None:
        del self.sessions[session]
        self.metadata.pop(session, None)
        self.let_go(session)

    def let_go(self, owner: UUID | None) -> None:
        for edge in list(self.owners):
            self.owners[edge].discard(owner)
            if not self.owners[edge]:
                del self.owners[edge]

    def is_open(self, session: UUID, peer: PeerId) -> bool:
        return self.sessions.get(session) == peer

    @precondition(lambda self: self.peers)
    @rule(number=peer_numbers, session=st.sampled_from(SESSIONS), again=st.booleans())
    def open_session(self, number: int, session: UUID, again: bool) -> None:
        peer = self.peer_of_session(number, session)
        answer = self.ask(peer, OpenSession(session, next(self.next_request) if again else 0))
        if session in self.sessions and not again and not self.is_open(session, peer):
            assert isinstance(answer, errors.DuplicateIdentity)
        else:
            assert answer == Done()
            self.sessions[session] = peer

    @precondition(lambda self: self.peers)
    @rule(number=peer_numbers, session=st.sampled_from(SESSIONS))
    def close_session(self, number: int, session: UUID) -> None:
        peer = self.peer_of_session(number, session)
        is_open = self.is_open(session, peer)
        if is_open:
            self.forget_session(session)
        answer = self.ask(peer, CloseSession(session))
        assert answer == Done() if is_open else isinstance(answer, errors.UnknownSession)

    @precondition(lambda self: self.peers)
    @rule(number=peer_numbers, session=st.sampled_from(SESSIONS))
    def clear_session(self, number: int, session: UUID) -> None:
        peer = self.peer_of_session(number, session)
        is_open = self.is_open(session, peer)
        if is_open:
            self.metadata.pop(session, None)
            self.let_go(session)
        answer = self.ask(peer, ClearSession(session))
        assert answer in (None, Done()) if is_open else isinstance(answer, errors.UnknownSession)

    @precondition(lambda self: self.peers)
    @rule(number=peer_numbers, session=st.sampled_from(SESSIONS), described=addresses, wrong=st.booleans())
    def register(self, number: int, session: UUID, described: list[str], wrong: bool) -> None:
        peer = self.peer_of_session(number, session)
        components = {address: unit(address) for address in described}
        if wrong:
            components["other"] = unit("one")
        answer = self.ask(peer, RegisterMetadata(session, GraphMetadata(1, None, dict(components))))
        others = {a: s for s, owned in self.metadata.items() if s != session for a in owned}
        taken = sorted(set(described) & others.keys())
        if not self.is_open(session, peer):
            assert isinstance(answer, errors.UnknownSession)
        elif wrong:
            assert isinstance(answer, errors.InvalidMetadata)
        elif taken:
            assert isinstance(answer, errors.ComponentCollision)
            assert answer.addresses == taken
            assert answer.sessions == sorted({str(others[address]) for address in taken})
        else:
            assert answer == Done()
            self.metadata[session] = set(described)

    # --- edges ---

    @precondition(lambda self: self.peers)
    @rule(number=peer_numbers, session=st.sampled_from([None, *SESSIONS]), edge=pairs)
    def connect(self, number: int, session: UUID | None, edge: tuple[str, str]) -> None:
        peer = self.peer_of_session(number, session)
        known = edge in self.owners
        refused = session is not None and not self.is_open(session, peer)
        cycle = not known and self.reaches(edge[1], edge[0])
        if not refused and not cycle:
            self.owners.setdefault(edge, set()).add(session)
        answer = self.ask(peer, Connect(*edge, session))
        if refused:
            assert isinstance(answer, errors.UnknownSession)
        elif cycle:
            assert isinstance(answer, errors.CyclicException)
            assert (answer.path[0], answer.path[-1]) == (edge[1], edge[0])
        elif answer is not None:
            assert answer.topology_changed != known
            assert answer.unconfirmed == []

    @precondition(lambda self: self.peers)
    @rule(number=peer_numbers, session=st.sampled_from([None, *SESSIONS]), edge=pairs)
    def disconnect(self, number: int, session: UUID | None, edge: tuple[str, str]) -> None:
        peer = self.peer_of_session(number, session)
        refused = session is not None and not self.is_open(session, peer)
        last = self.owners.get(edge) == {session}
        if not refused and edge in self.owners:
            self.owners[edge].discard(session)
            if not self.owners[edge]:
                del self.owners[edge]
        answer = self.ask(peer, Disconnect(*edge, session))
        if refused:
            assert isinstance(answer, errors.UnknownSession)
        elif answer is not None:
            assert answer.topology_changed == last

    # --- endpoints ---

    def taken(self, identity: UUID, known: dict[UUID, Any], peer: PeerId) -> bool:
        return identity in known and known[identity][0] != peer

    @precondition(lambda self: self.peers)
    @rule(
        number=peer_numbers,
        identity=st.sampled_from(PUBLISHERS),
        topic=topics,
        secret=st.sampled_from([b"s", b"t"]),
    )
    def declare_publisher(self, number: int, identity: UUID, topic: str, secret: bytes) -> None:
        peer = self.peer_of(number, identity)
        taken = self.taken(identity, self.publishers, peer)
        if not taken:
            self.publishers[identity] = (peer, topic, secret)
        answer = self.ask(peer, DeclarePublisher(identity, topic, CONTACT, secret))
        assert isinstance(answer, errors.DuplicateIdentity) == taken

    @precondition(lambda self: self.peers)
    @rule(number=peer_numbers, identity=st.sampled_from(SUBSCRIBERS), topic=topics)
    def declare_subscriber(self, number: int, identity: UUID, topic: str) -> None:
        peer = self.peer_of(number, identity)
        taken = self.taken(identity, self.subscribers, peer)
        if not taken:
            same = self.subscribers.get(identity) == (peer, topic)
            self.subscribers[identity] = (peer, topic)
            if same or identity not in self.heard:  # one that is declared again is told everything again
                self.heard[identity] = set()
            else:
                still = {p for p, known in self.publishers.items() if self.reaches(known[1], topic)}
                self.heard[identity] -= still
        answer = self.ask(peer, DeclareSubscriber(identity, topic))
        assert isinstance(answer, errors.DuplicateIdentity) == taken

    @precondition(lambda self: self.peers)
    @rule(number=peer_numbers, identity=st.sampled_from(PUBLISHERS + SUBSCRIBERS))
    def withdraw(self, number: int, identity: UUID) -> None:
        peer = self.peer_of(number, identity)
        known: dict[UUID, Any] = {**self.publishers, **self.subscribers}
        mine = identity in known and known[identity][0] == peer
        if mine:
            self.publishers.pop(identity, None)
            self.subscribers.pop(identity, None)
            self.heard.pop(identity, None)
        answer = self.ask(peer, Withdraw(identity))
        assert answer == Done() if mine else isinstance(answer, errors.UnknownEndpoint)

    # --- processes ---

    @precondition(lambda self: self.peers)
    @rule(number=peer_numbers, process=st.sampled_from(PROCESSES), units=addresses)
    def register_process(self, number: int, process: UUID, units: list[str]) -> None:
        peer = self.peer_of(number, process)
        answer = self.ask(peer, RegisterProcess(process, ProcessRegistration(1, "host", units)))
        if self.taken(process, self.processes, peer):
            assert isinstance(answer, errors.DuplicateIdentity)
        elif not self.collides(process, units, answer):
            assert answer == Done()
            self.processes[process] = (peer, set(units))

    @precondition(lambda self: self.peers)
    @rule(number=peer_numbers, process=st.sampled_from(PROCESSES), added=addresses, removed=addresses)
    def update_ownership(self, number: int, process: UUID, added: list[str], removed: list[str]) -> None:
        peer = self.peer_of(number, process)
        answer = self.ask(peer, UpdateOwnership(process, ProcessOwnershipUpdate(added, removed)))
        known = self.processes.get(process)
        if known is None or known[0] != peer:
            assert isinstance(answer, errors.UnknownProcess)
        elif not self.collides(process, added, answer):
            assert answer == Done()
            self.processes[process] = (known[0], known[1] - set(removed) | set(added))

    def collides(self, process: UUID, units: list[str], answer: Any) -> bool:
        owners = {u: p for p, known in self.processes.items() if p != process for u in known[1]}
        taken = sorted(set(units) & owners.keys())
        if taken:
            assert isinstance(answer, errors.OwnershipCollision)
            assert answer.units == taken
            assert answer.processes == sorted({str(owners[unit]) for unit in taken})
        return bool(taken)

    # --- answers and time ---

    @precondition(lambda self: self.open_calls)
    @rule(choice=st.integers(0, 99), fails=st.booleans())
    def answer_call(self, choice: int, fails: bool) -> None:
        call = self.open_calls.pop(choice % len(self.open_calls))
        answer = errors.InternalError(reason="x") if fails else Done()
        self.perform(self.graph.reply_received(call.peer, call.call_id, answer, self.now()))

    @rule(seconds=st.sampled_from([0.1, 0.6, 2.0]))
    def pass_time(self, seconds: float) -> None:
        self.clock += seconds
        self.perform(self.graph.tick(self.now()))
        deadline = self.graph.next_deadline()
        assert deadline is None or self.clock < deadline <= self.clock + 1.0

    # --- what always holds ---

    @invariant()
    def state_is_consistent(self) -> None:
        self.graph.state.validate()

    @invariant()
    def clients_hear_what_they_should(self) -> None:
        for identity, (_, topic) in self.subscribers.items():
            should = {p for p, (_, start, _) in self.publishers.items() if self.reaches(start, topic)}
            assert self.heard[identity] == should

    @invariant()
    def snapshot_shows_the_model(self) -> None:
        snapshot = self.graph.state.snapshot()
        names = {
            edge: sorted("persistent" if owner is None else str(owner) for owner in owners)
            for edge, owners in self.owners.items()
        }
        assert snapshot.edge_owners == names
        assert list(snapshot.edge_owners) == sorted(names)
        nodes = {topic for edge in self.owners for topic in edge}
        assert snapshot.graph == {node: sorted(e[1] for e in self.owners if e[0] == node) for node in nodes}
        assert list(snapshot.graph) == sorted(nodes)
        assert list(snapshot.sessions) == sorted(str(session) for session in self.sessions)
        for session in self.sessions:
            shown = snapshot.sessions[str(session)]
            assert shown.edges == sorted(edge for edge, owners in self.owners.items() if session in owners)
            described = None if shown.metadata is None else set(shown.metadata.components)
            assert described == self.metadata.get(session)
        assert {p: set(shown.units) for p, shown in snapshot.processes.items()} == {
            process: units for process, (_, units) in self.processes.items()
        }

    @invariant()
    def everybody_is_answered_in_time(self) -> None:
        if not self.open_calls:
            assert not self.open_requests
        if self.open_requests:
            assert self.graph.next_deadline() is not None


TestGraph = GraphMachine.TestCase
TestGraph.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
TestGraph = pytest.mark.timeout(300)(TestGraph)
