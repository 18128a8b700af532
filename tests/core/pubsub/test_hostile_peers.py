"""Strangers, and peers that hold a key and break the rules: they get nothing, and nobody else is harmed."""

import asyncio
import contextlib
import os
import socket
import ssl
from collections import deque
from collections.abc import AsyncIterator, Callable
from hashlib import sha256
from typing import Any
from uuid import UUID, uuid4

import numpy as np
import pytest

from ezmsg.control.connection.client import ControlConnection
from ezmsg.control.connection.discovery import find_tls
from ezmsg.core.messages.active import CODEC
from ezmsg.core.pubsub.rings import RINGS
from ezmsg.core.support.platform import PASSES_DESCRIPTORS
from ezmsg.core.transports import records
from ezmsg.core.transports.handing_over import Inbox, hand_over
from ezmsg.core.transports.listening import host_id, link_name, listen_for_segments
from ezmsg.core.transports.rings.ring import HALF_BYTES, READ, RING_BYTES, WRITTEN, Half, Ring
from ezmsg.core.transports.segments import Segment, SegmentForm, map_descriptor
from ezmsg.protocol.messages import CHANNELS
from ezmsg.protocol.messages.channels import (
    ChannelChallenge,
    ChannelEnded,
    ChannelOpened,
    ChannelProof,
    ChannelRefused,
    CloseChannel,
    LinkHello,
    OpenChannel,
    RingFollows,
    RingOffered,
    RingTaken,
    SegmentNamed,
)
from ezmsg.protocol.messages.endpoints import Contact, DeclarePublisher, Withdraw
from ezmsg.protocol.wire import auth
from ezmsg.protocol.wire.codec import body_from_wire, encode, unpack_map
from ezmsg.protocol.wire.tls.contexts import Credentials, serving

TCP = ("tcp", "tls") if PASSES_DESCRIPTORS else ("tcp",)  # TLS is the same on every system

pytestmark = pytest.mark.parametrize("transport", ["shm", *TCP], indirect=True)


def _by_any_certificate() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


class Peer:
    """The other end of a link or a TCP channel, made of bytes."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self.exchange_id = uuid4()
        self.listed: deque[tuple[int, int, int, int, Any]] = deque()

    @classmethod
    async def to(cls, contact: Contact, transport: str) -> "Peer":
        """Connect to an exchange as its peers do."""
        if transport in TCP:
            context = _by_any_certificate() if transport == "tls" else None
            return cls(*await asyncio.open_connection(contact.tcp_host, contact.tcp_port, ssl=context))
        assert contact.link is not None
        kind, _, rest = contact.link.partition(":")
        if kind == "tcp":
            return cls(*await asyncio.open_connection("127.0.0.1", int(rest.partition(":")[2])))
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.connect("\0" + rest)
        return cls(*await asyncio.open_unix_connection(sock=connection))

    def record(self, *fields: int, body: bytes = b"") -> None:
        self.writer.write(records.pack(*fields) + body)

    def control(self, message: object) -> None:
        body = encode(message)
        self.record(records.CONTROL, 0, 0, 0, 0, len(body), body=body)

    def hello(self, exchange_id: UUID | None = None) -> None:
        self.control(LinkHello(exchange_id or self.exchange_id, os.getpid()))

    async def next(self) -> tuple[int, int, int, int, Any]:
        """Kind, channel, message, slot and body of the next record."""
        if self.listed:
            return self.listed.popleft()
        async with asyncio.timeout(30):
            head = await self.reader.readexactly(records.RECORD_BYTES)
            kind, _, channel, message, _, slot, size = records.RECORD.unpack(head)
            body: Any = b""
            if kind not in (records.NOTICE, records.RELEASE):
                body = await self.reader.readexactly(size)
            if kind == records.NOTICES:
                for number, each in enumerate(records.slots_in(body), message):
                    self.listed.append((records.NOTICE, channel, number, each, b""))
                return self.listed.popleft()
            if kind == records.CONTROL:
                body = body_from_wire(unpack_map(body), CHANNELS)
            return kind, channel, message, slot, body

    async def answer(self, kind: type) -> Any:
        """The next message of a class; hellos are passed over, anything else is wrong."""
        while True:
            _, _, _, _, body = await self.next()
            if isinstance(body, kind):
                return body
            assert isinstance(body, LinkHello)

    async def closed(self) -> bytes:
        """What still came before the other end closed."""
        came = bytearray()
        async with asyncio.timeout(30):
            try:
                while chunk := await self.reader.read(65536):
                    came += chunk
            except ConnectionError:
                pass
        return bytes(came)

    async def close(self) -> None:
        self.writer.close()
        with contextlib.suppress(ConnectionError):
            await self.writer.wait_closed()


class Victims:
    """A publisher and a subscriber that must not notice anything."""

    def __init__(self, world: Any, publisher: Any, ear: Any) -> None:
        self.world, self.publisher, self.ear = world, publisher, ear
        self.number = 0
        self.peers: list[Peer] = []
        self.clients: list[Peer] = []
        self.key = b""  # of the channel that was opened last

    @property
    def contact(self) -> Contact:
        contact: Contact = self.publisher._exchange._contact
        return contact

    async def stranger(self) -> Peer:
        peer = await Peer.to(self.contact, self.world.transport)
        self.peers.append(peer)
        return peer

    async def client(self, number: int = 1) -> tuple[Peer, ChannelOpened]:
        """A peer that holds a channel's key."""
        peer = await self.stranger()
        peer.hello()
        self.clients.append(peer)
        return peer, await self.open(peer, number)

    async def open(self, peer: Peer, number: int) -> Any:
        client_id, nonce = uuid4(), os.urandom(32)
        key = self.key = auth.channel_key(self.publisher.secret, self.publisher.id.bytes + client_id.bytes)
        peer.control(OpenChannel(number, self.publisher.id, client_id, nonce))
        challenge = await peer.answer(ChannelChallenge)
        assert auth.same(challenge.proof, auth.server_proof(key, nonce, challenge.nonce))
        peer.control(ChannelProof(number, auth.client_proof(key, nonce, challenge.nonce)))
        return await peer.answer(ChannelOpened)

    async def go_on(self, count: int = 40) -> None:
        """Exchange more messages than there are buffers."""
        for _ in range(count):
            async with asyncio.timeout(30):
                await self.publisher.broadcast(np.full(100, self.number))
            assert (await self.ear.recv() == self.number).all()
            self.number += 1


@pytest.fixture
async def victims(world: Any) -> AsyncIterator[Victims]:
    victims = Victims(world, await world.publisher(num_buffers=4), await world.subscriber())
    await victims.go_on()
    yield victims
    for peer in victims.clients:  # they may hold what the others wait for
        peer.writer.transport.abort()
    await victims.go_on()
    for peer in victims.peers:
        await peer.close()
    await victims.go_on()


# --- strangers --------------------------------------------------------------------------------------------------


def _control(body: bytes) -> bytes:
    return records.pack(records.CONTROL, 0, size=len(body)) + body


BROKEN = {
    "text": b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "random": bytes((7 * index * index + 13) % 256 for index in range(4096)),
    "unknown kind": records.pack(9, 1),
    "huge control": records.pack(records.CONTROL, 0, size=2**63),
    "control beyond the limit": records.pack(records.CONTROL, 0, size=64 * 1024 + 1),
    "huge data": records.pack(records.DATA, 1, size=2**40),
    "data before a proof": records.pack(records.DATA, 1, size=8) + bytes(8),
    "no map": _control(b"\x93\x01\x02\x03"),
    "no msgpack": _control(b"\xc1" * 50),
    "deep": _control(b"\x91" * 60_000),
    "unknown tag": _control(encode(Withdraw(uuid4()))),
    "wrong fields": _control(b"\x82\xa4type\xaclink.hello\xa3pid\xa1x"),
    "empty": _control(b""),
}


@pytest.mark.parametrize("greets", [True, False])
async def test_what_is_no_conversation_ends_it(victims: Victims, greets: bool) -> None:
    for name, stream in BROKEN.items():
        stranger = await victims.stranger()
        if greets:
            stranger.hello()
        stranger.writer.write(stream)
        came = await stranger.closed()
        assert len(came) < 1000, name
        await victims.go_on(5)


async def test_a_stranger_that_says_nothing_or_half_a_word_is_in_nobodys_way(victims: Victims) -> None:
    for said in (b"", records.pack(records.CONTROL, 0, size=100)[:20], records.pack(records.CONTROL, 0, size=100)):
        stranger = await victims.stranger()
        stranger.writer.write(said)
    await victims.go_on()
    for stranger in victims.peers:
        stranger.writer.transport.abort()


@pytest.mark.parametrize("proof", ["the publisher's", "another key's", "none", "of nothing asked"])
async def test_without_the_key_there_is_nothing_to_hear(victims: Victims, proof: str) -> None:
    stranger = await victims.stranger()
    stranger.hello()
    nonce = os.urandom(32)
    for number, publisher_id in enumerate([uuid4(), victims.publisher.id], 1):
        stranger.control(OpenChannel(number, publisher_id, uuid4(), nonce))
    assert (await stranger.answer(ChannelRefused)).number == 1
    challenge = await stranger.answer(ChannelChallenge)
    match proof:
        case "the publisher's":
            answer = ChannelProof(2, challenge.proof)
        case "another key's":
            answer = ChannelProof(2, auth.client_proof(b"", nonce, challenge.nonce))
        case "none":
            answer = ChannelProof(2, b"")
        case _:
            answer = ChannelProof(77, b"")
    stranger.control(answer)
    assert (await stranger.answer(ChannelRefused)).number == answer.number
    assert await stranger.closed() == b""


async def test_who_does_not_say_who_it_is_is_refused(victims: Victims) -> None:
    stranger = await victims.stranger()
    stranger.control(OpenChannel(1, victims.publisher.id, uuid4(), os.urandom(32)))
    assert "who" in (await stranger.answer(ChannelRefused)).reason


async def test_nobody_is_believed_who_it_is_without_a_proof(victims: Victims) -> None:
    """Else whoever wants to reach the real one would be led to the stranger."""
    stranger = await victims.stranger()
    exchange = victims.publisher._exchange
    await victims.ear.close()  # the link that there is may go
    for link in list(exchange._links._ours):
        link.close()
    await victims.world.until(lambda: not exchange._links._to)
    stranger.hello(exchange.id)
    assert isinstance((await stranger.next())[4], LinkHello)
    victims.ear = await victims.world.subscriber()
    await victims.go_on()


@pytest.mark.parametrize("record", ["open", "notice"])
async def test_who_asks_much_and_reads_nothing_is_cut_off(victims: Victims, record: str) -> None:
    stranger = await victims.stranger()
    stranger.hello()
    if record == "open":
        body = encode(OpenChannel(1, uuid4(), uuid4(), bytes(32)))
        question = records.pack(records.CONTROL, 0, size=len(body)) + body
    else:
        question = records.pack(records.NOTICE, 1)
    stranger.reader._transport.pause_reading()  # type: ignore[attr-defined]
    going_on = asyncio.create_task(victims.go_on(10))

    async def ask() -> None:
        async with asyncio.timeout(30):
            while True:
                stranger.writer.write(question * 1000)
                await stranger.writer.drain()

    with pytest.raises(ConnectionError):
        await ask()
    await going_on


@pytest.mark.parametrize("kind", [records.NOTICE, records.NOTICES, records.DATA])
async def test_a_stranger_has_nothing_to_say_on_a_channel_that_there_is_not(victims: Victims, kind: int) -> None:
    stranger = await victims.stranger()
    stranger.hello()
    if kind == records.NOTICES:
        body = records.pack_slots([2**16 - 1] * 3)
        stranger.record(kind, 7, 0, 0, 64, len(body), body=body)
    else:
        stranger.record(kind, 7, 0, 0, 2**32 - 1, 0)
    await stranger.closed()
    await victims.go_on()


async def test_too_many_questions_at_a_time_are_refused(victims: Victims) -> None:
    stranger = await victims.stranger()
    stranger.hello()
    for number in range(1, 1100):
        stranger.control(OpenChannel(number, victims.publisher.id, uuid4(), bytes(32)))
    refused = [await stranger.answer(ChannelChallenge | ChannelRefused) for _ in range(1, 1100)]  # type: ignore[arg-type]
    assert 0 < sum(isinstance(answer, ChannelRefused) for answer in refused) < 100
    for number in range(1, 1100):
        stranger.control(CloseChannel(number))
    await victims.go_on()
    assert not any(victims.publisher._exchange._admission._asking.values())


# --- peers that hold a key ----------------------------------------------------------------------------------------


async def test_a_peer_lets_go_only_of_what_it_holds_and_once(victims: Victims) -> None:
    peer, _ = await victims.client()
    blocked = asyncio.create_task(victims.go_on(20))
    held = []
    while len(held) < 4:
        kind, channel, _, slot, _ = await peer.next()
        if kind != records.CONTROL:
            held.append(slot)
            assert channel == 1
    assert sorted(held) == [0, 1, 2, 3]
    for slot in (4, 77, 2**32 - 1):
        peer.record(records.RELEASE, 1, 0, 0, slot)
    for channel in (0, 2, 2**32 - 1):
        peer.record(records.RELEASE, channel, 0, 0, held[0])
    peer.control(OpenChannel(9, uuid4(), uuid4(), b""))
    while not isinstance((await peer.next())[4], ChannelRefused):  # so all of that has been read
        pass
    for listed in ([4, 4, 77, 2**16 - 1], [held[0]] * 2):
        body = records.pack_slots(listed)
        peer.record(records.RELEASES, 2 if held[0] in listed else 1, 0, 0, 0, len(body), body=body)
    peer.control(OpenChannel(10, uuid4(), uuid4(), b""))
    while not isinstance((await peer.next())[4], ChannelRefused):
        pass
    assert not blocked.done()
    assert victims.publisher.window.busy == 4
    body = records.pack_slots(held * 3)
    peer.record(records.RELEASES, 1, 0, 0, 0, len(body), body=body)
    for slot in held:
        peer.record(records.RELEASE, 1, 0, 0, slot)
    while not blocked.done():
        kind, _, _, slot, _ = await peer.next()
        if kind != records.CONTROL:
            peer.record(records.RELEASE, 1, 0, 0, slot)
    await blocked
    window = victims.publisher.window
    assert len(set(window._free)) == len(window._free)


async def test_a_channel_has_one_number_and_a_number_one_channel(victims: Victims) -> None:
    peer, _ = await victims.client(number=5)
    for number in (5, -1, 2**32):
        peer.control(OpenChannel(number, victims.publisher.id, uuid4(), bytes(32)))
        assert "cannot be channel" in (await peer.answer(ChannelRefused)).reason
    peer.control(OpenChannel(6, victims.publisher.id, uuid4(), bytes(32)))
    peer.control(OpenChannel(6, victims.publisher.id, uuid4(), bytes(32)))
    assert (await peer.answer(ChannelChallenge)).number == 6
    assert "cannot be channel" in (await peer.answer(ChannelRefused)).reason
    peer.writer.transport.abort()
    await victims.go_on()


async def test_a_peer_that_holds_everything_and_goes_frees_the_publisher(victims: Victims) -> None:
    peer, _ = await victims.client()
    blocked = asyncio.create_task(victims.go_on(20))
    await victims.world.until(lambda: victims.publisher.window.busy == 4 and victims.publisher.window._waiters)
    peer.writer.transport.abort()
    async with asyncio.timeout(30):
        await blocked


async def test_a_peer_may_close_and_hold_on(victims: Victims) -> None:
    peer, _ = await victims.client()
    await victims.go_on(3)
    peer.control(CloseChannel(1))
    held = []
    while True:
        kind, _, _, slot, body = await peer.next()
        if isinstance(body, ChannelEnded):
            break
        if kind != records.CONTROL:
            held.append(slot)
    assert len(held) == 3
    assert body.next_message == victims.publisher.next_message
    await victims.go_on()
    await victims.world.until(lambda: victims.publisher.window.busy == 3)
    for slot in held:
        peer.record(records.RELEASE, 1, 0, 0, slot)
    await victims.world.until(lambda: victims.publisher.window.busy == 0)


# --- publishers that break the rules ------------------------------------------------------------------------------


class RogueExchange:
    """A process that says to the graph server that it has a publisher."""

    def __init__(self, transport: str, credentials: Credentials | None = None) -> None:
        self.credentials = credentials
        self.id, self.publisher_id, self.secret = uuid4(), uuid4(), os.urandom(32)
        self.transport = transport
        self.peer: Peer | None = None
        self.segment: Segment | None = None
        self.came: asyncio.Queue[Peer] = asyncio.Queue()

    async def declare(self, address: Any, topic: str) -> "asyncio.Task[Any]":
        def arrived(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            self.came.put_nowait(Peer(reader, writer))

        port = 1
        if self.transport == "shm" and PASSES_DESCRIPTORS:
            listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            listener.bind("\0" + link_name(self.id))
            self.server = await asyncio.start_unix_server(arrived, sock=listener)
            link = f"unix:{link_name(self.id)}"
        else:
            context = self.credentials and self.credentials.context
            self.server = await asyncio.start_server(arrived, "127.0.0.1", 0, ssl=context)
            port = self.server.sockets[0].getsockname()[1]
            link = f"tcp:{host_id()}:{port}"
        self.connection = await ControlConnection.open(address)
        certificate = b"" if self.credentials is None else sha256(self.credentials.certificate).digest()
        contact = Contact(self.id, link, "127.0.0.1", port, certificate=certificate)
        forced = self.transport in TCP
        question = DeclarePublisher(self.publisher_id, topic, contact, self.secret, force_tcp=forced)
        return asyncio.create_task(self.connection.request(question, timeout=30))

    async def accept(self, *, honest: bool = True) -> tuple[Peer, int, bytes]:
        """Let the subscriber's process open its channel; return the peer, the channel's number and key."""
        async with asyncio.timeout(30):
            peer = await self.came.get()
        self.peer = peer
        hello = await peer.answer(LinkHello)
        self.subscriber_exchange = hello.exchange_id
        peer.hello(self.id)
        question = await peer.answer(OpenChannel)
        key = auth.channel_key(self.secret, self.publisher_id.bytes + question.client_id.bytes)
        nonce = os.urandom(32)
        proof = auth.server_proof(key if honest else os.urandom(32), question.nonce, nonce)
        peer.control(ChannelChallenge(question.number, nonce, proof, 4))
        if honest:
            answer = await peer.answer(ChannelProof)
            assert auth.same(answer.proof, auth.client_proof(key, question.nonce, nonce))
            peer.control(ChannelOpened(question.number, 0))
        return peer, question.number, key

    async def close(self) -> None:
        if self.peer is None:  # it was never used
            return
        await self.connection.close()
        self.server.close()
        self.came.put_nowait(self.peer)
        while not self.came.empty():  # it may have been tried again
            peer = self.came.get_nowait()
            peer.writer.transport.abort()
            await peer.close()
        await self.server.wait_closed()
        if self.segment is not None:
            self.segment.close()
            self.segment = None


@pytest.fixture
async def rogue(victims: Victims) -> AsyncIterator[RogueExchange]:
    files = find_tls(victims.world.address)
    rogue = RogueExchange(victims.world.transport, None if files is None else serving(files))
    yield rogue
    await rogue.close()


async def test_a_publisher_without_the_key_is_not_heard(
    victims: Victims, rogue: RogueExchange, caplog: pytest.LogCaptureFixture
) -> None:
    declaring = await rogue.declare(victims.world.address, "OUT")
    peer, number, _ = await rogue.accept(honest=False)
    peer.record(records.NOTICE, number, 0, 0, 0, 64)
    await victims.world.until(lambda: "does not hold the channel's key" in caplog.text)
    declaring.cancel()
    await asyncio.wait([declaring])
    await victims.go_on()
    assert victims.ear.waiting == 0


async def test_a_publisher_that_points_outside_its_memory_is_cut_off(
    victims: Victims, rogue: RogueExchange
) -> None:
    declaring = await rogue.declare(victims.world.address, "OUT")
    peer, number, key = await rogue.accept()
    await declaring
    if rogue.transport in TCP:
        peer.record(records.DATA, number, 0, 0, 0, 2**40)
    else:
        give_segment(rogue, peer, number, key, Segment(0, SegmentForm(2, 4096)))
        peer.record(records.NOTICE, number, 0, 0, 1, 4097)
    await peer.closed()
    await victims.go_on()
    assert victims.ear.waiting == 0


def give_segment(rogue: RogueExchange, peer: Peer, number: int, key: bytes, segment: Segment) -> None:
    if PASSES_DESCRIPTORS:
        assert hand_over(rogue.subscriber_exchange, rogue.publisher_id, key, segment)
        segment.close()
    else:
        assert segment.path is not None
        form = segment.form
        peer.control(SegmentNamed(number, segment.number, segment.path.name, form.slot_bytes, form.slots))
        rogue.segment = segment


@pytest.mark.parametrize("slot", [2, 2**32 - 1])
async def test_a_slot_that_there_is_not(victims: Victims, rogue: RogueExchange, slot: int) -> None:
    if rogue.transport in TCP:
        pytest.skip("no slots")
    declaring = await rogue.declare(victims.world.address, "OUT")
    peer, number, key = await rogue.accept()
    await declaring
    give_segment(rogue, peer, number, key, Segment(0, SegmentForm(2, 4096)))
    peer.record(records.NOTICE, number, 0, 0, slot, 64)
    await peer.closed()


@pytest.mark.parametrize(
    ("slots", "size"), [([0, 2], 64), ([2**16 - 1], 64), ([0, 1], 4097), ([0, 1], 2**32 - 1)], ids=str
)
async def test_a_list_of_slots_that_there_are_not(
    victims: Victims, rogue: RogueExchange, slots: list[int], size: int
) -> None:
    declaring = await rogue.declare(victims.world.address, "OUT")
    peer, number, key = await rogue.accept()
    await declaring
    if rogue.transport not in TCP:
        give_segment(rogue, peer, number, key, Segment(0, SegmentForm(2, 4096)))
    body = records.pack_slots(slots)
    peer.record(records.NOTICES, number, 0, 0, size, len(body), body=body)
    await peer.closed()


async def test_more_slots_than_were_agreed_are_not_mapped(victims: Victims, rogue: RogueExchange) -> None:
    if rogue.transport in TCP:
        pytest.skip("no segments")
    declaring = await rogue.declare(victims.world.address, "OUT")
    peer, number, key = await rogue.accept()
    await declaring
    give_segment(rogue, peer, number, key, Segment(0, SegmentForm(5, 4096)))
    peer.record(records.NOTICE, number, 0, 0, 0, 64)
    await peer.closed()


async def test_a_token_that_there_is_not(victims: Victims, rogue: RogueExchange) -> None:
    if rogue.transport not in TCP:
        pytest.skip("these have slots")
    declaring = await rogue.declare(victims.world.address, "OUT")
    peer, number, _ = await rogue.accept()
    await declaring
    peer.record(records.DATA, number, 0, 0, 4, 64, body=b"\0" * 64)
    await peer.closed()


@pytest.mark.parametrize("body", [b"", b"\0\0\1"], ids=["none", "half"])
async def test_a_list_that_is_none(victims: Victims, rogue: RogueExchange, body: bytes) -> None:
    declaring = await rogue.declare(victims.world.address, "OUT")
    peer, number, _ = await rogue.accept()
    await declaring
    peer.record(records.NOTICES, number, 0, 0, 64, len(body), body=body)
    await peer.closed()


async def test_a_segment_that_was_never_given(victims: Victims, rogue: RogueExchange) -> None:
    if rogue.transport in TCP:
        pytest.skip("no segments")
    declaring = await rogue.declare(victims.world.address, "OUT")
    peer, number, _ = await rogue.accept()
    await declaring
    peer.record(records.NOTICE, number, 0, 5, 0, 64)
    await peer.closed()


async def test_a_segment_with_another_key_is_not_mapped(victims: Victims, rogue: RogueExchange) -> None:
    if rogue.transport in TCP or not PASSES_DESCRIPTORS:
        pytest.skip("nobody else can hand over")
    declaring = await rogue.declare(victims.world.address, "OUT")
    peer, number, _ = await rogue.accept()
    await declaring
    give_segment(rogue, peer, number, os.urandom(32), Segment(0, SegmentForm(2, 4096)))
    peer.record(records.NOTICE, number, 0, 0, 0, 64)
    await peer.closed()


async def test_nonsense_in_a_message_is_its_readers_error_and_nobody_elses(
    victims: Victims, rogue: RogueExchange
) -> None:
    declaring = await rogue.declare(victims.world.address, "OUT")
    peer, number, key = await rogue.accept()
    await declaring
    if rogue.transport in TCP:
        peer.record(records.DATA, number, 0, 0, 3, 64, body=b"\xff" * 64)
    else:
        segment = Segment(0, SegmentForm(4, 4096))
        segment.memory[:] = b"\xff" * (4 * 4096)
        give_segment(rogue, peer, number, key, segment)
        peer.record(records.NOTICE, number, 0, 0, 3, 64)
    with pytest.raises(Exception, match=r".*"):
        await victims.ear.recv()
    kind, channel, _, slot, _ = await peer.next()
    assert (kind, channel, slot) == (records.RELEASE, number, 3)
    await victims.go_on()


async def test_what_came_before_the_rules_were_broken_is_heard_once(victims: Victims, rogue: RogueExchange) -> None:
    declaring = await rogue.declare(victims.world.address, "OUT")
    peer, number, key = await rogue.accept()
    await declaring
    payload = CODEC.encode(np.arange(5))
    body = bytearray(payload.size)
    payload.write(memoryview(body), 0)
    if rogue.transport in TCP:
        message = records.pack(records.DATA, number, 0, 0, 0, len(body)) + body
    else:
        segment = Segment(0, SegmentForm(1, 4096))
        segment.memory[: len(body)] = body
        give_segment(rogue, peer, number, key, segment)
        message = records.pack(records.NOTICE, number, 0, 0, 0, len(body))
    peer.writer.write(message + records.pack(99, 0) + message * 100)
    await peer.closed()
    np.testing.assert_array_equal(await victims.ear.recv(), np.arange(5))
    await victims.go_on()
    assert victims.ear.waiting == 0


# --- rings of shared memory -------------------------------------------------------------------------------------


class RingPeer:
    """A subscriber's process that has agreed upon rings, and may do to its own half what it likes."""

    def __init__(self, peer: Peer, theirs: memoryview) -> None:
        self.peer = peer
        self.own = Segment(0, SegmentForm(1, HALF_BYTES))
        self.half = Half(self.own.memory)
        self.ring = Ring(self.half, Half(theirs))

    @classmethod
    async def of(cls, victims: Victims) -> "RingPeer":
        peer = await victims.stranger()
        inbox = Inbox(listen_for_segments(peer.exchange_id))
        peer.control(LinkHello(peer.exchange_id, os.getpid(), rings=1))
        victims.clients.append(peer)
        await victims.open(peer, 1)
        await peer.answer(RingOffered)
        (handed,) = inbox.take_all()
        inbox.close()
        assert handed.is_from(victims.key)
        ring_peer = cls(peer, map_descriptor(handed.descriptor, handed.form))
        os.close(handed.descriptor)
        assert hand_over(victims.contact.exchange_id, peer.exchange_id, victims.key, ring_peer.own)
        for message in (RingOffered(), RingTaken()):
            peer.control(message)
        await peer.answer(RingTaken)
        await peer.answer(RingFollows)
        return ring_peer

    def follow(self) -> None:
        """Say that the socket is only the bell from here on."""
        self.peer.control(RingFollows())

    def bell(self) -> None:
        self.peer.writer.write(b"\0")


@pytest.fixture
def rings(transport: str) -> None:
    if transport != "shm" or not RINGS:
        pytest.skip("there are rings between processes that share memory only")


def _says_too_much(peer: RingPeer) -> None:
    peer.half.words[WRITTEN] = RING_BYTES + 1


def _takes_back(peer: RingPeer) -> None:
    peer.ring.write(records.pack(records.RELEASE, 1, slot=3))
    peer.half.words[WRITTEN] = 2**64 - 32


def _has_read_what_is_not_written(peer: RingPeer) -> None:
    peer.half.words[READ] = 2**63


def _writes_no_records(peer: RingPeer) -> None:
    peer.ring.write(b"\x07" * 1000)


def _writes_a_huge_record(peer: RingPeer) -> None:
    peer.ring.write(records.pack(records.CONTROL, 0, size=2**40))


@pytest.mark.usefixtures("rings")
@pytest.mark.parametrize(
    "harm",
    [_says_too_much, _takes_back, _has_read_what_is_not_written, _writes_no_records, _writes_a_huge_record],
)
async def test_nonsense_in_a_ring_ends_its_link_and_no_other(
    victims: Victims, harm: Callable[[RingPeer], None], caplog: pytest.LogCaptureFixture
) -> None:
    peer = await RingPeer.of(victims)
    peer.follow()
    harm(peer)
    peer.bell()
    await victims.go_on(2)  # of the four messages that the peer may hold
    await peer.peer.closed()
    assert "broke the rules" in caplog.text
    await victims.go_on()


@pytest.mark.usefixtures("rings")
async def test_half_a_record_in_a_ring_and_a_thousand_bells_are_in_nobodys_way(victims: Victims) -> None:
    peer = await RingPeer.of(victims)
    peer.follow()
    peer.ring.write(records.pack(records.RELEASE, 1)[:20])
    await victims.world.until(lambda: peer.ring._theirs[READ] == 20)
    for _ in range(1000):
        peer.bell()
    await victims.go_on(2)  # of the four messages that the peer may hold
    peer.peer.writer.transport.abort()


@pytest.mark.usefixtures("rings")
async def test_a_ring_that_was_never_agreed_upon(victims: Victims) -> None:
    peer, _ = await victims.client()
    peer.control(RingTaken())  # of what was not offered
    peer.control(RingOffered())  # and was not handed over
    peer.control(RingFollows())
    await peer.closed()


@pytest.mark.usefixtures("rings")
async def test_a_half_signed_with_another_key_is_not_mapped(victims: Victims) -> None:
    peer = await victims.stranger()
    inbox = Inbox(listen_for_segments(peer.exchange_id))
    peer.control(LinkHello(peer.exchange_id, os.getpid(), rings=1))
    victims.clients.append(peer)
    await victims.open(peer, 1)
    await peer.answer(RingOffered)
    inbox.close()
    own = Segment(0, SegmentForm(1, HALF_BYTES))
    assert hand_over(victims.contact.exchange_id, peer.exchange_id, b"another key", own)
    peer.control(RingOffered())
    peer.control(RingFollows())
    await peer.closed()
