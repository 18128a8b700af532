"""What the server decides: whatever clients ask in whatever order, only replies and typed failures come of it.

An input is a list of records: a byte that says who and what, the length of a body in two bytes, and the body,
which is a message of the control plane.
"""

import struct
from collections.abc import Iterator
from typing import Any
from uuid import UUID

from ezmsg.graphserver.deciding import effects
from ezmsg.graphserver.deciding.configuration import Configuration
from ezmsg.graphserver.deciding.effects import Moment, PeerId
from ezmsg.graphserver.deciding.graph import Graph
from ezmsg.protocol.errors import EzmsgError
from ezmsg.protocol.messages.handshake import Hello
from ezmsg.protocol.revisions import CURRENT
from ezmsg.protocol.wire.codec import body_from_wire, unpack_map

PEERS = 4
RECORDS_LIMIT = 200
REQUEST, LEAVE, TICK, CANCEL, ANSWER, LOOK = range(6)
_LENGTH = struct.Struct("<H")


def pack(peer: int, kind: int, body: bytes = b"") -> bytes:
    """Return one record."""
    return bytes([peer % PEERS | kind << 2]) + _LENGTH.pack(len(body)) + body


def target(data: bytes) -> None:
    """Let four clients do what the input says, and look at every invariant at the end."""
    server = _Server()
    for peer, kind, body in _records(data):
        server.take(peer, kind, body)
    server.graph.state.validate()
    server.graph.state.snapshot()
    for peer in range(PEERS):
        server.take(peer, LEAVE, b"")
    server.graph.state.validate()


def _records(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    at = 0
    for _ in range(RECORDS_LIMIT):
        if at + 3 > len(data):
            return
        (length,) = _LENGTH.unpack_from(data, at + 1)
        yield data[at] % PEERS, data[at] >> 2, data[at + 3 : at + 3 + length]
        at += 3 + length


class _Server:
    """A graph, and the calls of it that nobody has answered."""

    def __init__(self) -> None:
        self.graph = Graph(UUID(int=1), Configuration(topology_history=8, settings_history=8, keeps_state=True))
        self._now_s = 0.0
        self._incarnation = 0
        self._requests = 0
        self._ids: list[PeerId] = []
        self._calls: dict[int, list[int]] = {peer: [] for peer in range(PEERS)}
        for peer in range(PEERS):
            self._join(peer)

    def take(self, peer: int, kind: int, body: bytes) -> None:
        """Do one record."""
        self._now_s += 0.01
        peer_id, now = self._ids[peer], Moment(self._now_s, 1e9 + self._now_s)
        match kind:
            case 1:  # LEAVE
                self._perform(self.graph.peer_left(peer_id, now))
                self._calls[peer].clear()
                self._join(peer)
            case 2:  # TICK
                self._now_s += 2.0
                self._perform(self.graph.tick(Moment(self._now_s, 1e9 + self._now_s)))
            case 3:  # CANCEL
                self._perform(self.graph.request_cancelled(peer_id, self._requests))
            case 4:  # ANSWER
                if self._calls[peer] and (answer := _message(body)) is not None:
                    self._perform(self.graph.reply_received(peer_id, self._calls[peer].pop(0), answer, now))
            case 5:  # LOOK
                self._perform(self.graph.looked([peer_id], [], self._now_s, now))
            case _:
                if (request := _message(body)) is not None:
                    self._requests += 1
                    self._perform(self.graph.request_received(peer_id, self._requests, request, now))

    def _join(self, peer: int) -> None:
        self._incarnation += 1
        peer_id = PeerId(self._incarnation)
        self._ids[peer : peer + 1] = [peer_id]
        hello = Hello(CURRENT, "1", b"", UUID(int=peer), incarnation=self._incarnation)
        self._perform(self.graph.peer_joined(peer_id, hello, Moment(self._now_s, 1e9)))

    def _perform(self, decided: list[Any]) -> None:
        for effect in decided:
            match effect:
                case effects.Call(peer=peer, call_id=call_id) if peer in self._ids:
                    self._calls[self._ids.index(peer)].append(call_id)
                case effects.Follow(cursor=cursor):
                    for _ in range(8):
                        cursor.take()


def _message(body: bytes) -> Any:
    try:
        return body_from_wire(unpack_map(body))
    except EzmsgError:
        return None
