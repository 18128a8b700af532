"""Streams over real links, to readers at any pace that are cut off anywhere: none is told twice, or loses silently.

Only the sockets are made up: what a reader has not taken yet waits in front of it, and makes the link pause, as a
full socket does. So a cut can be at any byte, and a step costs no system call.
"""

import asyncio
import itertools
import os
import socket
from collections.abc import Callable
from typing import Any, TypeVar, cast
from uuid import UUID

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from tests.graphserver.descriptions import reported
from tests.graphserver.folding import FoldedSettings

from ezmsg.graphserver.configuration import Configuration
from ezmsg.graphserver.effects import PeerId
from ezmsg.graphserver.graph import Graph
from ezmsg.graphserver.link import Link
from ezmsg.graphserver.performer import Performer
from ezmsg.protocol import connection as protocol
from ezmsg.protocol.handshake import ClientHandshake, ServerHandshake
from ezmsg.protocol.messages.handshake import Hello
from ezmsg.protocol.messages.processes import RegisterProcess, UpdateOwnership
from ezmsg.protocol.messages.settings import FollowSettings, ReportSettings, SettingsTaken
from ezmsg.protocol.model.process_control import ProcessOwnershipUpdate, ProcessRegistration, ProcessSettingsUpdate

UNITS = ["A", "B", "C"]
PROCESS = UUID(int=7)
READERS = 2

HISTORY = 6
"""Events kept: more than one step of the producer makes, fewer than some of them make together."""

HIGH, LOW = 800, 200
"""Unread bytes at which a wire makes its link pause, and go on."""

MOST_UNREAD = HIGH + 2 * HISTORY * 400
"""What may wait for a reader that does not read: what was too much, and what was on its way by then."""

T = TypeVar("T")


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

    def is_closing(self) -> bool:
        return self.lost

    def get_write_buffer_size(self) -> int:
        return len(self.unread)

    def get_extra_info(self, name: str) -> Any:
        return self._sock if name == "socket" else None


class Run:
    """One run of a server, without its sockets; a :class:`Link` tells it what a client says."""

    def __init__(self, number: int) -> None:
        self.graph = Graph(UUID(int=number), Configuration(settings_history=HISTORY))
        self.performer = Performer(self.graph, self.fail, self.fail)

    def fail(self, *words: str) -> None:
        raise AssertionError(words)

    def link_made(self, link: Link) -> None: ...

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


class Streams(RuleBasedStateMachine):
    """A process that reports, ever new runs of a server, and readers that fold what they are told."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.sock = socket.socket()
        self.numbers = itertools.count(1)
        self.gain = itertools.count(1)
        self.owned: list[str] = UNITS[:2]
        self.do(self.start)
        self.folded = [FoldedSettings(lambda: self.server.take()) for _ in range(READERS)]
        self.readers: list[Client] = [self.do(lambda one=one: self.follow(one)) for one in self.folded]

    def teardown(self) -> None:
        try:
            for reader in range(READERS):
                self.catch_up(reader)
        finally:
            self.do(self.lose_everybody)
            self.server.performer.close()
            self.runner.close()
            self.sock.close()

    def do(self, work: Callable[[], T]) -> T:
        """Do something on the loop, and let the links write what comes of it."""

        async def turn() -> T:
            result = work()
            await asyncio.sleep(0)
            return result

        return self.runner.run(turn())

    # --- the server and who reports -----------------------------------------------------------------------

    def start(self) -> None:
        self.server = Run(next(self.numbers))
        self.producer = self.client()
        self.producer.say(RegisterProcess(PROCESS, ProcessRegistration(1, "host", self.owned)))

    def client(self) -> Client:
        number = next(self.numbers)
        return Client(self.server, number, UUID(int=number), self.sock)

    def follow(self, folded: FoldedSettings) -> Client:
        reader = self.client()
        reader.hear = folded.hear
        reader.say(FollowSettings(folded.seq, folded.epoch))
        return reader

    def lose_everybody(self) -> None:
        for client in (self.producer, *self.readers):
            client.cut()

    @rule(units=st.lists(st.sampled_from([0, 1, 2]), min_size=1, max_size=HISTORY - 1))
    def report(self, units: list[int]) -> None:
        if self.owned:
            self.do(lambda: [self.report_one(self.owned[unit % len(self.owned)]) for unit in units])
            self.do(self.producer.read)

    def report_one(self, unit: str) -> None:
        update = ProcessSettingsUpdate(unit, reported(float(next(self.gain))), 5.0)
        self.producer.say(ReportSettings(PROCESS, update))

    @rule(owned=st.lists(st.sampled_from(UNITS), unique=True))
    def own(self, owned: list[str]) -> None:
        """What was said of units that are given up is void, and that is told, too."""
        added, removed = set(owned) - set(self.owned), set(self.owned) - set(owned)
        update = ProcessOwnershipUpdate(sorted(added), sorted(removed))
        self.do(lambda: self.producer.say(UpdateOwnership(PROCESS, update)))
        self.do(self.producer.read)
        self.owned = owned

    @precondition(lambda self: self.server.take().seq > HISTORY)
    @rule()
    def start_again(self) -> None:
        """The server begins anew and knows nothing, and everybody comes back to it."""
        self.do(self.lose_everybody)
        self.server.performer.close()
        self.do(self.start)
        self.readers = [self.do(lambda one=one: self.follow(one)) for one in self.folded]

    # --- who reads ----------------------------------------------------------------------------------------

    @rule(reader=st.integers(0, READERS - 1), most=st.integers(1, 600))
    def read(self, reader: int, most: int) -> None:
        self.do(lambda: self.readers[reader].read(most))

    @rule(reader=st.integers(0, READERS - 1))
    def catch_up(self, reader: int) -> None:
        while self.do(self.readers[reader].read):
            pass
        self.folded[reader].check(self.server.take())

    @rule(reader=st.integers(0, READERS - 1), most=st.integers(0, 600))
    def cut(self, reader: int, most: int) -> None:
        """A reader is cut off, perhaps in the middle of an item, and goes on where it was."""
        self.read(reader, most)
        self.do(self.readers[reader].cut)
        self.readers[reader] = self.do(lambda: self.follow(self.folded[reader]))

    @invariant()
    def who_does_not_read_costs_a_bounded_amount(self) -> None:
        assert all(len(reader.wire.unread) <= MOST_UNREAD for reader in self.readers)


TestStreams = Streams.TestCase
TestStreams.settings = settings(max_examples=settings().max_examples // 2, stateful_step_count=40)
