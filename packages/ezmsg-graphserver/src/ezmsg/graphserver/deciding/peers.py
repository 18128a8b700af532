"""Who is connected: numbers for connections, and what each said about itself in its hello."""

from collections.abc import Collection, Iterator
from uuid import UUID

from attrs import field, frozen

from ezmsg.graphserver.deciding.contacts import NOWHERE, Route
from ezmsg.graphserver.deciding.effects import PeerId
from ezmsg.graphserver.deciding.state import index
from ezmsg.protocol.messages.handshake import Hello
from ezmsg.protocol.wire.roles import Role

_HOST_LENGTH = 255
_NAME_LENGTH = 80


@frozen
class Peer:
    """One connected client."""

    id: PeerId
    client_id: UUID
    name: str
    author: str
    hello: Hello
    route: Route = NOWHERE
    role: Role = Role.ADMIN
    id_text: str = field(init=False)

    @id_text.default
    def _make_id_text(self) -> str:
        return str(self.client_id)

    @classmethod
    def from_hello(cls, peer: PeerId, hello: Hello, route: Route = NOWHERE, role: Role = Role.ADMIN) -> "Peer":
        """Name a client by its host and process id, or by its own id if it told neither.

        As an author it is what it calls itself, at its host, if it calls itself anything.
        """
        host = (hello.host if hello.host and hello.host.isprintable() else "localhost")[:_HOST_LENGTH]
        name = str(hello.client_id) if hello.pid is None else f"{host}/{hello.pid}"
        if not hello.name or not hello.name.isprintable():
            return cls(peer, hello.client_id, name, name, hello, route, role)
        author = f"{hello.name[:_NAME_LENGTH]}@{host}"
        return cls(peer, hello.client_id, name, author, hello, route, role)


class Peers:
    """Every connected client, by its number; several may be one client, or have the name of one process."""

    def __init__(self) -> None:
        self._peers: dict[PeerId, Peer] = {}
        self._named: dict[str, set[PeerId]] = {}
        self._of_client: dict[UUID, set[PeerId]] = {}

    def join(self, peer: Peer) -> None:
        """Let a client in."""
        self._peers[peer.id] = peer
        index.add(self._named, peer.name, peer.id)
        index.add(self._of_client, peer.client_id, peer.id)

    def leave(self, peer: PeerId) -> Peer | None:
        """Let a client go; return it, ``None`` if it was not there."""
        left = self._peers.pop(peer, None)
        if left is not None:
            index.discard(self._named, left.name, peer)
            index.discard(self._of_client, left.client_id, peer)
        return left

    def named(self, name: str) -> list[PeerId]:
        """Return the connections of one name, which are those of one process."""
        return sorted(self._named.get(name, ()))

    def has_client(self, client_id: UUID) -> bool:
        """Whether a client has any connection."""
        return client_id in self._of_client

    def get(self, peer: PeerId) -> Peer | None:
        """Return a client, ``None`` if it is not there."""
        return self._peers.get(peer)

    def values(self) -> Collection[Peer]:
        """Return all of them."""
        return self._peers.values()

    def __getitem__(self, peer: PeerId) -> Peer:
        return self._peers[peer]

    def __iter__(self) -> Iterator[PeerId]:
        return iter(self._peers)

    def __len__(self) -> int:
        return len(self._peers)

    def validate(self) -> None:
        """Assert every invariant. For tests."""
        assert all(number == peer.id for number, peer in self._peers.items())
        everyone = self._peers.values()
        assert self._named == index.grouped((peer.name, peer.id) for peer in everyone)
        assert self._of_client == index.grouped((peer.client_id, peer.id) for peer in everyone)
