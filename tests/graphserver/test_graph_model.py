"""The graph against a plain model: whatever clients do, in whatever order, the rules of the graph hold.

This is the pure form: effects are looked at, time is made up, and no operation may scan the graph. The other form,
``tests/system/test_graph_rules.py``, is a real server with real clients.
"""

from collections import Counter
from typing import Any
from uuid import UUID

import pytest
from attrs import define, field
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import invariant, precondition, rule
from tests.graphserver.client_rules import ClientRules, numbers, somebody_is_there, topics
from tests.graphserver.model import Heard, Outcome
from tests.graphserver.predictions import check_events, check_outcome, check_snapshot
from tests.graphserver.watched import watch_state

from ezmsg.graphserver import effects
from ezmsg.graphserver.configuration import Configuration
from ezmsg.graphserver.conversations import HANDLERS
from ezmsg.graphserver.effects import Effect, Moment, PeerId
from ezmsg.graphserver.graph import Graph
from ezmsg.graphserver.state.event_log import Cursor
from ezmsg.protocol import errors, messages
from ezmsg.protocol.auth import channel_key
from ezmsg.protocol.errors import EzmsgError
from ezmsg.protocol.messages.endpoints import (
    ApplyRoutes,
    AwaitReleases,
    Contact,
    DeclarePublisher,
    DeclareSubscriber,
    Joined,
    PausePublishing,
    ResumePublishing,
    Withdraw,
)
from ezmsg.protocol.messages.events import FollowTopology, Gap, TopologyEvent
from ezmsg.protocol.messages.handshake import Hello
from ezmsg.protocol.messages.sessions import ClearSession, CloseSession, Connect, Disconnect, Done, EdgeChanged
from ezmsg.protocol.model.topology import TopologyChangedEvent
from ezmsg.protocol.revisions import CURRENT

ASKED_OF_CLIENTS = {ApplyRoutes, PausePublishing, ResumePublishing, AwaitReleases}

PUBLISHERS = [UUID(int=number) for number in range(11, 16)]
SUBSCRIBERS = [UUID(int=number) for number in range(21, 26)]
CONTACT = Contact(UUID(int=7), None, "127.0.0.1", 1)
EPOCH = UUID(int=99)
WATCHER = PeerId(0)
"""A client that follows the events and is in nobody's way."""

HISTORY = 8
"""Events kept: more than one step can make, so that only who reads late finds a gap."""

ROUTE_TIMEOUT_S = 1.0

endpoints = st.sampled_from(PUBLISHERS + SUBSCRIBERS)


def test_every_request_to_a_server_has_one_handler() -> None:
    assert set(HANDLERS) == set(messages.REQUESTS) - ASKED_OF_CLIENTS


@define
class Waiting:
    """A request, the answer it must get, and the calls that have to be answered before."""

    body: Any
    outcome: Outcome
    deadline: float
    calls: dict[int, list[str]] = field(factory=dict)
    unconfirmed: list[str] = field(factory=list)

    def reply(self) -> object:
        """Return the body of the reply that is due."""
        match self.body:
            case Connect() | Disconnect():
                assert isinstance(self.outcome, bool)
                return EdgeChanged(self.outcome, sorted(self.unconfirmed))
            case DeclarePublisher() | DeclareSubscriber():
                return Joined(sorted(self.unconfirmed))
            case _:
                return Done()


WAITS_FOR_ROUTES = (Connect, Disconnect, ClearSession, DeclarePublisher, DeclareSubscriber)


class GraphMachine(ClientRules):
    """Requests go in, effects come out, and both are what the model says."""

    def __init__(self) -> None:
        super().__init__()
        self.graph = Graph(EPOCH, Configuration(topology_history=HISTORY, route_timeout_s=ROUTE_TIMEOUT_S))
        self.watch = watch_state(self.graph.state)
        self.clock = 0.0
        self.calls: dict[int, effects.Call] = {}
        self.waiting: dict[tuple[int, int], Waiting] = {}
        self.routes_version = 0
        self.seen: list[TopologyChangedEvent] = []
        self.graph.peer_joined(WATCHER, hello(WATCHER, UUID(int=100)), self.now())
        self.cursor = self.follow(0)
        self.late_cursor, self.late_seq = self.follow(0), 0

    def settle_in(self, places: list[str]) -> None:
        """Place a publisher and a subscriber of each client."""
        for number, who in enumerate(sorted(self.model.peers)):
            self.ask(who, DeclarePublisher(PUBLISHERS[number], places[number], CONTACT, b"s"))
            self.ask(who, DeclareSubscriber(SUBSCRIBERS[number], places[number + 3]))

    def say_again(self, before: int, now: int) -> None:
        for _, declared in [known for known in self.model.publishers.values() if known[0] == before]:
            self.ask(now, declared)
        for subscriber, (who, topic) in list(self.model.subscribers.items()):
            if who == before:
                self.ask(now, DeclareSubscriber(subscriber, topic))

    # --- one step -----------------------------------------------------------------------------------------

    def ask(self, who: int, body: object) -> None:
        request_id = next(self.counter)
        heard, area = self.model.heard(), self.area(self.touched_by(who, body))
        outcome = self.model.request(who, body)
        area |= self.area(self.touched_by(who, body))
        with self.watch.on() as visited:
            done = self.graph.request_received(PeerId(who), request_id, body, self.now())
        assert visited <= area, "it looked where nothing could have changed"
        if isinstance(outcome, EzmsgError):
            (refusal,) = done
            assert isinstance(refusal, effects.Fail)
            assert (refusal.peer, refusal.request_id) == (who, request_id)
            check_outcome(self.model, refusal.error, outcome)
            return

        waiting = self.waiting[who, request_id] = Waiting(body, outcome, self.clock + ROUTE_TIMEOUT_S)
        calls = self.check_routes(done, heard, body)
        if isinstance(body, WAITS_FOR_ROUTES):
            waiting.calls.update({call.call_id: self.names(call) for call in calls})
            assert len({call.peer for call in calls}) == len(calls), "a client is told once"
        self.settle(done)

    def settle(self, done: list[Effect]) -> None:
        """See that exactly those requests are answered whose answers are due, and new events are told."""
        for effect in done:
            assert getattr(effect, "peer", WATCHER) in {WATCHER, *self.model.peers}, "told to who is gone"
        due = {key: waiting for key, waiting in self.waiting.items() if not waiting.calls}
        self.waiting = {key: waiting for key, waiting in self.waiting.items() if waiting.calls}
        replies = [effect for effect in done if isinstance(effect, effects.Reply)]
        assert {(reply.peer, reply.request_id): reply.body for reply in replies} == {
            key: waiting.reply() for key, waiting in due.items()
        }
        assert len(replies) == len(due)
        warnings = [effect for effect in done if isinstance(effect, effects.Warn)]
        assert len(warnings) == sum(bool(waiting.unconfirmed) for waiting in due.values())
        assert not any(isinstance(effect, effects.Fail) for effect in done)
        for effect in done:
            if isinstance(effect, effects.Uncall):
                assert self.calls.pop(effect.call_id).peer == effect.peer
        needed = {call_id for waiting in self.waiting.values() for call_id in waiting.calls}
        assert needed <= self.calls.keys(), "something waits for an answer that nobody owes"
        told = any(isinstance(effect, effects.Feed) for effect in done)
        assert told == (len(self.model.events) > len(self.seen))
        self.check_new_events()

    def check_routes(self, done: list[Effect], before: Heard, body: object = None) -> list[effects.Call]:
        """See that exactly those are told whose routes changed, and exactly what changed."""
        calls = [effect for effect in done if isinstance(effect, effects.Call)]
        told = Counter[tuple[str, UUID, UUID]]()
        for call in calls:
            assert call.peer in self.model.peers, "asked of nobody"
            self.calls[call.call_id] = call
            assert call.body.version >= self.routes_version
            self.routes_version = call.body.version
            for change in call.body.changes:
                assert self.model.subscribers[change.subscriber_id][0] == call.peer, "somebody else's routes"
                assert change.added or change.removed, "a message about nothing"
                told.update(("-", change.subscriber_id, publisher) for publisher in change.removed)
                for source in change.added:
                    self.check_source(call.peer, source)
                    told["+", change.subscriber_id, source.publisher_id] += 1
        again = body.subscriber_id if isinstance(body, DeclareSubscriber) else None
        assert told == Counter(route_changes(before, self.model.heard(), again))
        return calls

    def check_source(self, peer: PeerId, source: Any) -> None:
        _, declared = self.model.publishers[source.publisher_id]
        channel_id = source.publisher_id.bytes + self.model.peers[peer].bytes
        assert (source.topic, source.key) == (declared.topic, channel_key(declared.secret, channel_id))

    def names(self, call: effects.Call) -> list[str]:
        """Return how those are called that do not confirm if a call is not answered."""
        concerned = {self.model.subscribers[change.subscriber_id][1] for change in call.body.changes}
        return [f"host/{call.peer} {topic}" for topic in sorted(concerned)]

    def touched_by(self, who: int, body: object) -> set[str]:
        """Return the topics that a request speaks of, or that what it speaks of is about."""
        match body:
            case Connect() | Disconnect():
                return {body.from_topic, body.to_topic}
            case ClearSession() | CloseSession():
                return self.held_by(body.session_id)
            case DeclarePublisher() | DeclareSubscriber():
                return {body.topic}
            case _:
                return set()

    def held_by(self, session: UUID) -> set[str]:
        return {topic for edge, owners in self.model.owners.items() if session in owners for topic in edge}

    def area(self, touched: set[str]) -> set[str]:
        """Return all topics where a change at some of them could matter: down from there, and what leads there."""
        return self.model.reach(self.model.reach(touched), backward=True)

    # --- connections and time -----------------------------------------------------------------------------

    def now(self) -> Moment:
        return Moment(self.clock, 1e9 + self.clock)

    def join_as(self, who: int, client: UUID) -> None:
        assert self.graph.peer_joined(PeerId(who), hello(who, client), self.now()) == []

    @somebody_is_there
    @rule(number=numbers)
    def leave(self, number: int) -> None:
        who = self.anybody(number)
        held = [self.held_by(session) for session, known in self.model.sessions.items() if known.who == who]
        heard, area = self.model.heard(), self.area(set().union(*held))
        self.model.leave(who)
        self.waiting = {key: waiting for key, waiting in self.waiting.items() if key[0] != who}
        for call_id in [call_id for call_id, call in self.calls.items() if call.peer == who]:
            del self.calls[call_id]
            for waiting in self.waiting.values():
                waiting.calls.pop(call_id, None)  # whoever is gone has nothing left to confirm
        with self.watch.on() as visited:
            done = self.graph.peer_left(PeerId(who), self.now())
        assert visited <= area
        self.check_routes(done, heard)
        self.settle(done)
        assert self.graph.peer_left(PeerId(who), self.now()) == []

    @precondition(lambda self: self.calls)
    @rule(choice=st.integers(0, 99), fails=st.booleans())
    def answer_call(self, choice: int, fails: bool) -> None:
        call = self.calls.pop(sorted(self.calls)[choice % len(self.calls)])
        for waiting in self.waiting.values():
            names = waiting.calls.pop(call.call_id, [])
            waiting.unconfirmed += names if fails else []
        answer = errors.InternalError(reason="x") if fails else Done()
        self.settle(self.graph.reply_received(call.peer, call.call_id, answer, self.now()))

    @precondition(lambda self: self.waiting)
    @rule(choice=st.integers(0, 99))
    def cancel(self, choice: int) -> None:
        """What was changed stays changed, only the answer is not wanted."""
        who, request_id = sorted(self.waiting)[choice % len(self.waiting)]
        del self.waiting[who, request_id]
        self.settle(self.graph.request_cancelled(PeerId(who), request_id))

    @rule(seconds=st.sampled_from([0.1, 0.6, 2.0]))
    def pass_time(self, seconds: float) -> None:
        self.clock += seconds
        for waiting in self.waiting.values():
            if waiting.deadline <= self.clock:
                waiting.unconfirmed += [name for names in waiting.calls.values() for name in names]
                waiting.calls.clear()
        self.settle(self.graph.tick(self.now()))

    # --- endpoints ----------------------------------------------------------------------------------------

    def holder_of_endpoint(self, number: int, identity: UUID) -> int:
        known: dict[UUID, Any] = {**self.model.publishers, **self.model.subscribers}
        return self.anybody(number, known[identity][0] if identity in known else None)

    @somebody_is_there
    @rule(number=numbers, identity=endpoints, topic=topics, secret=st.sampled_from([b"s", b"t"]))
    def declare_publisher(self, number: int, identity: UUID, topic: str, secret: bytes) -> None:
        body = DeclarePublisher(identity, topic, CONTACT, secret)
        self.ask(self.holder_of_endpoint(number, identity), body)

    @somebody_is_there
    @rule(number=numbers, identity=endpoints, topic=topics)
    def declare_subscriber(self, number: int, identity: UUID, topic: str) -> None:
        self.ask(self.holder_of_endpoint(number, identity), DeclareSubscriber(identity, topic))

    @somebody_is_there
    @rule(number=numbers, identity=endpoints)
    def withdraw(self, number: int, identity: UUID) -> None:
        self.ask(self.holder_of_endpoint(number, identity), Withdraw(identity))

    # --- events -------------------------------------------------------------------------------------------

    def follow(self, after_seq: int) -> Cursor:
        reply, follow = self.graph.request_received(
            WATCHER, next(self.counter), FollowTopology(after_seq), self.now()
        )
        assert isinstance(reply, effects.Reply)
        assert isinstance(follow, effects.Follow)
        return follow.cursor

    def check_new_events(self) -> None:
        """See that who reads at once sees every change, once and in order, with its time."""
        first = len(self.seen)
        while isinstance(item := self.cursor.take(), TopologyEvent):
            self.seen.append(item.event)
        assert item is None, "a gap though nothing was late"
        check_events(self.seen[first:], self.model.events[first:], first + 1)
        assert all(event.timestamp == self.now().wall for event in self.seen[first:])

    @rule()
    def read_late(self) -> None:
        self.check_late(self.late_cursor, self.late_seq)
        self.late_seq = len(self.seen)

    @rule(after_seq=st.integers(-1, 60))
    def come_back(self, after_seq: int) -> None:
        """Follow from a number; one from another run of the server means from now on."""
        self.check_late(self.follow(after_seq), min(max(after_seq, 0), len(self.seen)))

    def check_late(self, cursor: Cursor, after_seq: int) -> None:
        forgotten = max(len(self.seen) - HISTORY, 0)
        if after_seq < forgotten:
            assert cursor.take() == Gap(after_seq + 1, forgotten)
        for event in self.seen[max(after_seq, forgotten) :]:
            assert cursor.take() == TopologyEvent(event)
        assert cursor.take() is None

    # --- what always holds --------------------------------------------------------------------------------

    @invariant()
    def state_is_consistent(self) -> None:
        self.graph.state.validate()

    @invariant()
    def snapshot_shows_the_model(self) -> None:
        check_snapshot(self.graph.state.snapshot(), self.model.snapshot(EPOCH))

    @invariant()
    def the_timer_is_that_of_who_waits_longest(self) -> None:
        deadlines = [waiting.deadline for waiting in self.waiting.values()]
        assert self.graph.next_deadline() == min(deadlines, default=None)


def hello(who: int, client: UUID) -> Hello:
    """Say who one is; the server calls it ``host/<who>``."""
    return Hello(CURRENT, "0", b"", client, pid=who, host="host")


def route_changes(before: Heard, now: Heard, told_again: UUID | None) -> list[tuple[str, UUID, UUID]]:
    """Return what has to be told to subscribers.

    One that was there before hears only of differences, unless it was just declared again: it is told all that it
    hears then. A publisher that is declared differently is let go and heard anew.
    """
    changes = []
    for subscriber, hears in now.items():
        heard = before.get(subscriber, {})
        for publisher, declared in heard.items():
            if hears.get(publisher) != declared:
                changes.append(("-", subscriber, publisher))
        for publisher, declared in hears.items():
            if subscriber == told_again or heard.get(publisher) != declared:
                changes.append(("+", subscriber, publisher))
    return changes


TestGraph = GraphMachine.TestCase
TestGraph.settings = settings(max_examples=settings().max_examples * 3 // 2, stateful_step_count=40)
TestGraph = pytest.mark.timeout(300)(TestGraph)
