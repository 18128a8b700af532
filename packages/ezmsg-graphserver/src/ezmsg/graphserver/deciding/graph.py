"""The graph as one pure machine: what happened goes in, what is to be done comes out.

It never awaits, never reads a clock, never makes up an id: the same inputs give the same effects.
"""

from collections import OrderedDict
from collections.abc import Collection, Iterable, Mapping
from typing import Any
from uuid import UUID

from ezmsg.graphserver.deciding.configuration import Configuration
from ezmsg.graphserver.deciding.contacts import NOWHERE, Route
from ezmsg.graphserver.deciding.conversations import HANDLERS, Request, permissions, settings
from ezmsg.graphserver.deciding.conversations.surveys import survey_profiles
from ezmsg.graphserver.deciding.effects import Cut, Effect, Fail, Moment, PeerId, Unfollow, Warn
from ezmsg.graphserver.deciding.graph_state import GraphState
from ezmsg.graphserver.deciding.peers import Peer
from ezmsg.graphserver.deciding.standing import Standing, StandingSettings
from ezmsg.graphserver.deciding.state.operations import Unsent
from ezmsg.protocol.errors import ConnectionLost, EzmsgError, LeaseExpired, ProtocolViolation
from ezmsg.protocol.messages.handshake import Hello
from ezmsg.protocol.messages.presence import Beat
from ezmsg.protocol.model.snapshot import Edge, ProcessState
from ezmsg.protocol.wire.roles import Role


class Graph:
    """Peers, their requests and their answers in; effects out.

    :param epoch: names this run of this server.
    """

    def __init__(self, epoch: UUID, configuration: Configuration | None = None) -> None:
        self.state = GraphState(epoch, configuration or Configuration())
        self._newest: dict[UUID, PeerId] = {}  # the connection of each client
        # Those that it had before, until the monotonic time to forget them; the first one's time is over first.
        self._fenced: OrderedDict[PeerId, float] = OrderedDict()

    def restore(self, edges: Iterable[Edge], settings: Mapping[str, Standing]) -> list[Effect]:
        """Take over what an earlier server has kept, before anybody joins."""
        self.state.standing = StandingSettings(settings)
        effects: list[Effect] = []
        for edge in edges:
            try:
                self.state.edges.connect(edge, None)
            except EzmsgError as error:  # only if somebody has written into the file
                effects.append(Warn("restore", f"An edge of the state file is left out: {error}"))
        return effects

    def peer_joined(
        self, peer: PeerId, hello: Hello, now: Moment, route: Route = NOWHERE, role: Role = Role.ADMIN
    ) -> list[Effect]:
        """A connection is open."""
        before = self._newest.get(hello.client_id)
        known = None if before is None else self.state.peers.get(before)
        self.state.peers.join(Peer.from_hello(peer, hello, route, role))
        self.state.leases.open(peer)
        if known is None or known.hello.incarnation == hello.incarnation:
            self._newest[hello.client_id] = peer
            return []
        if known.hello.incarnation > hello.incarnation:
            return self._fence(peer, now)
        self._newest[hello.client_id] = peer
        return self._fence(known.id, now)

    def _fence(self, peer: PeerId, now: Moment) -> list[Effect]:
        """Hear an older connection of a client no more.

        What the client has there it is about to say again on the newer one. Until it has had time for that, all of
        it stays as it is, so that no route is torn down in between.
        """
        state = self.state
        self._fenced[peer] = now.monotonic + state.configuration.return_timeout_s
        state.leases.close(peer)
        error = ConnectionLost(address="the client", reason="it came back on another connection")
        return [
            *state.operations.drop_requests(peer),
            *state.operations.drop_calls(peer, now),
            Cut(peer, error),
        ]

    def peer_beaten(self, peer: PeerId, beat: Beat, awake_s: float) -> None:
        """A peer says that it is there; the time is that of a clock that stands still while the server does."""
        self.state.leases.beaten(peer, awake_s, beat.blocked_s)

    def looked(
        self, heard: Collection[PeerId], gone: Collection[PeerId], awake_s: float, now: Moment
    ) -> list[Effect]:
        """Somebody has looked who of the peers is there.

        :param heard: those from which anything has come since the last look.
        :param gone: those whose hosts do not acknowledge what they are told, see :meth:`quiet`.
        """
        state = self.state
        state.leases.heard(heard, awake_s)
        effects: list[Effect] = []
        for peer, presence in state.leases.changed(awake_s, gone):
            effects += state.presence_changed(peer, presence, now)
            if presence is ProcessState.UNRESPONSIVE:
                effects += state.operations.give_up(peer, now)
                for process in state.processes.of_peer(peer):
                    effects += settings.give_up(state, process)
                    effects.append(Warn("unresponsive", _unresponsive(state.peers[peer].name, process.answers_for)))
            elif presence is ProcessState.DEAD:
                silent_s = state.leases.silent_s(peer, awake_s)
                effects.append(Cut(peer, LeaseExpired(peer=state.peers[peer].name, seconds=silent_s)))
        state.leases.forget_dead(now.wall)
        return effects

    def quiet(self, awake_s: float) -> list[PeerId]:
        """Return those that are to be told something, so that their hosts have something to acknowledge."""
        return self.state.leases.quiet(awake_s)

    def request_received(self, peer: PeerId, request_id: int, body: Any, now: Moment) -> list[Effect]:
        """A peer asks. A refused request has no effect but its failure."""
        handler = HANDLERS.get(type(body))
        if handler is None:
            reason = f"{getattr(body, 'TAG', type(body).__name__)!r} is nothing that a graph server can be asked"
            return [Fail(peer, request_id, ProtocolViolation(reason=reason))]
        try:
            known = self.state.peers.get(peer)  # nobody any more, whose client came back on another connection
            permissions.check(Role.OBSERVER if known is None else known.role, body)
            return handler(self.state, Request(peer, request_id, now), body)
        except EzmsgError as error:
            return [Fail(peer, request_id, error)]

    def request_cancelled(self, peer: PeerId, request_id: int) -> list[Effect]:
        """A peer no longer wants the answer or the stream of its request. What was changed stays changed."""
        effects = self.state.operations.cancel(peer, request_id)
        return [Unfollow(peer, request_id)] if effects is None else effects

    def reply_received(self, peer: PeerId, call_id: int, answer: Any, now: Moment) -> list[Effect]:
        """A peer has answered a call, with a body or with an error."""
        return self.state.operations.answered(peer, call_id, answer, now)

    def call_unsent(self, peer: PeerId, call_id: int, error: EzmsgError, now: Moment) -> list[Effect]:
        """A call could not be written to its peer."""
        return self.state.operations.answered(peer, call_id, Unsent(error), now)

    def peer_left(self, peer: PeerId, now: Moment, *, lost: bool = False) -> list[Effect]:
        """A connection is over.

        :param lost: whether its host is gone, too.
        """
        if peer in self._fenced:
            return []  # in its time
        effects: list[Effect] = []
        if lost and self.state.leases.lose(peer):
            effects = self.state.presence_changed(peer, ProcessState.DEAD, now)
        return effects + self._drop(peer, now)

    def _drop(self, peer: PeerId, now: Moment) -> list[Effect]:
        known = self.state.peers.get(peer)
        if known is not None and self._newest.get(known.client_id) == peer:
            del self._newest[known.client_id]
        return self.state.drop_peer(peer, now)

    def survey_begun(self, survey_id: int, timeout_s: float, now: Moment) -> list[Effect]:
        """The server wants to know what every process has counted; see :class:`~effects.Surveyed`."""
        return survey_profiles(self.state, survey_id, timeout_s, now)

    def tick(self, now: Moment) -> list[Effect]:
        """Time has passed, see :meth:`next_deadline`."""
        effects = self.state.operations.expire(now) + self.state.end_claims(now)
        while (deadline := self._first_fence_ends()) is not None and deadline <= now.monotonic:
            effects += self._drop(self._fenced.popitem(last=False)[0], now)
        return effects

    def next_deadline(self) -> float | None:
        """Return the monotonic time at which :meth:`tick` is due, or ``None``."""
        state = self.state
        own = self._first_fence_ends(), state.operations.next_deadline(), state.returning.next_deadline()
        return min((deadline for deadline in own if deadline is not None), default=None)

    def _first_fence_ends(self) -> float | None:
        return next(iter(self._fenced.values()), None)


def _unresponsive(name: str, units: Collection[str]) -> str:
    which = f" of {', '.join(sorted(units))}" if units else ""
    return f"The process {name}{which} gives no sign of life; requests to it fail until it does. Is it stopped?"
