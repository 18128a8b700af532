"""The graph as one pure machine: what happened goes in, what is to be done comes out.

It never awaits, never reads a clock, never makes up an id: the same inputs give the same effects.
"""

from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

from ezmsg.graphserver.deciding.configuration import Configuration
from ezmsg.graphserver.deciding.contacts import NOWHERE, Route
from ezmsg.graphserver.deciding.conversations import HANDLERS, Request, permissions
from ezmsg.graphserver.deciding.conversations.surveys import survey_profiles
from ezmsg.graphserver.deciding.effects import Effect, Fail, Moment, PeerId, Unfollow, Warn
from ezmsg.graphserver.deciding.graph_state import GraphState
from ezmsg.graphserver.deciding.peers import Peer
from ezmsg.graphserver.deciding.standing import Standing, StandingSettings
from ezmsg.graphserver.deciding.state.operations import Unsent
from ezmsg.protocol.errors import EzmsgError, ProtocolViolation
from ezmsg.protocol.messages.handshake import Hello
from ezmsg.protocol.model.snapshot import Edge
from ezmsg.protocol.wire.roles import Role


class Graph:
    """Peers, their requests and their answers in; effects out.

    :param epoch: names this run of this server.
    """

    def __init__(self, epoch: UUID, configuration: Configuration | None = None) -> None:
        self.state = GraphState(epoch, configuration or Configuration())

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
        self.state.peers[peer] = Peer.from_hello(peer, hello, route, role)
        return []

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

    def peer_left(self, peer: PeerId, now: Moment) -> list[Effect]:
        """A connection is over."""
        return self.state.drop_peer(peer, now)

    def survey_begun(self, survey_id: int, timeout_s: float, now: Moment) -> list[Effect]:
        """The server wants to know what every process has counted; see :class:`~effects.Surveyed`."""
        return survey_profiles(self.state, survey_id, timeout_s, now)

    def tick(self, now: Moment) -> list[Effect]:
        """Time has passed, see :meth:`next_deadline`."""
        return self.state.operations.expire(now) + self.state.end_claims(now)

    def next_deadline(self) -> float | None:
        """Return the monotonic time at which :meth:`tick` is due, or ``None``."""
        operations, returning = self.state.operations.next_deadline(), self.state.returning.next_deadline()
        if operations is None or returning is None:
            return returning if operations is None else operations
        return min(operations, returning)
