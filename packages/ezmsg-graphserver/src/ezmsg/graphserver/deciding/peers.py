"""Who is connected: numbers for connections, and what each said about itself in its hello."""

from uuid import UUID

from attrs import field, frozen

from ezmsg.graphserver.deciding.effects import PeerId
from ezmsg.protocol.messages.handshake import Hello

_HOST_LENGTH = 255


@frozen
class Peer:
    """One connected client."""

    id: PeerId
    client_id: UUID
    name: str
    hello: Hello
    id_text: str = field(init=False)

    @id_text.default
    def _make_id_text(self) -> str:
        return str(self.client_id)

    @classmethod
    def from_hello(cls, peer: PeerId, hello: Hello) -> "Peer":
        """Name a client by its host and process id, or by its own id if it told neither."""
        if hello.pid is None:
            return cls(peer, hello.client_id, str(hello.client_id), hello)
        host = hello.host if hello.host and hello.host.isprintable() else "localhost"
        return cls(peer, hello.client_id, f"{host[:_HOST_LENGTH]}/{hello.pid}", hello)
