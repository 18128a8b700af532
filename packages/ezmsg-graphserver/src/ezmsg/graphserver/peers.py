"""Who is connected: numbers for connections, and what each said about itself in its hello."""

from uuid import UUID

from attrs import frozen

from ezmsg.graphserver.effects import PeerId
from ezmsg.protocol.messages.handshake import Hello


@frozen
class Peer:
    """One connected client."""

    id: PeerId
    client_id: UUID
    name: str

    @classmethod
    def from_hello(cls, peer: PeerId, hello: Hello) -> "Peer":
        """Name a client by its host and process id, or by its own id if it told neither."""
        if hello.pid is None:
            return cls(peer, hello.client_id, str(hello.client_id))
        return cls(peer, hello.client_id, f"{hello.host or 'localhost'}/{hello.pid}")
