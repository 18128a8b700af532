"""Whoever else is in the same network of Zenoh: what it puts on our keys is heard by nobody."""

import asyncio
import json
import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from tests.waiting import until

import ezmsg.core as ez
from ezmsg.zenoh import session
from ezmsg.zenoh.feeding import ASKING_LIMIT
from ezmsg.zenoh.frames import Head, head_to_bytes, to_bytes
from ezmsg.zenoh.messages import Ask, Held, Opened, Prove, Refused, Sent

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
        for head in (None, b"", b"x" * 50, head_to_bytes(Head(1, 0, 5, None, b""), b"another key")):
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
        for word in (Sent(99, ended=True), Sent(99, cut="you"), Opened(50, b"k" * 32), Refused("no")):
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
    _feed(publisher)._give_up(sender)
    await publisher.broadcast("missed")
    (hearing,) = publisher._exchange._plugs._transports["zenoh"]._hearings
    hearing._tell()
    await until(lambda: publisher.senders)
    await publisher.broadcast("heard")
    assert await subscriber.recv() == "heard"
    assert subscriber.messages_missed == 1
