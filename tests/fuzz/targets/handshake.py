"""Connections before and after the handshake: nothing that comes raises, and without the token none opens."""

from uuid import UUID

from ezmsg.protocol.wire.auth import NONCE_SIZE
from ezmsg.protocol.wire.connection import Closed, Connection, Opened
from ezmsg.protocol.wire.handshake import ClientHandshake, ServerHandshake

TOKEN = b"a token that no input holds"
OURS, THEIRS = bytes(NONCE_SIZE), b"\1" * NONCE_SIZE
EPOCH = UUID(int=1)


def target(data: bytes) -> None:
    """Say the bytes to a server, to a client, and to both ends of a connection that is open."""
    for stranger in (_server(), _client()):
        stranger.receive_data(data)
        stranger.receive_eof()
        events = stranger.events_received()
        assert not any(isinstance(event, Opened) for event in events)
        assert isinstance(events[-1], Closed)
        assert stranger.closed
    for known in opened():
        half = len(data) // 2
        known.receive_data(data[:half])
        known.receive_data(data[half:])
        known.events_received()
        known.receive_eof()
        assert known.closed


def opened() -> tuple[Connection, Connection]:
    """Return both ends of an open connection, the server's first."""
    server, client = _server(), _client()
    for _ in range(3):
        server.receive_data(client.data_to_send())
        client.receive_data(server.data_to_send())
    assert any(isinstance(event, Opened) for event in server.events_received())
    assert any(isinstance(event, Opened) for event in client.events_received())
    return server, client


def _server() -> Connection:
    return Connection(ServerHandshake(TOKEN, OURS, EPOCH))


def _client() -> Connection:
    return Connection(ClientHandshake(lambda: TOKEN, THEIRS, EPOCH))
