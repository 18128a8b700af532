"""Channels by TLS: whose certificate counts, what a process without one may do, and who gets nothing."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from tests.waiting import until

import ezmsg.core as ez
from ezmsg.core.errors import InvalidOption
from ezmsg.core.pubsub.links import SILENT_LIMIT, Links
from ezmsg.core.transports import link as links
from ezmsg.core.transports import records
from ezmsg.core.transports.tls import LinkTls
from ezmsg.protocol.addresses import Address
from ezmsg.protocol.errors import CertificateOutOfDate
from ezmsg.protocol.messages.channels import LinkHello
from ezmsg.protocol.wire.codec import encode
from ezmsg.protocol.wire.tls.contexts import serving, trusting
from ezmsg.protocol.wire.tls.files import TlsFiles

HANG = 30.0


@pytest.fixture
def files(laboratory: Any) -> TlsFiles:
    made: TlsFiles = laboratory.files("lab")
    return made


@pytest.fixture
def secured(_nothing_is_left: None, files: TlsFiles, monkeypatch: pytest.MonkeyPatch) -> Iterator[ez.GraphServer]:
    """A server as in a laboratory: at every address, with a token, and a certificate that all can check."""
    monkeypatch.setenv("EZMSG_TOKEN", "ours")
    server = ez.GraphServer(tls=files)
    server.start(("0.0.0.0", 0))
    yield server
    server.stop()


@pytest.fixture
def certified(secured: ez.GraphServer, files: TlsFiles, monkeypatch: pytest.MonkeyPatch) -> Address:
    """Where to join, with a certificate of one's own."""
    monkeypatch.setenv("EZMSG_TLS_CA", files.authority)
    monkeypatch.setenv("EZMSG_TLS_CERT", files.certificate)
    monkeypatch.setenv("EZMSG_TLS_KEY", files.key)
    return Address("127.0.0.1", secured.address.port)


async def test_a_channel_goes_by_tls_and_its_contact_tells_whose(certified: Address, files: TlsFiles) -> None:
    async with asyncio.timeout(HANG), ez.GraphContext(certified) as context:
        publisher = await context.publisher("OUT", force_tcp=True)
        subscriber = await context.subscriber("OUT")
        await publisher.broadcast("here")
        assert await subscriber.recv() == "here"
        exchange = publisher._exchange
        assert exchange._contact.certificate == sha256(serving(files).certificate).digest()
        ends = [link for link in exchange._links._all if not link.same_host]
        assert [link._tls is not None for link in ends] == [True, True]


async def test_a_certificate_of_the_same_authority_is_not_enough(
    certified: Address, laboratory: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Who is between two hosts, with the laboratory's certificate for a third one, is taken for no publisher."""
    other = sha256(serving(laboratory.files("desk")).certificate).digest()
    monkeypatch.setattr(LinkTls, "certificate", other)
    async with asyncio.timeout(HANG), ez.GraphContext(certified) as context:
        await context.publisher("OUT", force_tcp=True)
        subscriber = await context.subscriber("OUT")
        await until(lambda: "EZ-3017" in caplog.text)
        assert "it is not the one that the publisher has told the graph server" in caplog.text
        subscriber.close()
        await subscriber.wait_closed()


async def test_a_publisher_of_another_authority_is_not_heard(
    certified: Address, laboratory: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    other = type(laboratory)(tmp_path / "other").files()
    async with asyncio.timeout(HANG), ez.GraphContext(certified) as context:
        publisher = await context.publisher("OUT", force_tcp=True)
        publisher._exchange._links.tls._trusting = trusting(other, checks_names=False)
        subscriber = await context.subscriber("OUT")
        await until(lambda: "EZ-3017" in caplog.text)
        subscriber.close()
        await subscriber.wait_closed()


async def test_a_certificate_that_is_out_of_date_is_told_before_anything_is_published(
    certified: Address, laboratory: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = laboratory.files(begins_h=-48, ends_h=-1)
    monkeypatch.setenv("EZMSG_TLS_CERT", old.certificate)
    monkeypatch.setenv("EZMSG_TLS_KEY", old.key)
    async with asyncio.timeout(HANG), ez.GraphContext(certified) as context:
        with pytest.raises(CertificateOutOfDate, match="valid from"):
            await context.publisher("OUT")


# --- without a certificate ----------------------------------------------------------------------------------------


async def test_who_has_none_publishes_on_its_host_alone_and_says_so(
    secured: ez.GraphServer, caplog: pytest.LogCaptureFixture
) -> None:
    async with asyncio.timeout(HANG), ez.GraphContext(("127.0.0.1", secured.address.port)) as context:
        publisher = await context.publisher("OUT", force_tcp=True)
        subscriber = await context.subscriber("OUT")
        await publisher.broadcast("here")
        assert await subscriber.recv() == "here"
        contact = publisher._exchange._contact
        assert (contact.tcp_host, contact.everywhere, contact.certificate) == ("127.0.0.1", False, b"")
        await context.publisher("MORE")
        with pytest.raises(InvalidOption, match="no certificate"):
            await context.publisher("BEYOND", host="0.0.0.0", port=0)
    (told,) = [line for line in caplog.messages if "on this host alone" in line]
    for words in ("OUT", "the graph speaks TLS", "ezmsg server certificates", "beside the token"):
        assert words in told


async def test_who_speaks_tls_says_nothing_openly_beyond_its_host(files: TlsFiles) -> None:
    joined = Links(uuid4(), lambda *_: None, lambda _: None)
    with pytest.raises(ConnectionRefusedError, match="speaks TLS alone"):
        await joined.connect_tcp(Address("127.0.0.1", 1), b"a certificate's digest")
    joined.tls = LinkTls(files)
    with pytest.raises(ConnectionRefusedError, match="has no certificate"):
        await joined.connect_tcp(Address("192.0.2.1", 1), b"")
    await joined.close()


# --- strangers ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("says", ["nothing", "half a hello of TLS", "a word of ours, openly", "HTTP"])
async def test_a_stranger_before_tls_gets_nothing_and_has_to_go(
    certified: Address, monkeypatch: pytest.MonkeyPatch, says: str
) -> None:
    monkeypatch.setattr(links, "PROOF_TIMEOUT_S", 0.2)
    body = encode(LinkHello(uuid4(), os.getpid()))
    said = {
        "nothing": b"",
        "half a hello of TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        "a word of ours, openly": records.pack(records.CONTROL, 0, 0, 0, 0, len(body)) + body,
        "HTTP": b"GET / HTTP/1.1\r\n\r\n",
    }[says]
    async with asyncio.timeout(HANG), ez.GraphContext(certified) as context:
        publisher = await context.publisher("OUT", force_tcp=True)
        subscriber = await context.subscriber("OUT")
        reader, writer = await asyncio.open_connection("127.0.0.1", publisher._exchange._contact.tcp_port)
        writer.write(said)
        came = b""
        with contextlib.suppress(ConnectionError):
            came = await reader.read()
        assert came == b""
        writer.close()
        await publisher.broadcast("here")
        assert await subscriber.recv() == "here"


async def test_strangers_before_tls_count_as_strangers(certified: Address, monkeypatch: pytest.MonkeyPatch) -> None:
    async with asyncio.timeout(HANG), ez.GraphContext(certified) as context:
        publisher = await context.publisher("OUT", force_tcp=True)
        port = publisher._exchange._contact.tcp_port
        silent = publisher._exchange._links._silent
        peers = []
        for _ in range(SILENT_LIMIT + 20):
            peers.append(await asyncio.open_connection("127.0.0.1", port))
            peers[-1][1].write(b"\x16\x03\x01\x02\x00\x01\x00")
        await asyncio.gather(*(reader.read() for reader, _ in peers[:20]), return_exceptions=True)  # they had to go
        assert len(silent) <= SILENT_LIMIT
        subscriber = await context.subscriber("OUT")
        await publisher.broadcast("here")
        assert await subscriber.recv() == "here"
        for _, writer in peers:
            writer.transport.abort()


# --- ends ---------------------------------------------------------------------------------------------------------

DIES = """
import asyncio, os, signal, sys
import ezmsg.core as ez

async def main():
    async with ez.GraphContext() as context:
        publisher = await context.publisher("OUT", force_tcp=True, num_buffers=32)
        print("ready", flush=True)
        await asyncio.to_thread(sys.stdin.readline)
        for number in range(8):  # as much as TCP sends without an answer: the rest of a killed process is not sent
            await publisher.broadcast(bytes([number]) * 1_500)
        for _ in range(2):  # turns of the loop: in one the link writes, at its end an event loop may still hold it
            await asyncio.sleep(0)
        print("sent", flush=True)
        os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(main())
"""


async def test_what_was_sent_before_a_publisher_was_killed_is_heard(certified: Address, tmp_path: Path) -> None:
    program = tmp_path / "dies.py"
    program.write_text(DIES)
    environ = {**os.environ, "EZMSG_GRAPHSERVER_ADDR": str(certified)}
    with subprocess.Popen(  # noqa: ASYNC220  it returns at once
        [sys.executable, str(program)], env=environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as dying:
        assert dying.stdin is not None
        assert dying.stdout is not None
        assert await asyncio.to_thread(dying.stdout.readline) == "ready\n"
        async with asyncio.timeout(HANG), ez.GraphContext(certified) as context:
            subscriber = await context.subscriber("OUT")
            dying.stdin.write("go\n")
            dying.stdin.flush()
            first = await subscriber.recv()
            assert dying.stdout.readline() == "sent\n"  # while this loop stands still
            assert dying.wait(HANG) == -signal.SIGKILL
            heard = [first, *[await subscriber.recv() for _ in range(7)]]
    assert [each[0] for each in heard] == list(range(8))


def test_who_speaks_openly_imports_nothing_for_tls(tmp_path: Path) -> None:
    code = (
        "import asyncio, sys\n"
        "import ezmsg.core as ez\n"
        "async def main():\n"
        "    server = ez.GraphServer()\n"
        "    server.start(('127.0.0.1', 0))\n"
        "    async with ez.GraphContext(server.address) as context:\n"
        "        publisher = await context.publisher('OUT', force_tcp=True)\n"
        "        subscriber = await context.subscriber('OUT')\n"
        "        await publisher.broadcast(1)\n"
        "        await subscriber.recv()\n"
        "    server.stop()\n"
        "asyncio.run(main())\n"
        "print([name for name in sys.modules if '.tls.' in name or name.endswith('transports.tls')])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=HANG, check=True)
    assert done.stdout.strip() == "['ezmsg.protocol.wire.tls.files']"
