"""A server's links without sockets: what a client has not read yet waits in front of it, as in a full socket."""

import asyncio
import os
import socket
from collections.abc import Callable
from typing import Any, cast
from uuid import UUID

from ezmsg.graphserver.deciding.configuration import Configuration
from ezmsg.graphserver.deciding.effects import PeerId
from ezmsg.graphserver.deciding.graph import Graph
from ezmsg.graphserver.performer import Performer
from ezmsg.graphserver.sockets.link import Link
from ezmsg.protocol.messages.handshake import Hello
from ezmsg.protocol.messages.settings import SettingsTaken
from ezmsg.protocol.wire import connection as protocol
from ezmsg.protocol.wire.handshake import ClientHandshake, ServerHandshake

HIGH, LOW = 800, 200
"""Unread bytes at which a wire makes its link pause, and go on."""


class Wire:
    """The transport under a link: it keeps what is written until the reader takes it."""

    def __init__(self, sock: socket.socket) -> None:
        self.unread = bytearray()
        self.paused = False
        self.lost = False
        self.link: Any = None
        self._sock = sock

    def write(self, data: bytes) -> None:
        self.unread += data
        if len(self.unread) > HIGH and not self.paused:
            self.paused = True
            self.link.pause_writing()

    def take(self, most: int) -> bytes:
        data = bytes(self.unread[:most])
        del self.unread[:most]
        if self.paused and len(self.unread) <= LOW:
            self.paused = False
            self.link.resume_writing()
        return data

    def write_eof(self) -> None: ...

    def is_closing(self) -> bool:
        return self.lost

    def get_write_buffer_size(self) -> int:
        return len(self.unread)

    def get_extra_info(self, name: str) -> Any:
        return self._sock if name == "socket" else None


class Run:
    """One run of a server, without its sockets; a :class:`Link` tells it what a client says."""

    def __init__(self, number: int, history: int) -> None:
        self.graph = Graph(UUID(int=number), Configuration(settings_history=history))
        self.performer = Performer(self.graph, self.fail, self.fail, self.fail)

    def fail(self, *words: str) -> None:
        raise AssertionError(words)

    def link_made(self, link: Link) -> None: ...

    def link_greeted(self, link: Link) -> None: ...

    def link_unfinished(self, link: Link) -> None: ...

    def link_opened(self, link: Link, hello: Hello) -> None:
        self.performer.join(link, hello)

    def link_received(self, link: Link, event: protocol.Event) -> None:
        self.performer.receive(link, event)

    def link_heard(self) -> None:
        self.performer.flush()

    def link_closed(self, link: Link, error: object) -> None:
        self.performer.leave(link)

    def link_gone(self, link: Link) -> None: ...

    def take(self) -> SettingsTaken:
        settings = self.graph.state.settings
        return SettingsTaken(settings.values(), settings.log.last_seq, self.graph.state.epoch)


class Client:
    """A client's end of a wire."""

    def __init__(self, run: Run, peer: int, client_id: UUID, sock: socket.socket) -> None:
        self.wire = Wire(sock)
        handshake = ServerHandshake(b"", os.urandom(32), run.graph.state.epoch)
        self.link = self.wire.link = Link(PeerId(peer), handshake, run)
        self.link.connection_made(cast(asyncio.Transport, self.wire))
        self.connection = protocol.Connection(ClientHandshake(lambda: b"", os.urandom(32), client_id))
        self.hear: Callable[[object], None] = lambda _: None
        while self.connection.phase is protocol.Phase.HANDSHAKE:
            self.say()
            self.read()

    def say(self, body: object = None) -> None:
        if body is not None:
            self.connection.request(body)
        self.link.data_received(self.connection.data_to_send())

    def read(self, most: int = 1_000_000) -> int:
        """Take some bytes, and what they mean; return how many there were."""
        data = self.wire.take(most)
        self.connection.receive_data(data)
        for event in self.connection.events_received():
            assert not isinstance(event, protocol.Closed | protocol.FailureReceived), event
            if isinstance(event, protocol.ItemReceived):
                self.hear(event.body)
        return len(data)

    def cut(self) -> None:
        """The connection is lost, and with it all that was not read."""
        self.wire.lost = True
        self.link.connection_lost(None)
