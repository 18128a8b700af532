"""A control connection by TLS: who is believed, who is not, and what each side says of it."""

import asyncio
import contextlib
import logging
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from tests.waiting import until

from ezmsg.control import ControlConnection
from ezmsg.control.connection import client, discovery
from ezmsg.graphserver import GraphServer
from ezmsg.protocol import errors
from ezmsg.protocol.addresses import Address
from ezmsg.protocol.messages.sessions import TakeSnapshot
from ezmsg.protocol.wire.tls.files import TlsFiles, find_files

HANG = 30.0
ANYWHERE = Address("127.0.0.1", 0)


@contextlib.asynccontextmanager
async def served(
    tls: TlsFiles | None, address: Address = ANYWHERE, token: str = "ours"
) -> AsyncIterator[GraphServer]:
    server = GraphServer(token=token, tls=tls)
    await asyncio.to_thread(server.start, address)
    try:
        yield server
    finally:
        await asyncio.to_thread(server.stop)


async def opened(address: Address, tls: TlsFiles | None, token: bytes = b"ours") -> ControlConnection:
    async with asyncio.timeout(HANG):
        return await ControlConnection.open(address, token=token, tls=tls)


async def refused(address: Address, tls: TlsFiles | None, token: bytes = b"ours") -> errors.EzmsgError:
    """Return why a connection does not come about."""
    with pytest.raises(errors.EzmsgError) as refusal:
        await opened(address, tls, token)
    assert isinstance(refusal.value, errors.EzmsgError)
    return refusal.value


def without_certificate(files: TlsFiles) -> TlsFiles:
    """What a host needs that only looks."""
    return TlsFiles(files.authority, source="EZMSG_TLS_CA")


# --- those who belong together ----------------------------------------------------------------------------------


async def test_what_is_said_is_heard_and_ends_in_good_order(laboratory: Any) -> None:
    files = laboratory.files("lab")
    async with served(files) as server:
        connection = await opened(server.address, without_certificate(files))
        try:
            assert connection.tls is not None
            assert (await connection.request(TakeSnapshot())) is not None
        finally:
            await connection.close()


async def test_nothing_is_readable_on_the_way(laboratory: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = bytearray()

    async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(65536):
                seen.extend(data)
                writer.write(data)
        writer.close()

    files = laboratory.files("lab")
    async with served(files) as server:
        tasks = []

        async def join(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            back, forth = await asyncio.open_connection(*server.address)
            tasks.extend([asyncio.create_task(pass_on(reader, forth)), asyncio.create_task(pass_on(back, writer))])

        between = await asyncio.start_server(join, "127.0.0.1", 0)
        async with between:
            connection = await ControlConnection.open(
                Address(*between.sockets[0].getsockname()), token=b"ours", tls=files, name="somebody by name"
            )
            await connection.request(TakeSnapshot())
            await connection.close()
            await asyncio.wait(tasks)
    assert seen
    for word in (b"somebody", b"hello", b"snapshot"):
        assert word not in bytes(seen)


async def test_a_program_of_the_same_user_finds_the_authority_by_itself(laboratory: Any) -> None:
    async with served(laboratory.files()) as server:
        found = discovery.find_tls(server.address)
        assert found is not None
        assert found.source == f"server-{server.address.port}.json"
        await (await opened(server.address, None)).close()


async def test_an_announced_server_without_tls_is_spoken_to_openly(
    laboratory: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with served(None) as server:
        monkeypatch.setenv("EZMSG_TLS_CA", laboratory.files().authority)
        await (await opened(server.address, None)).close()


async def test_what_a_dead_server_announced_talks_nobody_out_of_tls(
    laboratory: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with served(None) as server:
        monkeypatch.setenv("EZMSG_TLS_CA", laboratory.files().authority)
        assert discovery.find_tls(server.address) is None
        monkeypatch.setattr(discovery, "runs", lambda pid: False)
        found = discovery.find_tls(server.address)
        assert found is not None
        assert found.source == "EZMSG_TLS_CA"


async def test_a_line_that_was_lost_comes_back_by_tls(laboratory: Any) -> None:
    files = laboratory.files()
    async with served(files) as server:
        connection = await opened(server.address, files)
        address = server.address
    async with served(files, address):
        epoch = await connection.wait_connected(HANG)
        assert epoch == connection.epoch
        await connection.close()


# --- those who do not -------------------------------------------------------------------------------------------


async def test_a_certificate_of_another_authority(laboratory: Any, tmp_path: Path, caplog: Any) -> None:
    other = type(laboratory)(tmp_path / "other").files()
    async with served(laboratory.files()) as server:
        error = await refused(server.address, other)
        assert isinstance(error, errors.CertificateUntrusted)
        for words in ("EZ-3017", str(server.address), other.authority, "somebody may be between"):
            assert words in str(error)
        await until(lambda: "does not trust the authority" in caplog.text)
        assert "was turned away" in caplog.text


@pytest.mark.parametrize(("begins_h", "ends_h"), [(-48, -1), (1, 48)], ids=["expired", "not yet valid"])
async def test_a_certificate_out_of_date_tells_both_clocks(
    laboratory: Any, begins_h: int, ends_h: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = laboratory.files("lab", begins_h=begins_h, ends_h=ends_h)
    with pytest.raises(errors.CertificateOutOfDate, match="valid from"):
        GraphServer(token="ours", tls=files).start(ANYWHERE)  # a server does not even start with it
    async with tls_only(files) as address:
        error = await refused(address, files)
    assert isinstance(error, errors.CertificateOutOfDate)
    for words in (error.now, error.valid_from, error.valid_until):
        assert words.endswith(" UTC")
        assert words in str(error)
    assert (error.valid_until < error.now) == (ends_h < 0)


async def test_clocks_may_differ_by_an_hour(tmp_path: Path) -> None:
    """A certificate that was made just now, on a machine whose clock is ahead by an hour."""
    from datetime import UTC, datetime, timedelta

    from ezmsg.control.certifying.folder import authority_in, certify

    now = datetime.now(UTC) + timedelta(hours=1)
    authority, _ = authority_in(tmp_path / "made", now)
    certify(tmp_path / "made", authority, ["lab"], now, 1)
    files = find_files({}, str(tmp_path / "made" / "lab" / "token"))
    async with served(files) as server:
        await (await opened(server.address, files)).close()


async def test_a_certificate_of_another_host(laboratory: Any) -> None:
    files = laboratory.files("lab", "10.0.0.1")
    async with served(files, Address("127.0.0.2", 0)) as server:
        error = await refused(server.address, files)
    assert isinstance(error, errors.CertificateOfAnother)
    for words in ("EZ-3019", "lab, 10.0.0.1, localhost", "not for 127.0.0.2", "--host NAME,127.0.0.2"):
        assert words in str(error)


async def test_a_client_that_speaks_openly_is_told_that_tls_is_wanted(
    laboratory: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async with served(laboratory.files()) as server:
        monkeypatch.setattr(discovery, "read_announcement", lambda port: None)  # as from another machine
        error = await refused(server.address, None)
        assert isinstance(error, errors.TlsRequired)
        assert error.address == str(server.address)
        await until(lambda: "EZ-3015" in caplog.text)


async def test_a_client_that_insists_on_tls_says_nothing_to_a_server_without(laboratory: Any, caplog: Any) -> None:
    async with served(None) as server:
        error = await refused(server.address, without_certificate(laboratory.files()))
        assert isinstance(error, errors.TlsNotSpoken)
        for words in ("EZ-3016", str(server.address), "EZMSG_TLS_CA", "--tls-cert"):
            assert words in str(error)
        await until(lambda: "it speaks TLS" in caplog.text)


async def test_what_listens_may_be_anything(laboratory: Any) -> None:
    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        error = await refused(Address(*server.sockets[0].getsockname()), laboratory.files())
    assert isinstance(error, errors.TlsNotSpoken)


async def test_what_listens_may_never_answer(laboratory: Any) -> None:
    gone = asyncio.Event()

    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.read(65536):
            pass
        writer.close()
        gone.set()

    async with await asyncio.start_server(say_nothing, "127.0.0.1", 0) as server:
        address = Address(*server.sockets[0].getsockname())
        with pytest.raises(errors.DeadlineExceeded):
            await ControlConnection.open(address, token=b"ours", tls=laboratory.files(), timeout=0.2)
        await asyncio.wait_for(gone.wait(), HANG)


async def test_a_server_of_an_older_tls(laboratory: Any) -> None:
    files = laboratory.files()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files.certificate, files.key)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    async with tls_only(files, context) as address:
        error = await refused(address, files)
    assert isinstance(error, errors.TlsFailed)
    assert "TLS 1.3" in str(error)


async def test_another_token_is_refused_as_without_tls(laboratory: Any) -> None:
    files = laboratory.files()
    async with served(files) as server:
        error = await refused(server.address, files, token=b"theirs")
    assert isinstance(error, errors.AuthenticationFailed)


async def test_a_client_that_lost_its_server_does_not_believe_another_in_its_place(
    laboratory: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(client, "RETRY_FOREIGN_S", 0.02)
    monkeypatch.setattr(client, "RETRY_FOREIGN_LONGEST_S", 0.02)
    files = laboratory.files()
    async with served(files) as server:
        connection = await opened(server.address, files)
        address = server.address
    async with served(type(laboratory)(tmp_path / "other").files(), address):
        await until(lambda: "does not let this program in" in caplog.text)
        assert "EZ-3017" in caplog.text
        assert not connection.connected
    async with served(files, address):
        await connection.wait_connected(HANG)
        await connection.close()


# --- what is found ----------------------------------------------------------------------------------------------


def test_files_beside_the_token_are_found_and_arguments_come_first(laboratory: Any, tmp_path: Path) -> None:
    files = laboratory.files()
    token = Path(files.authority).parent / "token"
    beside = find_files({}, str(token))
    assert beside == TlsFiles(files.authority, files.certificate, files.key, source=files.authority)
    named = find_files({"EZMSG_TLS_CA": "/elsewhere"}, str(token))
    assert named == TlsFiles("/elsewhere", files.certificate, files.key, source="EZMSG_TLS_CA")
    given = find_files({"EZMSG_TLS_CA": "/elsewhere"}, str(token), authority="/given")
    assert given is not None
    assert (given.authority, given.source) == ("/given", "an argument")
    assert find_files({}, str(tmp_path / "token")) is None
    assert find_files({}, None) is None


@pytest.mark.parametrize(
    "environ",
    [{"EZMSG_TLS_CERT": "c", "EZMSG_TLS_KEY": "k"}, {"EZMSG_TLS_CA": "a", "EZMSG_TLS_CERT": "c"}],
    ids=["no authority", "no key"],
)
def test_what_is_incomplete_is_no_reason_to_speak_openly(environ: dict[str, str]) -> None:
    with pytest.raises(errors.TlsUnusable, match="EZ-3021") as refusal:
        find_files(environ, None)
    assert ("EZMSG_TLS_KEY" if "EZMSG_TLS_CA" in environ else "EZMSG_TLS_CA") in str(refusal.value)


async def test_an_authority_that_cannot_be_read(tmp_path: Path) -> None:
    empty = tmp_path / "empty.pem"
    empty.write_text("no certificate\n")
    for file, words in ((tmp_path / "missing.pem", "no such file"), (empty, "a certificate in PEM")):
        error = await refused(Address("127.0.0.1", 1), TlsFiles(str(file)))
        assert isinstance(error, errors.TlsUnusable)
        assert words in str(error)


def test_who_speaks_openly_does_not_import_ssl() -> None:
    code = (
        "import asyncio, sys, socket\n"
        "from ezmsg.control import ControlConnection\n"
        "from ezmsg.graphserver import GraphServer\n"
        "async def main():\n"
        "    server = GraphServer()\n"
        "    server.start(('127.0.0.1', 0))\n"
        "    await (await ControlConnection.open(server.address)).close()\n"
        "    server.stop()\n"
        "asyncio.run(main())\n"
        "assert 'ezmsg.protocol.wire.tls.files' in sys.modules\n"
        "print([name for name in sys.modules if name.startswith('ezmsg.protocol.wire.tls.')])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=HANG, check=True)
    assert done.stdout.strip() == "['ezmsg.protocol.wire.tls.files']"


# --- means ------------------------------------------------------------------------------------------------------


@contextlib.asynccontextmanager
async def tls_only(files: TlsFiles, context: ssl.SSLContext | None = None) -> AsyncIterator[Address]:
    """Listen with a certificate that a graph server would not start with; nobody says anything."""
    if context is None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(files.certificate, files.key)

    async def hear(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            await reader.read(65536)
        writer.transport.abort()

    # Loops complain of handshakes that fail, which is what these tests are about.
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)
    try:
        async with await asyncio.start_server(hear, "127.0.0.1", 0, ssl=context) as server:
            yield Address(*server.sockets[0].getsockname())
    finally:
        logging.getLogger("asyncio").setLevel(logging.NOTSET)
