"""Who is connected: numbers for connections, and what each said about itself in its hello."""

from uuid import UUID

from attrs import field, frozen

from ezmsg.graphserver.deciding.contacts import NOWHERE, Route
from ezmsg.graphserver.deciding.effects import PeerId
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
