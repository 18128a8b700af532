"""A server that speaks TLS: who is let in, how long strangers may stay, and what it says when it starts."""

import contextlib
import logging
import os
import socket
import ssl
import struct
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ezmsg.graphserver import GraphServer
from ezmsg.graphserver import server as module
from ezmsg.graphserver.sockets import link as links
from ezmsg.protocol import errors
from ezmsg.protocol.messages.sessions import TakeSnapshot
from ezmsg.protocol.wire.tls.files import TlsFiles

DEADLINE_S = 30.0
TOKEN = "ours"


@pytest.fixture
def files(laboratory: Any) -> TlsFiles:
    made: TlsFiles = laboratory.files("lab", "10.0.0.1")
    return made


@pytest.fixture
def secured(files: TlsFiles) -> Iterator[GraphServer]:
    server = GraphServer(token=TOKEN, tls=files)
    server.start(("127.0.0.1", 0))
    yield server
    server.stop()


def by_tls(sock: socket.socket, files: TlsFiles) -> ssl.SSLSocket:
    """Shake hands on a blocking socket, by the standard library's other implementation."""
    context = ssl.create_default_context(cafile=files.authority)
    return context.wrap_socket(sock, server_hostname="127.0.0.1")


def joined(raw: Any, address: Any, files: TlsFiles) -> Any:
    client = raw(address, TOKEN)
    client.sock = by_tls(client.sock, files)
    return client.open()


def beginning(files: TlsFiles) -> bytes:
    """What a client says first."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    shaking = ssl.create_default_context(cafile=files.authority).wrap_bio(incoming, outgoing, server_hostname="x")
    with contextlib.suppress(ssl.SSLWantReadError):
        shaking.do_handshake()
    return outgoing.read()


def rest_of(sock: socket.socket) -> bytes:
    """What comes until the server closes."""
    came = b""
    with contextlib.suppress(ConnectionError):
        while data := sock.recv(65536):
            came += data
    return came


# --- who is let in ----------------------------------------------------------------------------------------------


def test_who_speaks_tls_and_holds_the_token_is_in(secured: GraphServer, raw: Any, files: TlsFiles) -> None:
    client = joined(raw, secured.address, files)
    assert client.sock.version() == "TLSv1.3"
    assert client.ask(TakeSnapshot()) is not None
    client.close()


def test_an_older_tls_is_not_spoken(secured: GraphServer, files: TlsFiles) -> None:
    context = ssl.create_default_context(cafile=files.authority)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with (
        socket.create_connection(secured.address, DEADLINE_S) as sock,
        pytest.raises(ssl.SSLError, match="PROTOCOL_VERSION"),
    ):
        context.wrap_socket(sock, server_hostname="127.0.0.1")


def test_who_speaks_openly_is_told_why_it_is_not_in(
    secured: GraphServer, raw: Any, caplog: pytest.LogCaptureFixture
) -> None:
    client = raw(secured.address, TOKEN)
    with pytest.raises(errors.TlsRequired) as refusal:
        client.open()
    assert refusal.value.address == str(secured.address)
    client.close()
    assert "turned away. EZ-3015" in caplog.text


@pytest.mark.parametrize("token", ["theirs", ""])
def test_the_token_is_asked_for_as_ever(secured: GraphServer, raw: Any, files: TlsFiles, token: str) -> None:
    client = raw(secured.address, token)
    client.sock = by_tls(client.sock, files)
    with pytest.raises(errors.AuthenticationFailed):
        client.open()
    client.close()


def test_a_refusal_inside_tls_is_heard_to_its_end(secured: GraphServer, files: TlsFiles) -> None:
    with socket.create_connection(secured.address, DEADLINE_S) as sock:
        secret = by_tls(sock.dup(), files)
        secret.sendall(struct.pack("<I", 2**31) + b"x" * 1_000_000)
        assert b"EZ-1001" in rest_of(secret)
        secret.close()


# --- strangers --------------------------------------------------------------------------------------------------


NONSENSE = {
    "nothing but the first byte": b"\x16",
    "a record that is none": b"\x16\x03\x01\x00\x10" + bytes(16),
    "a record beyond the limit": b"\x16\x03\x01\xff\xff" + bytes(70_000),
    "an alert": b"\x15\x03\x03\x00\x02\x02\x28",
    "HTTP": b"GET / HTTP/1.1\r\n\r\n",
    "random": os.urandom(4096),
}


def test_what_is_no_tls_ends_and_harms_nobody(
    secured: GraphServer,
    raw: Any,
    files: TlsFiles,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(links, "HANDSHAKE_TIMEOUT_S", 0.3)
    client = joined(raw, secured.address, files)
    start = beginning(files)
    for name, said in {**NONSENSE, "half a hello": start[:100], "a hello and nonsense": start + bytes(500)}.items():
        with socket.create_connection(secured.address, DEADLINE_S) as sock:
            sock.sendall(said)
            assert len(rest_of(sock)) < 8192, name
        assert client.ask(TakeSnapshot()) is not None
    client.close()
    assert "Traceback" not in caplog.text


@pytest.mark.parametrize("says", ["nothing", "half a hello", "a hello and no more"])
def test_the_handshake_of_tls_is_within_the_deadline(
    secured: GraphServer, files: TlsFiles, monkeypatch: pytest.MonkeyPatch, says: str
) -> None:
    monkeypatch.setattr(links, "HANDSHAKE_TIMEOUT_S", 0.3)
    start = beginning(files)
    said = {"nothing": b"", "half a hello": start[:100], "a hello and no more": start}[says]
    with socket.create_connection(secured.address, DEADLINE_S) as sock:
        sock.sendall(said)
        began_s = time.monotonic()
        rest_of(sock)
        assert 0.2 < time.monotonic() - began_s < 10


def test_there_is_room_for_so_many_strangers_and_for_who_belongs(
    secured: GraphServer, raw: Any, files: TlsFiles
) -> None:
    start = beginning(files)
    strangers = []
    for number in range(3 * module.SILENT_LIMIT):
        stranger = socket.create_connection(secured.address, DEADLINE_S)
        stranger.sendall((b"", start[:100], start)[number % 3])
        strangers.append(stranger)
    client = joined(raw, secured.address, files)
    assert client.ask(TakeSnapshot()) is not None
    client.close()
    for stranger in strangers[: module.SILENT_LIMIT]:
        rest_of(stranger)  # the oldest were closed
    for stranger in strangers:
        stranger.close()


# --- its start --------------------------------------------------------------------------------------------------


def options(files: TlsFiles) -> list[str]:
    return ["--tls-cert", files.certificate, "--tls-key", files.key, "--tls-ca", files.authority]


def test_it_says_by_what_it_is_checked(
    spawn: Any, raw: Any, files: TlsFiles, announced: Any, tmp_path: Path
) -> None:
    token = tmp_path / "token"
    token.write_text(TOKEN)
    server = spawn("--address", "0.0.0.0:0", "--token-file", str(token), *options(files))
    address = server.wait_ready()
    joined(raw, ("127.0.0.1", address.port), files).close()
    assert announced(address.port).authority == files.authority
    log = "".join(server.lines)
    assert "TLS 1.3 alone, with the certificate of lab, 10.0.0.1, localhost, 127.0.0.1, ::1, which is valid" in log
    assert "openly" not in log


def test_files_beside_the_token_are_enough(spawn: Any, raw: Any, files: TlsFiles) -> None:
    token = Path(files.authority).parent / "token"
    token.write_text(TOKEN)
    address = spawn("--address", "127.0.0.1:0", "--token-file", str(token)).wait_ready()
    joined(raw, address, files).close()
    address = spawn("--address", "127.0.0.1:0", environ={"EZMSG_TOKEN_FILE": str(token)}).wait_ready()
    joined(raw, address, files).close()


def test_who_runs_in_another_folder_finds_the_authority(
    files: TlsFiles, announced: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = Path(files.authority).parent
    monkeypatch.chdir(folder)
    here = TlsFiles(*(Path(each).name for each in (files.authority, files.certificate, files.key)))
    server = GraphServer(token=TOKEN, tls=here)
    server.start(("127.0.0.1", 0))
    monkeypatch.chdir("/")
    assert announced(server.address.port).authority == files.authority
    server.stop()


def test_an_authority_alone_is_for_checking_others(spawn: Any, raw: Any, files: TlsFiles) -> None:
    environ = {"EZMSG_TLS_CA": files.authority, "EZMSG_TOKEN": TOKEN}
    client = raw(spawn("--address", "127.0.0.1:0", environ=environ).wait_ready(), TOKEN).open()
    client.close()


def test_an_authority_alone_serves_nobody_beyond_the_machine(
    files: TlsFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EZMSG_TLS_CA", files.authority)
    with pytest.raises(errors.TlsUnusable, match="no certificate to show them"):
        GraphServer(token=TOKEN).start(("0.0.0.0", 0))


@pytest.mark.parametrize(("address", "warns"), [("0.0.0.0", True), ("127.0.0.1", False)])
def test_beyond_loopback_it_says_what_travels_openly(
    caplog: pytest.LogCaptureFixture, address: str, warns: bool
) -> None:
    with caplog.at_level(logging.WARNING):
        server = GraphServer(token=TOKEN)
        server.start((address, 0))
        server.stop()
    told = [line for line in caplog.messages if "travels openly" in line]
    assert len(told) == warns
    for line in told:
        for words in (str(server.address), "but the token", "settings", "messages", "ezmsg server certificates"):
            assert words in line


def test_what_does_not_fit_is_a_sentence_before_anybody_can_connect(
    spawn: Any, laboratory: Any, tmp_path: Path
) -> None:
    from cryptography.hazmat.primitives.serialization import (
        BestAvailableEncryption,
        Encoding,
        PrivateFormat,
        load_pem_private_key,
    )

    fits, other = laboratory.files(), laboratory.files()
    stranger = type(laboratory)(tmp_path / "other").files()
    locked = tmp_path / "locked.pem"
    key = load_pem_private_key(Path(fits.key).read_bytes(), None)
    locked.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret")))
    made = fits.certificate
    cases = [
        (options(TlsFiles(fits.authority, made, other.key)), "EZ-3021", "the key is another certificate's"),
        (options(TlsFiles(fits.authority, made, str(locked))), "EZ-3021", "not encrypted"),
        (options(TlsFiles(fits.authority, made, "/nowhere")), "EZ-3021", "no such file"),
        (options(TlsFiles(fits.authority, fits.key, fits.key)), "EZ-3021", "does not hold a certificate"),
        (options(TlsFiles(stranger.authority, made, fits.key)), "EZ-3017", made),
        (options(laboratory.files(begins_h=-48, ends_h=-1)), "EZ-3018", "valid from"),
        (options(fits)[:4], "EZ-3021", "EZMSG_TLS_CA"),
        (options(fits)[4:] + options(fits)[:2], "EZ-3021", "EZMSG_TLS_KEY"),
    ]
    for words, code, said in cases:
        status, log = spawn("--address", "127.0.0.1:0", *words).wait()
        assert status == 1, log
        assert log.startswith(code), log
        assert said in log
        assert "Traceback" not in log
