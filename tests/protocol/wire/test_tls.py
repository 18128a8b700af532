"""TLS between two protocols, without a network: what is cut into whatever pieces arrives whole, or not at all."""

import gc
import weakref
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ezmsg.control.certifying.authority import make_authority, make_certificate
from ezmsg.protocol.errors import CertificateUntrusted, EzmsgError, TlsFailed, TlsNotSpoken
from ezmsg.protocol.wire.frames import frame
from ezmsg.protocol.wire.tls.contexts import Credentials, serving, trusting
from ezmsg.protocol.wire.tls.files import TlsFiles
from ezmsg.protocol.wire.tls.session import TlsSession, is_tls
from ezmsg.protocol.wire.tls.transport import CHUNK_BYTES, TlsTransport


class Lower:
    """A socket's transport, whose bytes a test carries to the other side."""

    def __init__(self) -> None:
        self.written = bytearray()
        self.closed = self.aborted = self.half_closed = False

    def write(self, data: bytes) -> None:
        self.written += data

    def write_eof(self) -> None:
        self.half_closed = True

    def close(self) -> None:
        self.closed = True

    def abort(self) -> None:
        self.closed = self.aborted = True

    def is_closing(self) -> bool:
        return self.closed

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return {"socket": "the socket"}.get(name, default)

    def get_write_buffer_size(self) -> int:
        return 0


class Heard:
    """A protocol that remembers."""

    def __init__(self) -> None:
        self.came = bytearray()
        self.lost: list[Exception | None] = []
        self.ended = 0

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.came += data

    def eof_received(self) -> None:
        self.ended += 1

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost.append(exc)


class HeardInto(Heard):
    """The same, with a buffer of its own."""

    data_received = None  # type: ignore[assignment]

    def get_buffer(self, sizehint: int) -> memoryview:
        self.buffer = bytearray(100)
        return memoryview(self.buffer)

    def buffer_updated(self, size: int) -> None:
        self.came += self.buffer[:size]


class Side:
    def __init__(self, session: Any, *, serves: bool, into: bool = False, **more: Any) -> None:
        self.heard: Heard = HeardInto() if into else Heard()
        self.lower = Lower()
        more = {"on_plain": lambda: None, **more}
        self.tls = TlsTransport(self.heard, session, serves=serves, **more)
        self.tls.connection_made(self.lower)

    def take(self, size: int | None = None) -> bytes:
        taken = bytes(self.lower.written[:size])
        del self.lower.written[:size]
        return taken


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Credentials:
    return certified(tmp_path_factory.mktemp("host"))


def certified(folder: Any) -> Credentials:
    from datetime import UTC, datetime, timedelta

    now = datetime.now(UTC)
    authority = make_authority("an authority", now)
    made = make_certificate(authority, ["lab"], now - timedelta(hours=1), now + timedelta(hours=1))
    names = ("ca", "cert", "key")
    for name, pem in zip(names, (authority.certificate_pem, made.certificate_pem, made.key_pem), strict=True):
        (folder / name).write_bytes(pem)
    return serving(TlsFiles(*(str(folder / name) for name in names)))


def pair(
    host: Credentials, trusted: Credentials | None = None, *, into: bool = False, **more: Any
) -> tuple[Side, Side]:
    context = trusting((trusted or host).files, checks_names=True)
    comes = Side(partial(TlsSession, context, serves=False, host="lab"), serves=False, into=into, **more)
    serves = Side(partial(TlsSession, host.context, serves=True), serves=True, into=into)
    return comes, serves


def carry(one: Side, other: Side, sizes: Any = None) -> None:
    """Carry everything in both directions, in pieces of these sizes."""
    while one.lower.written or other.lower.written:
        for sender, taker in ((one, other), (other, one)):
            if data := sender.take(next(sizes) if sizes else None):
                taker.tls.data_received(data)


@given(
    said=st.lists(st.binary(min_size=1, max_size=40_000), max_size=4),
    answered=st.lists(st.binary(min_size=1, max_size=40_000), max_size=4),
    sizes=st.lists(st.integers(1, 5_000), min_size=1, max_size=5),
    into=st.booleans(),
    early=st.booleans(),
)
def test_what_is_cut_into_pieces_arrives_whole(
    host: Credentials, said: list[bytes], answered: list[bytes], sizes: list[int], into: bool, early: bool
) -> None:
    from itertools import cycle

    comes, serves = pair(host, into=into)
    if not early:
        carry(comes, serves, cycle(sizes))
    for side, words in ((comes, said), (serves, answered)):
        for word in words:
            side.tls.write(word)
    carry(comes, serves, cycle(sizes))
    assert comes.heard.came == b"".join(answered)
    assert serves.heard.came == b"".join(said)
    comes.tls.close()
    carry(comes, serves)
    assert comes.lower.closed
    assert serves.heard.ended == 1
    assert serves.lower.closed


def test_much_goes_in_pieces_as_a_socket_takes_it(host: Credentials) -> None:
    comes, serves = pair(host)
    carry(comes, serves)
    much = memoryview(bytes(range(256)) * (CHUNK_BYTES // 100))
    sent = comes.tls.send(much)
    assert sent == CHUNK_BYTES
    comes.tls.write(much[sent:])
    carry(comes, serves)
    assert serves.heard.came == much


@pytest.mark.parametrize("into", [False, True])
def test_who_sends_much_more_than_there_is_in_it_is_turned_away(host: Credentials, into: bool) -> None:
    comes, serves = pair(host, into=into)
    carry(comes, serves)
    for _ in range(4000):
        comes.tls.write(b"x")  # a record of its own
    serves.tls.data_received(comes.take())
    assert serves.lower.closed
    serves.tls.connection_lost(None)
    assert isinstance(serves.heard.lost[0], TlsFailed)
    assert len(serves.heard.came) < 2500


def test_what_comes_at_once_is_one_piece_for_who_has_no_buffer(host: Credentials) -> None:
    comes, serves = pair(host)
    carry(comes, serves)
    pieces: list[bytes] = []
    serves.heard.data_received = lambda data: pieces.append(bytes(data))  # type: ignore[method-assign]
    for _ in range(20):
        comes.tls.write(b"a word of some length that a frame may have")
    carry(comes, serves)
    assert len(pieces) == 1


def test_keys_are_agreed_upon_by_no_means_that_costs_much(host: Credentials) -> None:
    context = trusting(host.files, checks_names=True)
    context.set_ecdh_curve("secp521r1")
    comes = Side(partial(TlsSession, context, serves=False, host="lab"), serves=False)
    serves = Side(partial(TlsSession, host.context, serves=True), serves=True)
    carry(comes, serves)
    assert comes.lower.closed
    assert serves.lower.closed


def test_nothing_is_said_to_who_is_not_believed(host: Credentials, tmp_path: Any) -> None:
    comes, serves = pair(host, certified(tmp_path))
    comes.tls.write(b"a secret")
    carry(comes, serves)
    for side in (comes, serves):
        side.tls.connection_lost(None)
    (why,) = comes.heard.lost
    assert isinstance(why, CertificateUntrusted)
    (why,) = serves.heard.lost
    assert isinstance(why, TlsFailed)
    assert "does not trust" in str(why)
    assert serves.heard.came == b""


def test_one_is_believed_only_if_its_certificate_is_the_one_that_is_meant(host: Credentials) -> None:
    def refuse(session: TlsSession) -> None:
        assert session.certificate == host.certificate
        raise TlsFailed(peer="it", reason="it is another")

    comes, serves = pair(host, on_open=refuse)
    comes.tls.write(b"a secret")
    carry(comes, serves)
    assert comes.lower.closed
    assert serves.heard.came == b""


def test_the_end_of_one_direction_is_told_and_the_other_goes_on(host: Credentials) -> None:
    comes, serves = pair(host)
    carry(comes, serves)
    serves.tls.write(b"farewell")
    serves.tls.write_eof()
    comes.tls.write(b"is not heard any more")
    carry(comes, serves)
    assert serves.lower.half_closed
    assert not serves.lower.closed
    assert comes.heard.came == b"farewell"
    assert comes.heard.ended == 1
    assert serves.heard.came == b""


def test_an_end_before_the_handshake_is_over_says_so(host: Credentials) -> None:
    comes, _ = pair(host)
    assert comes.tls.eof_received() is False
    comes.tls.connection_lost(None)
    (why,) = comes.heard.lost
    assert isinstance(why, TlsFailed)


@pytest.mark.parametrize("size", [1, 2, 3, 100])
def test_who_speaks_openly_is_seen_at_once_and_answered_openly(host: Credentials, size: int) -> None:
    answers: list[Side] = []
    serves = Side(
        partial(TlsSession, host.context, serves=True),
        serves=True,
        on_plain=lambda: answers[0].tls.write(b"speak TLS"),
    )
    answers.append(serves)
    for start in range(0, 100, size):
        serves.tls.data_received(frame(b"x" * 100)[start : start + size])
    assert serves.take() == b"speak TLS"
    assert serves.heard.came == b""


def test_a_client_says_no_more_to_who_answers_openly(host: Credentials) -> None:
    def refuse() -> EzmsgError:
        return TlsNotSpoken(address="lab:1", source="an argument")

    comes, _ = pair(host, on_plain=refuse)
    comes.take()
    comes.tls.write(b"a secret")
    comes.tls.data_received(frame(b"no TLS"))
    assert comes.lower.closed
    assert comes.take() == b""


@given(st.integers(0, 64 * 1024))
def test_no_frame_of_a_stranger_looks_like_tls(size: int) -> None:
    assert not is_tls(frame(bytes(size))[:4])


def test_a_stranger_that_goes_leaves_nothing(host: Credentials) -> None:
    gc.collect()
    gc.disable()
    try:
        for said in (b"", b"\x16\x03\x01", b"\x16\x03\x01\x00\x10" + bytes(16), b"GET /"):
            serves = Side(partial(TlsSession, host.context, serves=True), serves=True)
            if said:
                serves.tls.data_received(said)
            serves.tls.connection_lost(None)
            watched = weakref.ref(serves.tls)
            del serves.heard.transport, serves
            assert watched() is None, said
    finally:
        gc.enable()
