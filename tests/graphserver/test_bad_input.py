"""Strangers, fools and foes: each gets a typed refusal, and the server and everybody else go on."""

import contextlib
import logging
import os
import socket
import struct
import threading
import time
from collections.abc import Iterator
from typing import Any, NoReturn
from uuid import UUID, uuid4

import pytest

from ezmsg.graphserver import Graph, GraphServer
from ezmsg.graphserver import server as module
from ezmsg.graphserver.sockets import link
from ezmsg.protocol import errors
from ezmsg.protocol.messages.envelopes import Goodbye, Request
from ezmsg.protocol.messages.handshake import Hello, Refusal
from ezmsg.protocol.messages.sessions import Connect, Done, EdgeChanged, OpenSession
from ezmsg.protocol.revisions import CURRENT, Revision
from ezmsg.protocol.wire import codec, frames
from ezmsg.protocol.wire.presence import unfinished

DEADLINE_S = 30.0


@pytest.fixture
def stranger(server: GraphServer) -> Iterator[socket.socket]:
    """A socket that has said nothing yet."""
    with socket.create_connection(server.address, timeout=DEADLINE_S) as sock:
        yield sock


@pytest.fixture(autouse=True)
def others_go_on(connect: Any) -> Iterator[None]:
    """Somebody who was there before works on afterwards, and so does somebody new."""
    friend = connect().open()
    assert friend.ask(Connect("A", "B")) == EdgeChanged(topology_changed=True)
    yield
    assert friend.ask(Connect("B", "C")) == EdgeChanged(topology_changed=True)
    assert connect().open().ask(Connect("C", "D")) == EdgeChanged(topology_changed=True)


def farewell(sock: socket.socket) -> Any:
    """Read to the end of file; return the last message."""
    data = b""
    while chunk := sock.recv(1 << 20):
        data += chunk
    parser = frames.FrameParser(frames.FRAME_LIMIT)
    parser.feed(data)
    bodies = []
    while (body := parser.next_body()) is not None:
        bodies.append(body)
    return codec.body_from_wire(codec.unpack_map(bodies[-1]), (Refusal, Goodbye))


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (frames.frame(b"no msgpack at all"), "EZ-1002"),
        (frames.frame(b""), "EZ-1002"),
        (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" * 1000, "EZ-1001"),
        (os.urandom(3) + b"\xff" + os.urandom(100_000), "EZ-1001"),
        (struct.pack("<I", frames.HANDSHAKE_LIMIT + 1), "EZ-1001"),
        (struct.pack("<I", 0xFFFFFFFF) + b"x" * 1_000_000, "EZ-1001"),
        (frames.frame(codec.encode({"type": "nonsense"})), "EZ-1003"),
        (frames.frame(codec.encode({"type": "hello"})), "EZ-1004"),
        (frames.frame(codec.encode(Request(1, {"type": "snapshot.take"}))), "EZ-1003"),
        (frames.frame(codec.encode({"type": "proof", "proof": b"x"})), "EZ-1005"),
        (frames.frame(codec.encode(Hello(CURRENT, "0", b"short", UUID(int=1)))), "EZ-1005"),
        (frames.frame(codec.encode({"type": "hello", "more": list(range(100))})), "EZ-1002"),
    ],
)
def test_bad_bytes_are_refused_with_a_reason(stranger: socket.socket, data: bytes, code: str) -> None:
    stranger.sendall(data)
    refusal = farewell(stranger)
    assert isinstance(refusal, Refusal)
    assert refusal.code == code
    assert refusal.text


def test_a_stranger_who_leaves_in_the_middle_is_no_trouble(stranger: socket.socket) -> None:
    stranger.sendall(struct.pack("<I", 1000) + b"x")
    stranger.shutdown(socket.SHUT_WR)
    assert stranger.recv(1) == b""


class Said(logging.Handler):
    """Waits for words of the log."""

    def __init__(self, words: str, times: int) -> None:
        super().__init__(logging.DEBUG)
        self.enough = threading.Event()
        self._words = words
        self._missing = times

    def emit(self, record: logging.LogRecord) -> None:
        self._missing -= self._words in record.getMessage()
        if self._missing <= 0:
            self.enough.set()


def test_who_only_looks_whether_somebody_listens_is_no_warning(
    server: GraphServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG", "ezmsg")
    said = Said("connected and said nothing", 2)
    logging.getLogger("ezmsg").addHandler(said)
    for stays in (False, True):
        with socket.create_connection(server.address, timeout=DEADLINE_S) as probe:
            while stays and probe.recv(1024):  # until the server's patience is over
                pass
    assert said.enough.wait(DEADLINE_S), caplog.text
    logging.getLogger("ezmsg").removeHandler(said)
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


def test_a_silent_stranger_is_told_to_go(stranger: socket.socket) -> None:
    started = time.monotonic()
    refusal = farewell(stranger)
    assert refusal.code == "EZ-3007"
    assert time.monotonic() - started >= link.HANDSHAKE_TIMEOUT_S * 0.9


def test_dripping_bytes_buys_no_time(stranger: socket.socket) -> None:
    stranger.sendall(struct.pack("<I", 1000))
    stranger.settimeout(0.05)
    end = time.monotonic() + DEADLINE_S
    data = b""
    while not data and time.monotonic() < end:
        stranger.sendall(b"x")
        try:
            data = stranger.recv(1 << 16)
        except TimeoutError:
            continue
    parser = frames.FrameParser()
    parser.feed(data)
    body = parser.next_body()
    assert body is not None
    assert codec.unpack_map(body)["code"] == "EZ-3007"


@pytest.mark.parametrize("token", ["wrong", ""])
def test_a_wrong_token_is_refused(connect: Any, token: str) -> None:
    with pytest.raises(errors.AuthenticationFailed):
        connect(token=token).open()


def test_a_client_that_lies_about_its_proof_is_refused(stranger: socket.socket) -> None:
    stranger.sendall(frames.frame(codec.encode(Hello(CURRENT, "0", os.urandom(32), uuid4()))))
    stranger.sendall(frames.frame(codec.encode({"type": "proof", "proof": b"x" * 32})))
    refusal = farewell(stranger)
    assert refusal.code == "EZ-3003"


@pytest.mark.parametrize("revision", [Revision(CURRENT.major - 1, 9), Revision(CURRENT.major + 1, 0)])
def test_another_major_revision_is_refused_by_name(connect: Any, revision: Revision) -> None:
    with pytest.raises(errors.VersionMismatch) as caught:
        connect(revision=revision).open()
    assert (caught.value.ours, caught.value.theirs) == (CURRENT, revision)


def test_a_newer_minor_revision_is_welcome(connect: Any) -> None:
    client = connect(revision=Revision(CURRENT.major, CURRENT.minor + 7)).open()
    assert client.ask(OpenSession(uuid4())) == Done()


def test_an_unknown_request_fails_alone(connect: Any) -> None:
    client = connect().open()
    request_id = client.connection.request({"type": "from.the.future", "field": 1})
    client.flush()
    with pytest.raises(errors.UnknownMessage):
        client.wait(request_id)
    request_id = client.connection.request({"type": "edge.connect", "from_topic": 3, "to_topic": "B"})
    client.flush()
    with pytest.raises(errors.InvalidMessage, match="from_topic"):
        client.wait(request_id)
    assert client.ask(OpenSession(uuid4())) == Done()


def test_a_message_of_the_wrong_kind_fails_alone(connect: Any) -> None:
    client = connect().open()
    with pytest.raises(errors.ProtocolViolation):
        client.ask(Done())
    assert client.ask(OpenSession(uuid4())) == Done()


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (struct.pack("<I", frames.FRAME_LIMIT + 1) + b"x" * 100_000, "EZ-1001"),
        (frames.frame(b"\xc1"), "EZ-1002"),
        (frames.frame(codec.encode({"type": "no.envelope"})), "EZ-1003"),
        (frames.frame(codec.encode({"type": "request", "id": "one", "body": {}})), "EZ-1004"),
    ],
)
def test_a_bad_frame_after_the_handshake_closes_that_connection(connect: Any, data: bytes, code: str) -> None:
    client = connect().open()
    client.sock.sendall(data)
    goodbye = farewell(client.sock)
    assert isinstance(goodbye, Goodbye)
    assert goodbye.code == code


@pytest.mark.parametrize("greets", [False, True])
def test_of_too_many_strangers_at_a_time_the_oldest_has_to_go(
    server: GraphServer, connect: Any, monkeypatch: pytest.MonkeyPatch, greets: bool
) -> None:
    monkeypatch.setattr(link, "HANDSHAKE_TIMEOUT_S", DEADLINE_S)
    limit = module.GREETED_LIMIT if greets else module.SILENT_LIMIT
    strangers: list[socket.socket] = []
    try:
        for _ in range(limit + 1):
            strangers.append(socket.create_connection(server.address, timeout=DEADLINE_S))
            if greets:
                strangers[-1].sendall(frames.frame(codec.encode(Hello(CURRENT, "0", os.urandom(32), uuid4()))))
                assert strangers[-1].recv(4)  # the challenge
        connect().open()
        with contextlib.suppress(ConnectionError):
            while strangers[0].recv(1024):
                pass
        strangers[-1].setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while data := strangers[-1].recv(1024):
                assert data
            raise AssertionError("the newest was closed")
    finally:
        for sock in strangers:
            sock.close()


def dribble(client: Any, announced: int, sent: int) -> None:
    client.sock.sendall(struct.pack("<I", announced) + bytes(sent))


def test_a_frame_does_not_dribble_for_ever(connect: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unfinished, "FRAME_TIMEOUT_S", 0.5)
    client, other = connect().open(), connect().open()
    dribble(client, 1000, 1)
    client.sock.settimeout(0.05)
    end = time.monotonic() + DEADLINE_S
    data = b""
    while not data and time.monotonic() < end:
        client.sock.sendall(b"x")
        with contextlib.suppress(TimeoutError):
            data = client.sock.recv(1 << 16)
    parser = frames.FrameParser()
    parser.feed(data)
    body = parser.next_body()
    assert body is not None
    assert codec.unpack_map(body)["code"] == "EZ-3007"
    assert other.ask(OpenSession(uuid4())) == Done()


def test_the_halves_of_frames_of_all_peers_together_are_bounded(connect: Any) -> None:
    began = [connect().open() for _ in range(6)]
    honest = connect().open()
    half = 30 * 1024 * 1024
    for client in began[:4]:
        dribble(client, 2 * half, half)
    for client in began[4:]:
        dribble(client, 2 * half, half)
    for client in began[:2]:  # those that had the longest time to be whole
        assert farewell(client.sock).code == "EZ-3009"
    assert honest.ask(OpenSession(uuid4())) == Done()
    for client in began[2:]:
        assert not client.readable(0.0)


def test_a_client_that_does_not_read_is_cut_off(
    connect: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(link, "OUTBOX_LIMIT", 4 * 1024 * 1024)
    client = connect().open()
    client.ask(Connect("X" * 1000, "Y" * 1000))
    asked = b"".join(
        frames.frame(codec.encode(Request(number, {"type": "snapshot.take"}))) for number in range(1000, 1500)
    )
    with pytest.raises(ConnectionError):
        _send_for_ever(client.sock, asked)
    assert "EZ-3009" in caplog.text
    assert "unread" in caplog.text


def _send_for_ever(sock: socket.socket, data: bytes) -> NoReturn:
    while True:
        sock.sendall(data)


def test_a_flood_of_bad_peers_does_not_flood_the_log(server: GraphServer, caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(50):
        with socket.create_connection(server.address, timeout=DEADLINE_S) as sock:
            sock.sendall(frames.frame(b"\xc1"))
            assert farewell(sock).code == "EZ-1002"
    assert 1 <= sum("EZ-1002" in record.message for record in caplog.records) <= 6


def test_a_fault_of_the_server_fails_one_request(connect: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> Any:
        raise ZeroDivisionError("a fault of ours")

    client = connect().open()
    with monkeypatch.context() as patch:
        patch.setattr(Graph, "request_received", fail)
        with pytest.raises(errors.InternalError, match="ZeroDivisionError"):
            client.ask(Connect("E", "F"))
    assert client.ask(Connect("E", "F")) == EdgeChanged(topology_changed=True)
