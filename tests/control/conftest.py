"""A graph server made of script: a real socket, the real protocol, and a test that decides every answer."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from tests.loops import factories

from ezmsg.control import ControlConnection
from ezmsg.graphserver import GraphServer
from ezmsg.protocol.addresses import Address
from ezmsg.protocol.messages.sessions import Done
from ezmsg.protocol.revisions import CURRENT, Revision
from ezmsg.protocol.wire import connection as events
from ezmsg.protocol.wire.connection import Connection
from ezmsg.protocol.wire.handshake import ServerHandshake

HANG = 30.0


class Peer(asyncio.Protocol):
    """The server's end of one connection."""

    def __init__(self, server: "ScriptedServer") -> None:
        self.server = server
        self.connection = Connection(
            ServerHandshake(server.token, os.urandom(32), server.epoch, revision=server.revision)
        )
        self.seen: asyncio.Queue[events.Event] = asyncio.Queue()
        self.gone = asyncio.Event()

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.server.peers.append(self)
        self.server.somebody.set()

    def data_received(self, data: bytes) -> None:
        if self.server.silent:
            return
        self.connection.receive_data(data)
        for event in self.connection.events_received():
            self.seen.put_nowait(event)
            self.server.arrivals.put_nowait((self, event))
            self.server.script(self, event)
        self.flush()
        if self.connection.closed:
            self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self.gone.set()

    def flush(self) -> None:
        if data := self.connection.data_to_send():
            self.transport.write(data)

    def say(self, verb: str, *arguments: Any) -> Any:
        result = getattr(self.connection, verb)(*arguments)
        self.flush()
        return result


def answer_done(peer: Peer, event: events.Event) -> None:
    if isinstance(event, events.RequestReceived):
        peer.connection.reply(event.id, Done())


class ScriptedServer:
    """Listens on a free port; ``script`` is called with each event of each peer."""

    def __init__(self) -> None:
        self.token = b""
        self.revision: Revision = CURRENT
        self.epoch = uuid4()
        self.silent = False
        self.script: Callable[[Peer, events.Event], None] = answer_done
        self.peers: list[Peer] = []
        self.somebody = asyncio.Event()
        self.arrivals: asyncio.Queue[tuple[Peer, events.Event]] = asyncio.Queue()

    async def start(self) -> None:
        self.server = await asyncio.get_running_loop().create_server(lambda: Peer(self), "127.0.0.1", 0)
        self.address = Address(*self.server.sockets[0].getsockname())

    async def joined(self) -> None:
        """Wait until somebody has connected."""
        async with asyncio.timeout(HANG):
            await self.somebody.wait()

    async def request(self, kind: type = object) -> tuple[Peer, Any]:
        """The next request that arrives, its envelope included."""
        async with asyncio.timeout(HANG):
            while True:
                peer, event = await self.arrivals.get()
                if isinstance(event, events.RequestReceived) and isinstance(event.body, kind):
                    return peer, event

    async def arrival(self, kind: type) -> Any:
        async with asyncio.timeout(HANG):
            while True:
                _, event = await self.arrivals.get()
                if isinstance(event, kind):
                    return event

    async def stop(self) -> None:
        self.server.close()
        for peer in self.peers:
            peer.transport.abort()
        for peer in self.peers:
            await peer.gone.wait()


@pytest.hookimpl(optionalhook=True)
def pytest_asyncio_loop_factories(config: pytest.Config, item: pytest.Item) -> dict[str, Any]:
    """Every test runs on each event loop, see there."""
    return factories()


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Whatever server or token the developer's machine has, these tests do not see it."""
    for name in ("EZMSG_TOKEN", "EZMSG_TOKEN_FILE", "EZMSG_GRAPHSERVER_ADDR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("EZMSG_INSECURE", "1")  # for the scripted server; tests of tokens take it away
    folder = tmp_path / "run"
    folder.mkdir(mode=0o700)
    monkeypatch.setenv("EZMSG_RUNTIME_DIR", str(folder))


@pytest.fixture
async def scripted() -> AsyncIterator[ScriptedServer]:
    server = ScriptedServer()
    await server.start()
    yield server
    await server.stop()


@pytest.fixture
async def connection(scripted: ScriptedServer) -> AsyncIterator[ControlConnection]:
    connection = await ControlConnection.open(scripted.address)
    yield connection
    await connection.close()


@pytest.fixture
def server() -> Iterator[GraphServer]:
    """A real graph server on a free port, which this user's programs find by its announcement."""
    server = GraphServer()
    server.start(("127.0.0.1", 0))
    yield server
    server.stop()
    assert not server.is_alive()
