"""Publishers and subscribers, and who hears whom.

A subscriber hears every publisher whose topic is its own or lies upstream of it. What each hears is kept, so a
change is worked out only for those whom it can concern: nothing here looks at the whole graph. Each mutation
returns the :class:`Routes` that changed, and only those.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from uuid import UUID

from attrs import field, frozen

from ezmsg.graphserver.deciding.effects import PeerId
from ezmsg.graphserver.deciding.state import index
from ezmsg.graphserver.deciding.state.edges import Edges
from ezmsg.protocol.errors import DuplicateIdentity, UnknownEndpoint
from ezmsg.protocol.messages.endpoints import DeclarePublisher
from ezmsg.protocol.model.snapshot import Edge


@frozen
class Publisher:
    """A publisher, and the client that it belongs to."""

    peer: PeerId
    client_id: UUID
    declared: DeclarePublisher

    @property
    def topic(self) -> str:
        """The topic that it publishes on."""
        return self.declared.topic


@frozen
class Subscriber:
    """A subscriber, and the client that it belongs to."""

    peer: PeerId
    client_id: UUID
    id: UUID
    topic: str


@frozen
class Routes:
    """Changes of routes, as publishers' ids by subscriber's id.

    A publisher on both sides is to be let go first and then heard anew.
    """

    added: dict[UUID, set[UUID]] = field(factory=lambda: defaultdict(set))
    removed: dict[UUID, set[UUID]] = field(factory=lambda: defaultdict(set))

    @property
    def subscribers(self) -> list[UUID]:
        """Whose routes changed, in a fixed order."""
        return sorted({*self.added, *self.removed})

    def extend(self, later: "Routes") -> None:
        """Add what changes after this."""
        for subscriber, publishers in later.removed.items():
            self.removed[subscriber] |= publishers
            self.added[subscriber] -= publishers
        for subscriber, publishers in later.added.items():
            self.added[subscriber] |= publishers


class Endpoints:
    """All publishers and subscribers, over the edges that join their topics."""

    def __init__(self, edges: Edges) -> None:
        self._edges = edges
        self.publishers: dict[UUID, Publisher] = {}
        self.subscribers: dict[UUID, Subscriber] = {}
        self._publishers_on: dict[str, set[UUID]] = {}
        self._subscribers_on: dict[str, set[UUID]] = {}
        self._hears: dict[UUID, set[UUID]] = {}
        self._heard_by: dict[UUID, set[UUID]] = {}
        self._of_peer: dict[PeerId, set[UUID]] = {}

    # --- endpoints come and go --------------------------------------------------------------------------

    def declare_publisher(self, publisher: Publisher) -> Routes:
        """Let a publisher join, or change one that is declared already.

        :raises DuplicateIdentity: if its id is in use by another client, or by a subscriber.
        """
        identity = publisher.declared.publisher_id
        known = self.publishers.get(identity)
        self._check_identity("publisher", identity, publisher.client_id, known, self.subscribers)
        if known is not None and known.declared == publisher.declared:
            self._adopt(identity, known.peer, publisher.peer)
            self.publishers[identity] = publisher
            return Routes()

        routes = self._remove_publisher(identity) if known is not None else Routes()
        self.publishers[identity] = publisher
        index.add(self._publishers_on, publisher.topic, identity)
        index.add(self._of_peer, publisher.peer, identity)
        self._heard_by[identity] = set()
        for subscriber in self._on_topics(self._subscribers_on, self._edges.downstream(publisher.topic)):
            self._join(subscriber, identity, routes)
        return routes

    def declare_subscriber(self, subscriber: Subscriber) -> Routes:
        """Let a subscriber join, or tell one that is declared already all that it hears.

        :raises DuplicateIdentity: if its id is in use by another client, or by a publisher.
        """
        known = self.subscribers.get(subscriber.id)
        self._check_identity("subscriber", subscriber.id, subscriber.client_id, known, self.publishers)
        routes = Routes()
        before = self._remove_subscriber(subscriber.id) if known is not None else set()

        self.subscribers[subscriber.id] = subscriber
        index.add(self._subscribers_on, subscriber.topic, subscriber.id)
        index.add(self._of_peer, subscriber.peer, subscriber.id)
        self._hears[subscriber.id] = set()
        for publisher in self._on_topics(self._publishers_on, self._edges.upstream(subscriber.topic)):
            self._join(subscriber.id, publisher, routes)
        if stale := before - self._hears[subscriber.id]:
            routes.removed[subscriber.id] |= stale
        return routes

    def check_identities(self, client_id: UUID, publishers: Sequence[UUID], subscribers: Sequence[UUID]) -> None:
        """See that a client may declare all of these.

        :raises DuplicateIdentity: if one is in use by another client, or in the other role.
        """
        for identity in publishers:
            known = self.publishers.get(identity)
            self._check_identity("publisher", identity, client_id, known, self.subscribers)
        for identity in subscribers:
            self._check_identity("subscriber", identity, client_id, self.subscribers.get(identity), self.publishers)
        if both := {*publishers} & {*subscribers}:
            raise DuplicateIdentity(role="subscriber", identity=str(min(both)))

    def withdraw(self, identity: UUID, peer: PeerId) -> Routes:
        """Let an endpoint leave.

        :raises UnknownEndpoint: if ``peer`` has none of that id.
        """
        if identity not in self._of_peer.get(peer, ()):
            raise UnknownEndpoint(endpoint=str(identity))
        return self._remove(identity)

    def drop_peer(self, peer: PeerId) -> Routes:
        """Let every endpoint of a client leave that is gone."""
        routes = Routes()
        mine = sorted(self._of_peer.get(peer, ()))
        # Its subscribers first, so that nobody works out what they no longer hear.
        for identity in sorted(mine, key=self.publishers.__contains__):
            for subscriber, gone in self._remove(identity).removed.items():
                routes.removed[subscriber] |= gone
        return routes

    def published_by(self, peer: PeerId) -> dict[UUID, DeclarePublisher]:
        """Return a client's publishers, as they are declared."""
        mine = self._of_peer.get(peer, ())
        return {identity: self.publishers[identity].declared for identity in mine if identity in self.publishers}

    def publishing_peers(self) -> list[PeerId]:
        """Return the clients that have publishers."""
        return sorted({publisher.peer for publisher in self.publishers.values()})

    def hears(self, subscriber: UUID) -> set[UUID]:
        """Return the publishers that a subscriber hears."""
        return set(self._hears[subscriber])

    # --- edges come and go ------------------------------------------------------------------------------

    def edge_added(self, edge: Edge) -> Routes:
        """Work out the new routes through an edge that was just made."""
        routes = Routes()
        # The end at which the graph was just extended has nothing behind it: asked first, it ends most searches.
        if self._edges.feeds_nothing(edge.to_topic) and edge.to_topic not in self._subscribers_on:
            return routes
        publishers = self._on_topics(self._publishers_on, self._edges.upstream(edge.from_topic))
        if not publishers:
            return routes
        for subscriber in self._on_topics(self._subscribers_on, self._edges.downstream(edge.to_topic)):
            for publisher in publishers:
                self._join(subscriber, publisher, routes)
        return routes

    def edges_removed(self, edges: Iterable[Edge]) -> Routes:
        """Work out which routes are gone after edges were taken away.

        Whoever lost a route lies downstream of the last removed edge on the old path, so these are all there
        are to look at; what each of their topics can still be reached from is asked once.
        """
        routes = Routes()
        affected: set[str] = set()
        for edge in edges:
            below = self._edges.downstream(edge.to_topic)
            affected.update(topic for topic in below if topic in self._subscribers_on)
        for topic in affected:
            reached = self._on_topics(self._publishers_on, self._edges.upstream(topic))
            for subscriber in self._subscribers_on[topic]:
                for publisher in self._hears[subscriber] - reached:
                    self._part(subscriber, publisher, routes)
        return routes

    def validate(self) -> None:
        """Assert every invariant. For tests: it visits the whole graph."""
        everyone: dict[UUID, Publisher | Subscriber] = {**self.publishers, **self.subscribers}
        assert len(everyone) == len(self.publishers) + len(self.subscribers)
        assert self._of_peer == index.grouped((endpoint.peer, identity) for identity, endpoint in everyone.items())
        assert self._publishers_on == index.grouped((p.topic, identity) for identity, p in self.publishers.items())
        assert self._subscribers_on == index.grouped(
            (s.topic, identity) for identity, s in self.subscribers.items()
        )
        assert self._hears.keys() == self.subscribers.keys()
        assert self._heard_by.keys() == self.publishers.keys()
        for identity, subscriber in self.subscribers.items():
            reached = self._on_topics(self._publishers_on, self._edges.upstream(subscriber.topic))
            assert self._hears[identity] == reached
        heard = index.grouped((p, identity) for identity, heard in self._hears.items() for p in heard)
        assert {identity: members for identity, members in self._heard_by.items() if members} == heard

    # --- inside -----------------------------------------------------------------------------------------

    def _check_identity(
        self,
        role: str,
        identity: UUID,
        client_id: UUID,
        known: Publisher | Subscriber | None,
        others: Iterable[UUID],
    ) -> None:
        # The same client on another connection lost the old one, even if the server has not noticed yet.
        if identity in others or (known is not None and known.client_id != client_id):
            raise DuplicateIdentity(role=role, identity=str(identity))

    def _adopt(self, identity: UUID, before: PeerId, after: PeerId) -> None:
        index.discard(self._of_peer, before, identity)
        index.add(self._of_peer, after, identity)

    def _remove(self, identity: UUID) -> Routes:
        if identity in self.publishers:
            return self._remove_publisher(identity)
        self._remove_subscriber(identity)
        return Routes()

    def _remove_publisher(self, identity: UUID) -> Routes:
        routes = Routes()
        publisher = self.publishers.pop(identity)
        index.discard(self._publishers_on, publisher.topic, identity)
        index.discard(self._of_peer, publisher.peer, identity)
        for subscriber in sorted(self._heard_by[identity]):
            self._part(subscriber, identity, routes)
        del self._heard_by[identity]
        return routes

    def _remove_subscriber(self, identity: UUID) -> set[UUID]:
        """Take a subscriber away and return what it heard."""
        subscriber = self.subscribers.pop(identity)
        index.discard(self._subscribers_on, subscriber.topic, identity)
        index.discard(self._of_peer, subscriber.peer, identity)
        heard = self._hears.pop(identity)
        for publisher in heard:
            self._heard_by[publisher].discard(identity)
        return heard

    def _join(self, subscriber: UUID, publisher: UUID, routes: Routes) -> None:
        if publisher not in self._hears[subscriber]:
            self._hears[subscriber].add(publisher)
            self._heard_by[publisher].add(subscriber)
            routes.added[subscriber].add(publisher)

    def _part(self, subscriber: UUID, publisher: UUID, routes: Routes) -> None:
        self._hears[subscriber].discard(publisher)
        self._heard_by[publisher].discard(subscriber)
        routes.removed[subscriber].add(publisher)

    @staticmethod
    def _on_topics(members: dict[str, set[UUID]], topics: Iterable[str]) -> set[UUID]:
        return {identity for topic in topics if topic in members for identity in members[topic]}
