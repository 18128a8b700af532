"""The graph against a plain model: whatever clients do, in whatever order, the rules of the graph hold.

This is the pure form: effects are looked at, time is made up, and no operation may scan the graph. The other form,
``tests/system/test_graph_rules.py``, is a real server with real clients.
"""

from collections import Counter
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from dataclasses import replace
from typing import Any, cast
from uuid import UUID

import pytest
from attrs import define, field
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import invariant, precondition, rule
from tests.graphserver.deciding.client_rules import (
    ADDRESSES,
    SESSIONS,
    ClientRules,
    numbers,
    somebody_is_there,
    topics,
)
from tests.graphserver.deciding.descriptions import reported
from tests.graphserver.deciding.errands import Errands
from tests.graphserver.deciding.folding import FoldedSettings, FoldedTopology
from tests.graphserver.deciding.model import Heard, Model, Outcome
from tests.graphserver.deciding.predictions import (
    check_compact,
    check_events,
    check_outcome,
    check_settings_events,
    check_snapshot,
)
from tests.graphserver.deciding.watched import watch_state

from ezmsg.graphserver.deciding import effects
from ezmsg.graphserver.deciding.configuration import Configuration
from ezmsg.graphserver.deciding.conversations import HANDLERS
from ezmsg.graphserver.deciding.effects import Effect, Moment, PeerId
from ezmsg.graphserver.deciding.graph import Graph
from ezmsg.graphserver.deciding.state.event_log import Cursor
from ezmsg.protocol import errors, messages
from ezmsg.protocol.errors import EzmsgError
from ezmsg.protocol.messages.endpoints import (
    ApplyRoutes,
    AwaitReleases,
    Contact,
    DeclareEndpoints,
    DeclarePublisher,
    DeclareSubscriber,
    Joined,
    PausePublishing,
    ResumePublishing,
    Withdraw,
)
from ezmsg.protocol.messages.events import FollowTopology, Gap, Reset, TopologyEvent
from ezmsg.protocol.messages.handshake import Hello
from ezmsg.protocol.messages.processes import RegisterProcess, UpdateOwnership
from ezmsg.protocol.messages.requests import EndTraces, HandleRequest, Responded, RouteRequest
from ezmsg.protocol.messages.sessions import ClearSession, CloseSession, Connect, Disconnect, Done, EdgeChanged
from ezmsg.protocol.messages.settings import (
    ApplySetting,
    FollowSettings,
    ReportSettings,
    SettingApplied,
    SettingsEvent,
    SettingsTaken,
    TakeSettings,
    UpdateSetting,
)
from ezmsg.protocol.model.metadata import GraphMetadata
from ezmsg.protocol.model.process_control import ProcessControlResponse
from ezmsg.protocol.model.settings import SettingsChangedEvent
from ezmsg.protocol.model.topology import TopologyChangedEvent
from ezmsg.protocol.revisions import CURRENT
from ezmsg.protocol.wire.auth import channel_key

ASKED_OF_CLIENTS = {
    *(ApplyRoutes, PausePublishing, ResumePublishing, AwaitReleases),
    *(HandleRequest, ApplySetting, EndTraces),
}

PUBLISHERS = [UUID(int=number) for number in range(11, 16)]
SUBSCRIBERS = [UUID(int=number) for number in range(21, 26)]
CONTACT = Contact(UUID(int=7), None, "127.0.0.1", 1)
EPOCH = UUID(int=99)
WATCHER = PeerId(0)
"""A client that follows the events and is in nobody's way."""

HISTORY = 8
"""Events kept: more than one step can make, so that only who reads late finds a gap."""

MOST_FOLDERS = 2

ROUTE_TIMEOUT_S = 1.0

RETURN_TIMEOUT_S = 1.5

endpoints = st.sampled_from(PUBLISHERS + SUBSCRIBERS)
claims = st.just([]) | st.lists(st.sampled_from(PUBLISHERS), max_size=3, unique=True)
units = st.sampled_from(ADDRESSES)
revisions = st.lists(st.none() | st.integers(0, 3), min_size=1, max_size=3)
timeouts = st.sampled_from([0.0, 0.5, 1.5])
SOME_CHANGE = ApplySetting(UUID(int=31), "A", "gain", 2.0)
answers = st.sampled_from(["right", "right", "right", "failure", "another's", "wrong", "unsent"])


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
            case DeclarePublisher() | DeclareSubscriber() | DeclareEndpoints():
                return Joined(sorted(self.unconfirmed))
            case ReportSettings():
                return self.outcome
            case _:
                return Done()


Changes = Counter[tuple[str, UUID, UUID]]
"""Routes that come (+) or go (-): the subscriber, and the publisher that it hears."""

WAITS_FOR_ROUTES = (Connect, Disconnect, ClearSession, DeclarePublisher, DeclareSubscriber, DeclareEndpoints)


class GraphMachine(ClientRules):
    """Requests go in, effects come out, and both are what the model says."""

    def __init__(self) -> None:
        super().__init__()
        self.graph = Graph(EPOCH, Configuration(HISTORY, ROUTE_TIMEOUT_S, HISTORY, RETURN_TIMEOUT_S))
        self.watch = watch_state(self.graph.state)
        self.clock = 0.0
        self.calls: dict[int, effects.Call] = {}
        self.waiting: dict[tuple[int, int], Waiting] = {}
        self.claims: dict[UUID, tuple[set[UUID], float]] = {}
        self.away: dict[UUID, tuple[DeclarePublisher, set[UUID], float]] = {}
        self.errands = Errands(self.model)
        self.dropped: set[UUID] = set()
        self.routes_version = 0
        self.seen: list[TopologyChangedEvent] = []
        self.seen_settings: list[SettingsChangedEvent] = []
        self.held: dict[bytes, GraphMetadata] = {}  # what a client that takes snapshots knows, by digest
        self.graph.peer_joined(WATCHER, hello(WATCHER, UUID(int=100)), self.now())
        self.cursor = self.follow(FollowTopology(0))
        self.settings_cursor = self.follow(FollowSettings(0))
        self.late_cursor, self.late_seq = self.follow(FollowTopology(0)), 0
        self.late_settings_cursor, self.late_settings_seq = self.follow(FollowSettings(0)), 0
        self.folded, self.folded_topology = FoldedSettings(self.take), FoldedTopology(self.graph.state.snapshot())
        self.folders: list[tuple[FoldedSettings, Cursor[Any]]] = []

    def settle_in(self, places: list[str]) -> None:
        """Place a publisher and a subscriber of each client; one comes back, and hears somebody who is gone."""
        for number, who in enumerate(sorted(self.model.peers)):
            self.ask(who, DeclarePublisher(PUBLISHERS[number], places[number], CONTACT, b"s"))
            hears = [PUBLISHERS[-1]] if number == 0 else []
            self.ask(who, DeclareSubscriber(SUBSCRIBERS[number], places[number + 3], hears))

    def say_again(self, before: int, now: int) -> None:
        for _, declared in [known for known in self.model.publishers.values() if known[0] == before]:
            self.ask(now, declared)
        for subscriber, (who, topic) in list(self.model.subscribers.items()):
            if who == before:
                self.ask(now, DeclareSubscriber(subscriber, topic, sorted(self.model.heard()[subscriber])))

    # --- one step -----------------------------------------------------------------------------------------

    def ask(self, who: int, body: object) -> None:
        request_id = next(self.counter)
        heard, area = self.model.heard(), self.area(self.touched_by(who, body))
        described, owned = self.model.described(), self.model.owned()
        outcome = self.model.request(who, body)
        if not isinstance(outcome, EzmsgError):
            self.let_stand(body, described.keys(), owned)
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

        for subscriber in subscribers_of(body):
            if subscriber.hears:
                claimed, _ = self.claims.pop(subscriber.subscriber_id, (set[UUID](), 0.0))
                hears = claimed | set(subscriber.hears)
                self.claims[subscriber.subscriber_id] = hears, self.clock + RETURN_TIMEOUT_S
        waiting = self.waiting[who, request_id] = Waiting(body, outcome, self.clock + ROUTE_TIMEOUT_S)
        calls = self.check_routes(done, heard, body)
        if isinstance(body, WAITS_FOR_ROUTES):
            waiting.calls.update({call.call_id: self.names(call) for call in calls})
            assert len({call.peer for call in calls}) == len(calls), "a client is told once"
        self.settle(done)

    def let_stand(self, body: object, described: AbstractSet[str], owned: set[str]) -> None:
        """Predict what becomes of what operators had changed: it ends with its session, or is changed again."""
        if isinstance(body, CloseSession | ClearSession):
            self.errands.forget(described - self.model.described().keys())
        self.errands.forget(owned - self.model.owned() - self.model.described().keys())
        match body:
            case RegisterProcess():
                self.errands.gained(body.process_id, body.registration.units)
            case UpdateOwnership():
                self.errands.gained(body.process_id, body.update.added_units)

    def settle(self, done: list[Effect]) -> None:
        """See that exactly those requests are answered whose answers are due, and new events are told."""
        for effect in done:
            assert getattr(effect, "peer", WATCHER) in {WATCHER, *self.model.peers}, "told to who is gone"
        due = {key: waiting for key, waiting in self.waiting.items() if not waiting.calls}
        self.waiting = {key: waiting for key, waiting in self.waiting.items() if waiting.calls}
        for effect in done:
            if isinstance(effect, effects.Call) and not isinstance(effect.body, ApplyRoutes):
                self.calls[effect.call_id] = effect
                self.errands.check_call(effect)
        assert not self.errands.to_ask, "a process is not asked whose turn it is"
        answers = [effect for effect in done if isinstance(effect, effects.Reply | effects.Fail)]
        expected = {key: waiting.reply() for key, waiting in due.items()} | self.errands.due
        assert sorted((answer.peer, answer.request_id) for answer in answers) == sorted(expected)
        for answer in answers:
            told = answer.error if isinstance(answer, effects.Fail) else answer.body
            check_answer(self.model, told, expected[answer.peer, answer.request_id])
        self.errands.due.clear()
        warnings = [effect for effect in done if isinstance(effect, effects.Warn)]
        assert len(warnings) == sum(bool(waiting.unconfirmed) for waiting in due.values()) + self.errands.warned
        self.errands.warned = 0
        for effect in done:
            if isinstance(effect, effects.Uncall):
                assert self.calls.pop(effect.call_id).peer == effect.peer
        needed = {call_id for waiting in self.waiting.values() for call_id in waiting.calls}
        assert needed <= self.calls.keys(), "something waits for an answer that nobody owes"
        asked = {call_id for call_id, call in self.calls.items() if not isinstance(call.body, ApplyRoutes)}
        assert asked == {errand.call.call_id for errand in self.errands.out() if errand.call is not None}
        news = len(self.model.events) > len(self.seen) or len(self.model.settings_events) > len(self.seen_settings)
        assert not news or any(isinstance(effect, effects.Feed) for effect in done)
        self.check_new_events()

    def check_routes(self, done: list[Effect], before: Heard, body: object = None) -> list[effects.Call]:
        """See that exactly those are told whose routes changed, and exactly what changed."""
        calls = [
            effect for effect in done if isinstance(effect, effects.Call) and isinstance(effect.body, ApplyRoutes)
        ]
        told = Changes()
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
        due = Counter(route_changes(before, self.model.heard(), again))
        for publisher in publishers_of(body):
            due |= self.declared_differently(publisher)
        due = self.without_claimed(self.without_away(due, before)) + self.unconfirmed()
        assert told == due
        for sign, subscriber, publisher in told:
            if sign == "-" and publisher in self.away:
                self.away[publisher][1].discard(subscriber)
        return calls

    def without_away(self, due: Changes, before: Heard) -> Changes:
        """Leave out what is taken from subscribers because a publisher's client has dropped: it may come back."""
        for change in list(due):
            sign, subscriber, publisher = change
            if sign == "-" and publisher in self.dropped:
                declared, kept, _ = self.away.pop(publisher, (before[subscriber][publisher], set[UUID](), 0.0))
                self.away[publisher] = declared, kept | {subscriber}, self.clock + RETURN_TIMEOUT_S
                del due[change]
        return due

    def declared_differently(self, body: DeclarePublisher) -> Changes:
        """Return what has to be taken from subscribers because a publisher is back and is not what it was."""
        if body.publisher_id not in self.away or self.away[body.publisher_id][0] == body:
            return Counter()
        _, kept, _ = self.away.pop(body.publisher_id)
        return Counter(("-", subscriber, body.publisher_id) for subscriber in kept & self.model.subscribers.keys())

    def without_claimed(self, due: Changes) -> Changes:
        """Leave out what is taken from subscribers that come back, but for what is given anew."""
        kept = [
            change
            for change in due
            if change[0] == "-" and change[1] in self.claims and ("+", *change[1:]) not in due
        ]
        for change in kept:
            self.claims[change[1]][0].add(change[2])
            del due[change]
        return due

    def unconfirmed(self) -> Changes:
        """Return what has to be taken from subscribers as the time to come back is over."""
        heard, due = self.model.heard(), Changes()
        for subscriber, (claimed, deadline) in list(self.claims.items()):
            if deadline <= self.clock:
                del self.claims[subscriber]
                stale = claimed - heard[subscriber].keys() if subscriber in heard else ()
                due |= Counter(("-", subscriber, publisher) for publisher in stale)
        for publisher, (_, kept, deadline) in list(self.away.items()):
            if deadline <= self.clock:
                del self.away[publisher]
                stale = {subscriber for subscriber in kept & heard.keys() if publisher not in heard[subscriber]}
                due |= self.without_claimed(Counter(("-", subscriber, publisher) for subscriber in stale))
        return due

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
            case DeclareEndpoints():
                return {each.topic for each in body.publishers} | {each.topic for each in body.subscribers}
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
        self.dropped = {publisher for publisher, (holder, _) in self.model.publishers.items() if holder == who}
        described, owned = self.model.described(), self.model.owned()
        self.model.leave(who)
        self.errands.forget(described.keys() - self.model.described().keys())
        self.errands.forget(owned - self.model.owned() - self.model.described().keys())
        self.waiting = {key: waiting for key, waiting in self.waiting.items() if key[0] != who}
        for call_id in [call_id for call_id, call in self.calls.items() if call.peer == who]:
            del self.calls[call_id]
            for waiting in self.waiting.values():
                waiting.calls.pop(call_id, None)  # whoever is gone has nothing left to confirm
        self.errands.left(who)
        with self.watch.on() as visited:
            done = self.graph.peer_left(PeerId(who), self.now())
        assert visited <= area
        self.check_routes(done, heard)
        self.dropped = set()
        self.settle(done)
        assert self.graph.peer_left(PeerId(who), self.now()) == []

    @precondition(lambda self: self.route_calls())
    @rule(choice=st.integers(0, 99), fails=st.booleans())
    def answer_call(self, choice: int, fails: bool) -> None:
        routes = self.route_calls()
        call = self.calls.pop(routes[choice % len(routes)])
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

    def route_calls(self) -> list[int]:
        return sorted(call_id for call_id, call in self.calls.items() if isinstance(call.body, ApplyRoutes))

    @rule(seconds=st.sampled_from([0.1, 0.6, 2.0]))
    def pass_time(self, seconds: float) -> None:
        self.clock += seconds
        for waiting in self.waiting.values():
            if waiting.deadline <= self.clock:
                waiting.unconfirmed += [name for names in waiting.calls.values() for name in names]
                waiting.calls.clear()
        self.errands.expire(self.clock)
        done = self.graph.tick(self.now())
        self.check_routes(done, self.model.heard())
        self.settle(done)

    def teardown(self) -> None:
        """However it stopped: when the last deadline has passed, and all are gone, nobody and nothing waits."""
        self.pass_time(10.0)
        assert not self.waiting
        assert not self.errands.waiting()
        assert self.graph.next_deadline() is None
        for number in range(len(self.model.peers)):
            self.leave(number)
        assert self.graph.state.snapshot().processes == {}
        assert self.take().values == {}
        assert len(self.graph.state.operations) == 0
        self.graph.state.validate()

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
    @rule(number=numbers, identity=endpoints, topic=topics, hears=claims)
    def declare_subscriber(self, number: int, identity: UUID, topic: str, hears: list[UUID]) -> None:
        """One that comes back after it lost the server says which routes it has; they may be none any more."""
        self.ask(self.holder_of_endpoint(number, identity), DeclareSubscriber(identity, topic, hears))

    @somebody_is_there
    @rule(
        number=numbers,
        joining=st.lists(st.tuples(endpoints, topics, claims), max_size=4, unique_by=lambda each: each[0]),
    )
    def declare_together(self, number: int, joining: list[tuple[UUID, str, list[UUID]]]) -> None:
        """Some that are not there yet; and perhaps one whose id another client has, so that none joins."""
        who = self.anybody(number)
        known: dict[UUID, Any] = {**self.model.publishers, **self.model.subscribers}
        clients = self.model.peers
        theirs = [each for each in joining if each[0] not in known or clients[known[each[0]][0]] != clients[who]]
        publishers = [DeclarePublisher(one, topic, CONTACT, b"s") for one, topic, _ in theirs if one in PUBLISHERS]
        subscribers = [DeclareSubscriber(one, topic, hears) for one, topic, hears in theirs if one in SUBSCRIBERS]
        self.ask(who, DeclareEndpoints(publishers, subscribers))

    @somebody_is_there
    @rule(number=numbers, identity=endpoints)
    def withdraw(self, number: int, identity: UUID) -> None:
        self.ask(self.holder_of_endpoint(number, identity), Withdraw(identity))

    # --- what processes are asked -------------------------------------------------------------------------

    @somebody_is_there
    @rule(number=numbers, unit=units, timeout_s=timeouts, session=st.sampled_from([None, *SESSIONS]))
    def route(self, number: int, unit: str, timeout_s: float, session: UUID | None) -> None:
        body = RouteRequest(unit, "ANYTHING", timeout_s, b"payload", session)
        self.ask_process(number, body, self.errands.route)

    @somebody_is_there
    @rule(number=numbers, unit=units, timeout_s=timeouts, expected=revisions)
    def change_settings(self, number: int, unit: str, timeout_s: float, expected: list[int | None]) -> None:
        """Ask for some changes of one unit; all but one have to wait for their turn."""
        for expect in expected:
            body = UpdateSetting(unit, "gain", 2.0, timeout_s, expect)
            self.ask_process(number, body, self.errands.change)

    def ask_process(self, number: int, body: Any, predict: Callable[[tuple[int, int], Any, float], None]) -> None:
        who, request_id = self.anybody(number), next(self.counter)
        predict((who, request_id), body, self.clock + body.timeout_s)
        with self.watch.on():
            done = self.graph.request_received(PeerId(who), request_id, body, self.now())
        self.settle(done)

    @precondition(lambda self: self.errands.out())
    @rule(choice=st.integers(0, 99), kind=answers)
    def answer_errand(self, choice: int, kind: str) -> None:
        """A process answers as it should, or as it should not; or it cannot be asked."""
        out = self.errands.out()
        errand = out[choice % len(out)]
        call = errand.call
        assert call is not None
        del self.calls[call.call_id]
        answer = process_answer(call.body, kind)
        self.errands.answered(errand, answer)
        with self.watch.on():
            if answer is None:
                error = errors.FrameTooLarge(size=2, limit=1)
                done = self.graph.call_unsent(call.peer, call.call_id, error, self.now())
            else:
                done = self.graph.reply_received(call.peer, call.call_id, answer, self.now())
        self.settle(done)
        again = self.graph.reply_received(call.peer, call.call_id, Done(), self.now())
        assert again == [], "an answer is taken once"

    @rule(peer=st.integers(0, 30), call_id=st.integers(-1, 60), kind=answers)
    def answer_nothing(self, peer: int, call_id: int, kind: str) -> None:
        """An answer too late, a second one, one to what was never asked, or one from somebody who was not asked."""
        call = self.calls.get(call_id)
        if call is not None and call.peer == peer:
            return
        if kind == "unsent":
            error = errors.FrameTooLarge(size=2, limit=1)
            assert self.graph.call_unsent(PeerId(peer), call_id, error, self.now()) == []
        else:
            asked = call.body if call and isinstance(call.body, HandleRequest | ApplySetting) else SOME_CHANGE
            answer = process_answer(asked, kind)
            assert self.graph.reply_received(PeerId(peer), call_id, answer, self.now()) == []

    @rule(peer=st.integers(0, 30), request_id=st.integers(-1, 200))
    def cancel_nothing(self, peer: int, request_id: int) -> None:
        """What is answered already, or was never asked, can be cancelled in vain."""
        waiting = self.waiting.keys() | {errand.key for errand in self.errands.waiting()}
        if (peer, request_id) not in waiting:
            done = self.graph.request_cancelled(PeerId(peer), request_id)
            assert done == [effects.Unfollow(PeerId(peer), request_id)]

    @precondition(lambda self: self.errands.waiting())
    @rule(choice=st.integers(0, 99))
    def cancel_errand(self, choice: int) -> None:
        waiting = self.errands.waiting()
        errand = waiting[choice % len(waiting)]
        self.errands.cancel(errand)
        who, request_id = errand.key
        self.settle(self.graph.request_cancelled(PeerId(who), request_id))

    # --- events -------------------------------------------------------------------------------------------

    def follow(self, body: FollowTopology | FollowSettings) -> Cursor[Any]:
        reply, follow = self.graph.request_received(WATCHER, next(self.counter), body, self.now())
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
        if len(self.seen) > first:
            snapshot = self.graph.state.snapshot()
            for event in self.seen[first:]:
                self.folded_topology.hear(event, snapshot)
        first = len(self.seen_settings)
        while isinstance(item := self.settings_cursor.take(), SettingsEvent):
            self.seen_settings.append(item.event)
            self.folded.hear(item)
        assert item is None, "a gap though nothing was late"
        new = self.seen_settings[first:]
        check_settings_events(new, self.model.settings_events[first:], first + 1, self.now().wall)

    @rule()
    def read_late(self) -> None:
        check_late(self.late_cursor, self.topology_events(), self.late_seq)
        self.late_seq = len(self.seen)

    @rule()
    def read_settings_late(self) -> None:
        check_late(self.late_settings_cursor, self.settings_events(), self.late_settings_seq)
        self.late_settings_seq = len(self.seen_settings)

    @rule(after_seq=st.integers(-1, 60), epoch=st.sampled_from([None, EPOCH, UUID(int=98)]))
    def come_back(self, after_seq: int, epoch: UUID | None) -> None:
        """Follow from a number; with one that is yet to come, or of another run of the server, from now on."""
        for body, seen in (
            (FollowTopology(after_seq, epoch), self.topology_events()),
            (FollowSettings(after_seq, epoch), self.settings_events()),
        ):
            cursor, first = self.follow(body), min(max(after_seq, 0), len(seen))
            if epoch not in (None, EPOCH) or after_seq > len(seen):
                first = len(seen)
                assert cursor.take() == Reset(EPOCH, first)
            check_late(cursor, seen, first)

    @precondition(lambda self: len(self.folders) < MOST_FOLDERS)
    @rule()
    def begin_to_fold(self) -> None:
        """A client takes a snapshot and follows from there."""
        folded = FoldedSettings(self.take)
        self.folders.append((folded, self.follow(FollowSettings(folded.seq, folded.epoch))))

    @precondition(lambda self: self.folders)
    @rule(choice=st.integers(0, MOST_FOLDERS - 1), most=st.sampled_from([1, 3, 1000]), again=st.booleans())
    def fold_on(self, choice: int, most: int, again: bool) -> None:
        """It reads some items, perhaps after it was cut off; with all of them it has what the server has."""
        folded, cursor = self.folders[choice % len(self.folders)]
        if again:
            cursor = self.follow(FollowSettings(folded.seq, folded.epoch))
            self.folders[choice % len(self.folders)] = folded, cursor
        for _ in range(most):
            if (item := cursor.take()) is None:
                folded.check(self.take())
                break
            folded.hear(item)

    def take(self) -> SettingsTaken:
        (reply,) = self.graph.request_received(WATCHER, next(self.counter), TakeSettings(), self.now())
        assert isinstance(reply, effects.Reply)
        return cast(SettingsTaken, reply.body)

    def topology_events(self) -> list[Any]:
        return [TopologyEvent(event) for event in self.seen]

    def settings_events(self) -> list[Any]:
        return [SettingsEvent(event) for event in self.seen_settings]

    @rule(number=st.integers(0, 3))
    def forget_metadata(self, number: int) -> None:
        """A client that takes snapshots has no more room for some of what it knew."""
        self.held = dict(list(self.held.items())[number:])

    # --- what always holds --------------------------------------------------------------------------------

    @invariant()
    def state_is_consistent(self) -> None:
        self.graph.state.validate()

    @invariant()
    def snapshot_and_folded_events_show_the_model(self) -> None:
        snapshot = self.graph.state.snapshot()
        check_snapshot(snapshot, self.model.snapshot(EPOCH))
        self.folded_topology.check(snapshot)
        self.held = check_compact(self.graph.state, self.held)
        shown, expected = self.graph.state.settings.values(), self.model.shown_settings()
        assert list(shown.items()) == list(expected.items())
        self.folded.check(self.take())

    @invariant()
    def the_timer_is_that_of_who_waits_longest(self) -> None:
        deadlines = [waiting.deadline for waiting in self.waiting.values()]
        deadlines += [deadline for _, deadline in self.claims.values()]
        deadlines += [deadline for *_, deadline in self.away.values()]
        deadlines += [errand.deadline for errand in self.errands.waiting()]
        assert self.graph.next_deadline() == min(deadlines, default=None)


def process_answer(asked: HandleRequest | ApplySetting, kind: str) -> Any:
    """Make what a process answers; ``None`` if it cannot be asked."""
    match kind, asked:
        case "right", HandleRequest(request=request):
            return Responded(ProcessControlResponse(request.request_id, True, b"answer"))
        case "right", ApplySetting(value=value):
            return SettingApplied(reported(value))
        case "failure", _:
            return errors.InvalidTopic(topic="x", reason="")
        case "another's", _:
            return Responded(ProcessControlResponse("another", True, b"answer"))
        case _:
            return Done() if kind == "wrong" else None


def check_late(cursor: Cursor[Any], seen: list[Any], after_seq: int) -> None:
    """See that who has read up to a number gets the gap, if there is one, and then every event after it."""
    forgotten = max(len(seen) - HISTORY, 0)
    if after_seq < forgotten:
        assert cursor.take() == Gap(after_seq + 1, forgotten)
    for event in seen[max(after_seq, forgotten) :]:
        assert cursor.take() == event
    assert cursor.take() is None


def check_answer(model: Model, told: Any, expected: Any) -> None:
    """See that a request is answered as predicted; sentences and the ids of routed requests are free."""
    if isinstance(expected, EzmsgError):
        check_outcome(model, told, expected)
    elif isinstance(expected, Responded):
        assert told.response.ok == (told.response.error is None)
        assert told.response.request_id
        assert Responded(replace(told.response, request_id="", error=None)) == expected
    else:
        assert told == expected


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


def publishers_of(body: object) -> list[DeclarePublisher]:
    """Return the publishers that a request declares."""
    match body:
        case DeclarePublisher():
            return [body]
        case DeclareEndpoints():
            return body.publishers
    return []


def subscribers_of(body: object) -> list[DeclareSubscriber]:
    """Return the subscribers that a request declares."""
    match body:
        case DeclareSubscriber():
            return [body]
        case DeclareEndpoints():
            return body.subscribers
    return []


TestGraph = GraphMachine.TestCase
TestGraph.settings = settings(max_examples=settings().max_examples * 3 // 2, stateful_step_count=40)
TestGraph = pytest.mark.timeout(300)(TestGraph)
