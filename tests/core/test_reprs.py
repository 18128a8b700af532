"""What one sees of an object that one prints: topic, state and place, at any time of its life, never an error."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import ezmsg.core as ez


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ez.GraphServer]:
    monkeypatch.setenv("EZMSG_RUNTIME_DIR", str(tmp_path))
    server = ez.GraphServer()
    assert repr(server) == "<GraphServer not started>"
    server.start(("127.0.0.1", 0))
    monkeypatch.setenv("EZMSG_GRAPHSERVER_ADDR", str(server.address))
    yield server
    server.stop()


async def test_endpoints_and_their_context(server: ez.GraphServer) -> None:
    where = str(server.address)
    context = ez.GraphContext(server.address)
    assert repr(context) == f"<GraphContext at {where}, 0 publishers, 0 subscribers, not open>"
    async with context:
        publisher = await context.publisher("A/OUTPUT")
        subscriber = await context.subscriber("A/OUTPUT", leaky=True)
        assert repr(publisher) == f"<Publisher A/OUTPUT at {where}, 1 channel, open>"
        publisher.pause()
        assert repr(publisher) == f"<Publisher A/OUTPUT at {where}, 1 channel, paused>"
        publisher.resume()
        await publisher.broadcast(1)
        assert repr(subscriber) == f"<Subscriber A/OUTPUT at {where}, 1 publisher, leaky, 1 queued, open>"
        assert repr(context) == f"<GraphContext at {where}, 1 publisher, 1 subscriber, open>"
    assert repr(publisher) == f"<Publisher A/OUTPUT at {where}, 0 channels, closed>"
    assert repr(subscriber) == f"<Subscriber A/OUTPUT at {where}, 0 publishers, leaky, 0 queued, closed>"
    assert repr(context) == f"<GraphContext at {where}, 0 publishers, 0 subscribers, not open>"


def test_those_without_asyncio(server: ez.GraphServer) -> None:
    where = str(server.address)
    context = ez.SyncContext(server.address)
    assert repr(context) == f"<SyncContext at {where}, 0 publishers, 0 subscribers, not open>"
    with context:
        publisher, subscriber = context.publisher("A"), context.subscriber("A")
        assert repr(publisher) == f"<SyncPublisher A at {where}, 1 channel, open>"
        assert repr(subscriber) == f"<SyncSubscriber A at {where}, 1 publisher, 0 queued, open>"
        assert repr(context) == f"<SyncContext at {where}, 1 publisher, 1 subscriber, open>"
    assert repr(publisher) == f"<SyncPublisher A at {where}, 0 channels, closed>"
    assert repr(subscriber) == f"<SyncSubscriber A at {where}, 0 publishers, 0 queued, closed>"


def test_the_server_and_its_service(server: ez.GraphServer) -> None:
    where = str(server.address)
    assert repr(server) == f"<GraphServer at {where}, running>"
    assert repr(ez.GraphService(server.address)) == f"<GraphService at {where}>"
    assert repr(ez.GraphService()) == "<GraphService without an address of its own>"
    server.stop()
    assert repr(server) == f"<GraphServer at {where}, ended>"


class Gain(ez.Settings):
    factor: float


class Scale(ez.Unit):
    SETTINGS = Gain
    INPUT = ez.InputStream(float)
    OUTPUT = ez.OutputStream(float)


class Forgetful(ez.Unit):
    INPUT = ez.InputStream(float)

    def __init__(self) -> None:
        """Leave out ``super().__init__()``."""


class Idle(ez.Unit): ...


class Pair(ez.Collection):
    FIRST = Scale(factor=1.0)
    SECOND = Scale(factor=2.0)


@pytest.mark.parametrize(
    ("component", "expected"),
    [
        (Scale(factor=1.0), "<Scale without a name: INPUT, OUTPUT>"),
        (Scale(), "<Scale without a name: INPUT, OUTPUT, no settings yet>"),
        (Pair().FIRST, "<Scale without a name: INPUT, OUTPUT>"),
        (Pair(), "<Pair without a name: FIRST, SECOND>"),
        (Idle(), "<Idle without a name: no streams>"),
        (Forgetful(), "<Forgetful without a name: INPUT, no settings yet>"),
    ],
)
def test_a_component_that_is_in_no_graph(component: Any, expected: str) -> None:
    assert repr(component) == expected


def test_a_component_in_a_graph() -> None:
    pair = Pair()
    pair._set_name("PAIR")
    pair._set_location(["TOP"])
    assert repr(pair) == "<Pair TOP/PAIR: FIRST, SECOND>"
    assert repr(pair.SECOND) == "<Scale TOP/PAIR/SECOND: INPUT, OUTPUT>"
    assert repr(pair.SECOND.INPUT) == "<InputStream TOP/PAIR/SECOND/INPUT of float>"


@pytest.mark.parametrize(
    "name", ["Unit", "State", "Settings", "Collection", "run", "publisher", "subscriber", "GraphContext"]
)
def test_help_shows_an_example(name: str) -> None:
    assert "::\n" in (getattr(ez, name).__doc__ or "")


def test_only_public_names_are_offered() -> None:
    assert set(dir(ez)) == {*ez.__all__, "__version__"}
