"""What a link sends of streams: in batches, to each client by itself, and nothing that no frame holds."""

import asyncio
import socket
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest
from tests.graphserver.deciding.descriptions import reported
from tests.graphserver.sockets.wires import Client, Run

from ezmsg.graphserver.deciding.state.event_log import Cursor
from ezmsg.protocol.messages.events import Gap
from ezmsg.protocol.messages.processes import RegisterProcess
from ezmsg.protocol.messages.settings import FollowSettings, ReportSettings, SettingsEvent
from ezmsg.protocol.model.process_control import ProcessRegistration, ProcessSettingsUpdate
from ezmsg.protocol.model.settings import SettingsSnapshotValue

PROCESS = UUID(int=7)
HISTORY = 1000


@pytest.fixture
def sock() -> Iterator[socket.socket]:
    with socket.socket() as sock:
        yield sock


class Server:
    """A run of a server with one process that reports one unit, and readers that keep what they are told."""

    def __init__(self, sock: socket.socket) -> None:
        self.run = Run(1, HISTORY)
        self.sock = sock
        self.process = self.client(10)
        self.process.say(RegisterProcess(PROCESS, ProcessRegistration(1, "host", ["A"])))

    def client(self, number: int) -> Client:
        return Client(self.run, number, UUID(int=number), self.sock)

    def reader(self, number: int) -> tuple[Client, list[Any]]:
        """Return a client that has asked for the stream of settings, and its list."""
        client, told = self.client(number), []
        client.wire.link = Unpaused()  # it reads as fast as can be
        client.hear = told.append
        client.say(FollowSettings())
        return client, told

    def report(self, *values: SettingsSnapshotValue) -> None:
        for value in values:
            self.process.say(ReportSettings(PROCESS, ProcessSettingsUpdate("A", value, 5.0)))


class Unpaused:
    """Stands for a link that is never asked to pause."""

    def pause_writing(self) -> None: ...

    def resume_writing(self) -> None: ...


def seqs(told: list[Any]) -> list[Any]:
    return [item.event.seq if isinstance(item, SettingsEvent) else item for item in told]


async def test_an_event_that_no_frame_holds_is_a_gap_for_its_followers(sock: socket.socket) -> None:
    server = Server(sock)
    client, told = server.reader(1)
    client.link.connection._frame_limit = 2000
    other, all_told = server.reader(2)
    server.report(reported(1.0), SettingsSnapshotValue(bytes(2000), "large"), reported(2.0))
    client.read()
    other.read()
    assert seqs(told) == [1, Gap(2, 2), 3]
    assert seqs(all_told) == [1, 2, 3]
    server.process.read()


async def test_a_stream_sends_a_batch_in_each_turn_of_the_loop(sock: socket.socket) -> None:
    """So that nobody else waits while one client is told a long history."""
    server = Server(sock)
    server.report(*(reported(float(number)) for number in range(200)))
    client, told = server.reader(1)
    batches = []
    while len(told) < 200:
        before = len(told)
        client.read()
        batches.append(len(told) - before)
        await asyncio.sleep(0)
    assert seqs(told) == list(range(1, 201))
    assert batches == [64, 64, 64, 8]


async def test_large_events_make_small_batches(sock: socket.socket) -> None:
    """What a client may leave unread is passed by a client only that does not read."""
    server = Server(sock)
    server.report(*[SettingsSnapshotValue(bytes(30_000), "large")] * 10)
    client, told = server.reader(1)
    while len(told) < 10:
        assert len(client.wire.unread) < 100_000
        client.read()
        await asyncio.sleep(0)
    assert seqs(told) == list(range(1, 11))


async def test_streams_of_one_client_take_turns(sock: socket.socket) -> None:
    server = Server(sock)
    server.report(*(reported(float(number)) for number in range(150)))
    client, told = server.reader(1)
    client.say(FollowSettings())
    while len(told) < 300:
        client.read()
        await asyncio.sleep(0)
    assert seqs(told).index(1, 1) < seqs(told).index(150), "the second has begun before the first was told all"


async def test_a_fault_in_one_stream_is_nobody_elses(sock: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    server = Server(sock)
    client, _ = server.reader(1)
    other, told = server.reader(2)
    take = Cursor.take
    faulty = next(iter(client.link._cursors.values()))

    def fail(cursor: Cursor[Any]) -> object:
        if cursor is faulty:
            raise RuntimeError("a fault of ours")
        return take(cursor)

    monkeypatch.setattr(Cursor, "take", fail)
    server.report(reported(1.0), reported(2.0))
    assert server.process.read() > 0
    other.read()
    assert seqs(told) == [1, 2]
    assert client.link.connection.closed
    assert not server.process.link.connection.closed
