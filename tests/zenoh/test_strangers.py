"""Whoever else is in the same network of Zenoh: what it puts on our keys is heard by nobody."""

import asyncio
import json
import os
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from tests.waiting import until

import ezmsg.core as ez
from ezmsg.core.errors import MessageTooLarge
from ezmsg.core.pubsub.exchange import _exchanges
from ezmsg.core.transports.plug import key_of
from ezmsg.protocol.addresses import Address
from ezmsg.protocol.wire import auth
from ezmsg.zenoh import session
from ezmsg.zenoh.channels.feeding import ASKING_LIMIT, STUCK_TIMES, Feed
from ezmsg.zenoh.channels.frames import Head, from_bytes, heads_to_bytes, refusal_key, to_bytes
from ezmsg.zenoh.channels.messages import Ask, Challenge, Held, Opened, Prove, Refused, Sent
from ezmsg.zenoh.keys import new_channel

HANG = 30.0


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ez.GraphServer]:
    config = tmp_path / "alone.json"
    config.write_text(json.dumps({"mode": "peer", "scouting": {"multicast": {"enabled": False}}, "listen": {}}))
    monkeypatch.setenv("EZMSG_ZENOH_CONFIG", str(config))
    folder = tmp_path / "run"
    folder.mkdir(mode=0o700)
    monkeypatch.setenv("EZMSG_RUNTIME_DIR", str(folder))
    server = ez.GraphServer()
    server.start(("127.0.0.1", 0))
    yield server
    server.stop()


@pytest.fixture
async def ends(server: ez.GraphServer) -> AsyncIterator[tuple[ez.Publisher, ez.Subscriber]]:
    async with asyncio.timeout(HANG), ez.GraphContext(server.address) as context:
        publisher = await context.publisher("OUT", transport="zenoh", force_tcp=True, num_buffers=4)
        yield publisher, await context.subscriber("OUT")


def _feed(publisher: Any) -> Any:
    (feed,) = publisher._exchange._plugs._transports["zenoh"]._feeds.values()
    return feed


def _put(key: str, payload: bytes, head: bytes | None = None) -> None:
    assert session._session is not None
    session._session.zenoh.put(key, payload, attachment=head)


async def test_messages_that_no_publisher_signed_are_not_heard(ends: Any) -> None:
    publisher, subscriber = ends
    feed = _feed(publisher)
    (sender,) = publisher.senders
    await publisher.broadcast("first")
    assert await subscriber.recv() == "first"
    for key in (feed._keys.data, feed._keys.outward(sender.channel)):
        for head in (None, b"", b"x" * 50, heads_to_bytes([Head(1, 0, 5, None, b"")], b"another key")):
            _put(key, b"pickl", head)
    await publisher.broadcast("second")
    assert await subscriber.recv() == "second"


async def test_words_that_the_other_end_did_not_sign_change_nothing(ends: Any) -> None:
    publisher, subscriber = ends
    feed = _feed(publisher)
    (sender,) = publisher.senders
    await publisher.broadcast("held")
    loan = subscriber.recv_zero_copy()
    assert await loan.__aenter__() == "held"
    for key in (b"", b"another key"):
        for word in (Held(99, [], [], leaving=True), Prove(b"x" * 32), Ask(uuid4(), b"n" * 32)):
            _put(feed._keys.inward(sender.channel), to_bytes(word, key))
        for word in (Sent(99, ended=True), Sent(99, cut="you"), Opened(50, 4, b"k" * 32), Refused("no")):
            _put(feed._keys.outward(sender.channel), to_bytes(word, key))
    for rest in range(3):
        await publisher.broadcast(rest)
    assert publisher.window.busy == 4  # nothing was let go of by somebody else
    await loan.__aexit__(None, None, None)
    assert [await subscriber.recv() for _ in range(3)] == [0, 1, 2]


async def test_who_asks_and_never_proves_costs_little(ends: Any) -> None:
    publisher, subscriber = ends
    feed = _feed(publisher)
    for number in range(ASKING_LIMIT + 50):
        _put(feed._keys.inward(f"{number:064x}"), to_bytes(Ask(uuid4(), os.urandom(32)), b""))
    for number in range(50):
        _put(feed._keys.inward(f"{number:0{number}x}"), os.urandom(number))
    await publisher.broadcast("heard")
    assert await subscriber.recv() == "heard"
    assert len(feed._asking) <= ASKING_LIMIT
    assert len(publisher.senders) == 1


async def test_who_was_forgotten_is_told_and_comes_back(ends: Any) -> None:
    """As after a partition of which only one side took note."""
    publisher, subscriber = ends
    (sender,) = publisher.senders
    _feed(publisher).give_up(sender)
    await publisher.broadcast("missed")
    (hearing,) = publisher._exchange._plugs._transports["zenoh"]._hearings
    hearing._tell()
    await until(lambda: publisher.senders)
    await publisher.broadcast("heard")
    assert await subscriber.recv() == "heard"
    assert subscriber.messages_missed == 1


async def test_a_message_that_never_arrives_is_told_once(
    ends: Any, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As one does that is larger than what a link takes."""
    publisher, subscriber = ends
    monkeypatch.setattr("ezmsg.zenoh.channels.feeding.AGAIN_S", 0.0)
    (sender,) = publisher.senders
    await publisher.broadcast("held")
    loan = subscriber.recv_zero_copy()
    assert await loan.__aenter__() == "held"
    for _ in range(2 * STUCK_TIMES):
        sender.hear(Held(0, [], [0, 7]))  # what nobody sent is asked for by strangers only
    (told,) = (record.message for record in caplog.records if "EZ-5034" in record.message)
    assert f"bytes was sent {STUCK_TIMES} times over Zenoh, and does not arrive" in told
    await loan.__aexit__(None, None, None)
    await until(lambda: not publisher.window.busy)
    assert not sender._times


async def test_a_proof_that_comes_behind_the_end_of_its_channel_is_not_believed(ends: Any) -> None:
    publisher, _ = ends
    feed = _feed(publisher)
    key = key_of(publisher, publisher._exchange.client_id)
    channel = new_channel(publisher._exchange.client_id)
    nonce, heard = os.urandom(32), []
    assert session._session is not None
    listening = session._session.zenoh.declare_subscriber(
        feed._keys.outward(channel), session.called(lambda sample: heard.append(sample.payload.to_bytes()))
    )
    _put(feed._keys.inward(channel), to_bytes(Ask(uuid4(), nonce), b""))
    await until(lambda: heard)
    challenge = from_bytes(heard[0], b"")
    assert isinstance(challenge, Challenge)
    token = session._session.zenoh.liveliness().declare_token(feed._keys.token(channel))
    token.undeclare()
    await until(lambda: channel not in feed._asking)
    _put(feed._keys.inward(channel), to_bytes(Prove(auth.client_proof(key, nonce, challenge.nonce)), b""))
    await until(lambda: len(heard) == 2)
    assert from_bytes(heard[1], refusal_key(key, channel)).__class__ is Refused
    assert len(publisher.senders) == 1
    listening.undeclare()


async def test_who_leaves_says_so_until_it_was_heard_and_then_no_more(ends: Any, monkeypatch: Any) -> None:
    publisher, subscriber = ends
    (hearing,) = publisher._exchange._plugs._transports["zenoh"]._hearings
    said, told = [], Feed.tell
    monkeypatch.setattr(hearing, "_tell", lambda tell=hearing._tell: (said.append(1), tell()))
    monkeypatch.setattr(Feed, "tell", lambda *_: None)  # its answers are lost
    subscriber.close()
    await until(lambda: len(said) > 2)
    monkeypatch.setattr(Feed, "tell", told)
    await until(lambda: hearing._closed)
    assert hearing._asking is None


async def test_what_cannot_be_sent_stops_nothing_behind_it(caplog: pytest.LogCaptureFixture) -> None:
    sending, sent = session.Sending(), []

    def fails(_waits: bool) -> None:
        raise MemoryError

    for put in (fails, sent.append, fails, sent.append):
        sending.send(10**6, put)
    await sending.close(HANG)
    assert sent == [True, True]
    assert "could not be given to Zenoh" in caplog.text


class Busy:
    """A publisher of Zenoh's that is held up, and cannot be undeclared meanwhile."""

    def __init__(self) -> None:
        self.held_up, self.go = threading.Event(), threading.Event()
        self.undeclared = False

    def put(self, *_: object, **__: object) -> None:
        self.held_up.set()
        assert self.go.wait(HANG)
        self.held_up.clear()

    def undeclare(self) -> None:
        if self.held_up.is_set():
            raise RuntimeError("Already borrowed")
        self.undeclared = True


async def test_a_publisher_that_is_closed_while_it_sends_is_taken_out_when_it_has_sent(
    ends: Any, caplog: pytest.LogCaptureFixture
) -> None:
    publisher, _ = ends
    feed = _feed(publisher)
    real, feed._large = feed._large, Busy()
    await publisher.broadcast(bytes(100_000))
    await until(feed._large.held_up.is_set)
    publisher._exchange._plugs._transports["zenoh"].withdraw(publisher)
    feed._large.go.set()
    await until(lambda: feed._large.undeclared)
    real.undeclare()
    assert "could not take OUT back" not in caplog.text


async def test_a_session_that_opens_too_late_is_given_back(
    server: ez.GraphServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened, acquire = threading.Event(), session.Session.acquire

    def slow() -> Any:
        assert opened.wait(HANG)
        return acquire()

    monkeypatch.setattr(session.Session, "acquire", staticmethod(slow))
    async with ez.GraphContext(server.address) as context:
        publishing = asyncio.create_task(context.publisher("OUT", transport="zenoh", force_tcp=True))
        await until(lambda: (exchanges := list(_exchanges.values())) and exchanges[0]._plugs._transports)
        publishing.cancel()
        await asyncio.wait([publishing])
    opened.set()
    await until(lambda: session._session is None and not session._in_use)


async def test_a_message_that_zenoh_would_drop_is_refused(ends: Any) -> None:
    publisher, subscriber = ends
    (sender,) = publisher.senders
    sender.limit_bytes = 100_000
    with pytest.raises(MessageTooLarge, match=r"100\d\d\d bytes on .* more than the 100000 that ZENOH carries"):
        await publisher.broadcast(bytes(100_001))
    await publisher.broadcast(bytes(50_000))
    assert len(await subscriber.recv()) == 50_000


def _hear_elsewhere(server: Address, topic: str, joined: threading.Barrier) -> int:
    """Receive one message on an event loop of its own; return its size."""
    with ez.sync.init(server) as context:
        subscriber = context.subscriber(topic)
        joined.wait(HANG)
        return len(subscriber.recv(timeout=HANG))


async def test_however_many_hear_a_message_is_sent_once(ends: Any) -> None:
    publisher, _ = ends
    assert session._session is not None
    seen: list[int] = []
    spy = session._session.zenoh.declare_subscriber(
        _feed(publisher)._keys.data, lambda sample: seen.append(len(sample.payload.to_bytes()))
    )
    joined = threading.Barrier(4)
    hearing = [
        asyncio.create_task(asyncio.to_thread(_hear_elsewhere, publisher._exchange.server, publisher.topic, joined))
        for _ in range(3)
    ]
    await asyncio.to_thread(joined.wait, HANG)
    assert len(publisher.senders) == 4
    await publisher.broadcast(bytes(10_000))
    assert await asyncio.gather(*hearing) == [10_000] * 3
    await until(lambda: seen)
    spy.undeclare()
    assert len(seen) == 1
