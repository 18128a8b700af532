"""What the tests of the graph server share: a client on a plain blocking socket, and servers to talk to."""

import asyncio
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from ezmsg.graphserver import GraphServer
from ezmsg.graphserver.sockets import loops
from ezmsg.protocol.addresses import Address
from ezmsg.protocol.announcement import Announcement, announcement_name
from ezmsg.protocol.errors import EzmsgError
from ezmsg.protocol.messages.sessions import Done
from ezmsg.protocol.revisions import CURRENT, Revision
from ezmsg.protocol.wire import connection as protocol
from ezmsg.protocol.wire.handshake import ClientHandshake

DEADLINE_S = 30.0
"""Only there to end a test that would hang."""


class RawClient:
    """One control connection on a blocking socket; it acknowledges what the server asks, see ``calls``."""

    def __init__(
        self,
        address: Address,
        token: str,
        client_id: UUID | None = None,
        revision: Revision = CURRENT,
        acknowledge: bool = True,
    ) -> None:
        self.client_id = client_id or uuid4()
        self.acknowledge = acknowledge
        self.calls: list[Any] = []
        self.items: list[Any] = []
        self.closed: protocol.Closed | None = None
        self.answers: dict[int, Any] = {}
        self.sock = socket.create_connection(address, timeout=DEADLINE_S)
        self.handshake = ClientHandshake(
            token.encode, os.urandom(32), self.client_id, os.getpid(), "test", revision=revision
        )
        self.connection = protocol.Connection(self.handshake)

    def open(self) -> "RawClient":
        """Complete the handshake, or raise why it was refused."""
        self.pump_until(lambda: self.connection.phase is protocol.Phase.OPEN)
        return self

    def send(self, body: Any) -> int:
        """Ask without waiting."""
        request_id = self.connection.request(body)
        self.flush()
        return request_id

    def wait(self, request_id: int) -> Any:
        """Return the reply to a request, or raise its failure."""
        self.pump_until(lambda: request_id in self.answers)
        answer = self.answers.pop(request_id)
        if isinstance(answer, EzmsgError):
            raise answer
        return answer

    def ask(self, body: Any) -> Any:
        """Ask and wait."""
        return self.wait(self.send(body))

    def flush(self) -> None:
        """Write what there is to send."""
        self.sock.sendall(self.connection.data_to_send())

    def pump_until(self, condition: Any) -> None:
        """Read until something is so; raise if the server closes the connection before."""
        end = time.monotonic() + DEADLINE_S
        self.flush()
        while not condition():
            if self.closed is not None:
                raise self.closed.error or ConnectionResetError("the server closed the connection")
            assert time.monotonic() < end, "the server did not answer"
            data = self.sock.recv(1 << 20)
            if data:
                self.connection.receive_data(data)
            else:
                self.connection.receive_eof()
            self._take_events()
            if not self.connection.closed:
                self.flush()

    def readable(self, seconds: float) -> bool:
        """Whether anything has arrived, or does within some time."""
        return bool(select.select([self.sock], [], [], seconds)[0])

    def close(self) -> None:
        """Close the socket."""
        self.sock.close()

    def _take_events(self) -> None:
        for event in self.connection.events_received():
            match event:
                case protocol.ReplyReceived(id=request_id, body=answer):
                    self.answers[request_id] = answer
                case protocol.FailureReceived(id=request_id, error=answer):
                    self.answers[request_id] = answer
                case protocol.RequestReceived(id=request_id, body=body):
                    self.calls.append(body)
                    if self.acknowledge:
                        self.connection.reply(request_id, Done())
                case protocol.ItemReceived(body=body):
                    self.items.append(body)
                case protocol.Closed():
                    self.closed = event


class ServerProcess:
    """``python -m ezmsg.graphserver`` in a process of its own."""

    def __init__(self, *arguments: str, environ: dict[str, str] | None = None) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "ezmsg.graphserver", *arguments],
            stderr=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
            text=True,
            env={**os.environ, **(environ or {})},
        )
        self.lines: list[str] = []

    def wait_ready(self) -> Address:
        """Return the address from the line that says it is ready."""
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.lines.append(line)
            if "ready at" in line:
                return Address.from_string(line.rsplit(" ", 1)[1])
        raise AssertionError(f"it never got ready: {''.join(self.lines)}")

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self.process.send_signal(number)

    def wait(self, seconds: float = DEADLINE_S) -> tuple[int, str]:
        """Wait for its end; return the exit status and what it wrote to standard error."""
        _, rest = self.process.communicate(timeout=seconds)
        return self.process.returncode, "".join(self.lines) + rest


@pytest.fixture(autouse=True)
def runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give every test a runtime folder of its own, and an environment that sets nothing of ours."""
    for name in [name for name in os.environ if name.startswith("EZMSG_")]:
        monkeypatch.delenv(name)
    folder = tmp_path / "runtime"
    monkeypatch.setenv("EZMSG_RUNTIME_DIR", str(folder))
    return folder


@pytest.fixture(scope="session", autouse=True)
def first_loop() -> Iterator[None]:
    """Run the servers of this process on uvloop's loop, on newer Pythons on asyncio's: both are used, and differ.

    uvloop's first loop opens descriptors that stay with the process, and so is made before any test.
    """
    loops.run(asyncio.sleep(0))
    with pytest.MonkeyPatch.context() as patch:
        if sys.version_info >= (3, 12):
            patch.setattr(loops, "new_event_loop", asyncio.new_event_loop)
        yield


@pytest.fixture(autouse=True)
def nothing_left(first_loop: None) -> Iterator[None]:
    """Fail a test that leaves a thread or an open descriptor behind."""
    threads = set(threading.enumerate())
    descriptors = _open_descriptors()
    yield
    assert set(threading.enumerate()) <= threads
    assert _open_descriptors() <= descriptors


def _open_descriptors() -> int:
    folder = Path("/proc/self/fd")
    return len(list(folder.iterdir())) if folder.exists() else 0


@pytest.fixture
def announced(runtime: Path) -> Any:
    """Return a function that reads the announcement of the server on a port."""

    def read(port: int) -> Announcement:
        return Announcement.from_json((runtime / announcement_name(port)).read_bytes())

    return read


@pytest.fixture
def server(runtime: Path) -> Iterator[GraphServer]:
    """An embedded server on a free port."""
    server = GraphServer()
    server.start(("127.0.0.1", 0))
    yield server
    server.stop()
    assert not server.is_alive()
    assert not (runtime / announcement_name(server.address.port)).exists()


@pytest.fixture
def raw() -> type[RawClient]:
    """The class of the raw client, for tests with servers of their own."""
    return RawClient


@pytest.fixture
def connect(server: GraphServer, announced: Any) -> Iterator[Any]:
    """Return a function that connects a raw client to the embedded server."""
    clients: list[RawClient] = []

    def connect(**kwargs: Any) -> RawClient:
        kwargs.setdefault("token", announced(server.address.port).token)
        clients.append(RawClient(server.address, **kwargs))
        return clients[-1]

    yield connect
    for client in clients:
        client.close()


@pytest.fixture
def spawn() -> Iterator[Any]:
    """Return a function that starts server processes, which are ended after the test."""
    spawned: list[ServerProcess] = []

    def spawn(*arguments: str, environ: dict[str, str] | None = None) -> ServerProcess:
        spawned.append(ServerProcess(*arguments, environ=environ))
        return spawned[-1]

    yield spawn
    for server in spawned:
        server.process.kill()
        server.process.communicate(timeout=DEADLINE_S)
