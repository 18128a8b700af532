"""Sessions: which connection each is open on, and the metadata it registered. Its edges are in ``edges``."""

from collections.abc import Iterator, Mapping
from typing import Self
from uuid import UUID

from attrs import define, field, frozen

from ezmsg.graphserver.deciding.effects import PeerId
from ezmsg.graphserver.deciding.state import index
from ezmsg.protocol.errors import ComponentCollision, DuplicateIdentity, InvalidMetadata, UnknownSession
from ezmsg.protocol.messages.sessions import ShownSession
from ezmsg.protocol.model.metadata import GraphMetadata
from ezmsg.protocol.snapshots.encoded_metadata import digest, encode_metadata
from ezmsg.protocol.snapshots.metadata_topics import metadata_topics


@frozen
class Described:
    """What a session said of its components; encoded once, for all who ask, and named by a digest of that."""

    metadata: GraphMetadata
    encoded: bytes = field(repr=False)
    digest: bytes

    @classmethod
    def by(cls, metadata: GraphMetadata) -> Self:
        """Encode metadata."""
        encoded = encode_metadata(metadata)
        return cls(metadata, encoded, digest(encoded))


@define
class Session:
    """One open session."""

    id: UUID
    peer: PeerId
    incarnation: int
    client: str = ""
    opened: float = 0.0
    described: Described | None = None

    @property
    def metadata(self) -> GraphMetadata | None:
        """What it said of its components."""
        return None if self.described is None else self.described.metadata

    def shown(self, known: frozenset[bytes]) -> ShownSession:
        """Return what a compact snapshot shows of it to a client that holds the metadata of some digests."""
        described = self.described
        if described is None:
            return ShownSession(str(self.id), client=self.client, opened=self.opened)
        encoded = None if described.digest in known else described.encoded
        return ShownSession(str(self.id), described.digest, encoded, self.client, self.opened)


class Sessions:
    """Every open session, and which of them describes which component."""

    def __init__(self) -> None:
        self._sessions: dict[UUID, Session] = {}
        self._component_owner: dict[str, UUID] = {}
        self._of_peer: dict[PeerId, set[UUID]] = {}

    def open(self, session_id: UUID, incarnation: int, peer: PeerId, client: str, now: float) -> None:
        """Begin a session, or let its client go on with it over a new connection; ``now`` is wall time.

        A higher incarnation takes the session over with all that it holds: the client then says again what it
        wants to hold, and no route is torn down in between.

        :raises DuplicateIdentity: if the id is open on another connection with the same or a higher incarnation.
        """
        known = self._sessions.get(session_id)
        if known is None:
            self._sessions[session_id] = Session(session_id, peer, incarnation, client, now)
            index.add(self._of_peer, peer, session_id)
        elif incarnation > known.incarnation:
            index.discard(self._of_peer, known.peer, session_id)
            index.add(self._of_peer, peer, session_id)
            known.peer, known.incarnation, known.client = peer, incarnation, client
        elif known.peer != peer:
            raise DuplicateIdentity(role="session", identity=str(session_id))

    def require(self, session_id: UUID, peer: PeerId) -> Session:
        """Return a session that is open on a connection.

        :raises UnknownSession: if it is not.
        """
        session = self._sessions.get(session_id)
        if session is None or session.peer != peer:
            raise UnknownSession(session=str(session_id))
        return session

    def find(self, session_id: UUID) -> Session:
        """Return a session, whosever it is.

        :raises UnknownSession: if there is none of that id.
        """
        session = self._sessions.get(session_id)
        if session is None:
            raise UnknownSession(session=str(session_id))
        return session

    def of_peer(self, peer: PeerId) -> list[Session]:
        """Return the sessions that are open on a connection, in the order of their names."""
        return [self._sessions[session_id] for session_id in sorted(self._of_peer.get(peer, ()), key=str)]

    def __iter__(self) -> Iterator[Session]:
        """Go through the sessions in the order of their names."""
        return iter(sorted(self._sessions.values(), key=lambda session: str(session.id)))

    def __len__(self) -> int:
        return len(self._sessions)

    def register(self, session: Session, metadata: GraphMetadata) -> set[str] | None:
        """Let a session describe its components, in place of what it said before.

        Return the topics concerned, or ``None`` if it had said just this.

        :raises InvalidMetadata: if a component stands under another address than its own.
        :raises ComponentCollision: if other sessions describe some of these components; all are named.
        """
        _check_addresses(metadata)
        self._check_collisions(session, metadata)
        if metadata == session.metadata:
            return None
        described = Described.by(metadata)
        # Also as bytes, because a NaN is not equal to itself.
        if session.described is not None and described.digest == session.described.digest:
            return None
        concerned = self.drop_metadata(session) or set()
        session.described = described
        for address in metadata.components:
            self._component_owner[address] = session.id
        return concerned | metadata_topics(metadata)

    def drop_metadata(self, session: Session) -> set[str] | None:
        """Forget what a session said about its components; return the topics concerned, ``None`` if it was mute."""
        metadata, session.described = session.metadata, None
        if metadata is None:
            return None
        for address in metadata.components:
            del self._component_owner[address]
        return metadata_topics(metadata)

    def close(self, session: Session) -> None:
        """End a session whose metadata was dropped."""
        assert session.metadata is None, "first its metadata, whose topics somebody must hear of"
        del self._sessions[session.id]
        index.discard(self._of_peer, session.peer, session.id)

    @property
    def component_owners(self) -> Mapping[str, UUID]:
        """Which session describes which component."""
        return self._component_owner

    def validate(self) -> None:
        """Assert every invariant. For tests."""
        described = [
            (address, session.id)
            for session in self
            if session.metadata is not None
            for address in session.metadata.components
        ]
        assert self._of_peer == index.grouped((session.peer, session.id) for session in self)
        assert self._component_owner == dict(described)
        assert len(described) == len(self._component_owner), "two sessions describe one component"

    def _check_collisions(self, session: Session, metadata: GraphMetadata) -> None:
        owners = {address: self._component_owner.get(address, session.id) for address in metadata.components}
        taken = sorted(address for address, owner in owners.items() if owner != session.id)
        if taken:
            sessions = sorted({str(owners[address]) for address in taken})
            raise ComponentCollision(addresses=taken, sessions=sessions)


def _check_addresses(metadata: GraphMetadata) -> None:
    for key, component in metadata.components.items():
        if not key:
            raise InvalidMetadata(reason="a component has an empty address")
        if key != component.address:
            raise InvalidMetadata(reason=f"the component {component.address!r} is registered under {key!r}")
