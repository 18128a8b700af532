"""A publisher with several addresses is tried at one after the other, and what came of each is said."""

import asyncio
from collections.abc import Iterator

import pytest

import ezmsg.core as ez
from ezmsg.core.errors import PublisherUnreachable
from ezmsg.core.pubsub.exchange import Exchange
from ezmsg.core.transports.listening import is_everywhere, own_hosts
from ezmsg.protocol.addresses import Address
from ezmsg.protocol.messages.endpoints import Contact

HANG = 30.0
NOBODY, STRANGER, RIGHT = "127.0.0.9", "127.0.0.8", "127.0.0.1"


@pytest.fixture
def servers() -> Iterator[list[ez.GraphServer]]:
    both = [ez.GraphServer(), ez.GraphServer()]
    for server in both:
        server.start(("127.0.0.1", 0))
    yield both
    for server in both:
        server.stop()


def told_to_be_at(monkeypatch: pytest.MonkeyPatch, *hosts: str) -> list[int]:
    """Have publishers say that they are at these hosts; return where their ports are noted."""
    ports = []

    def reached_at(self: Exchange, link: str | None, address: Address) -> Contact:
        ports.append(address.port)
        return Contact(self.id, link, hosts[0], address.port, list(hosts[1:]))

    monkeypatch.setattr(Exchange, "_reached_at", reached_at)
    return ports


async def test_it_is_tried_at_one_address_after_the_other(
    servers: list[ez.GraphServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    ports = told_to_be_at(monkeypatch, NOBODY, STRANGER, RIGHT)
    async with (
        asyncio.timeout(HANG),
        ez.GraphContext(servers[0].address) as context,
        ez.GraphContext(servers[1].address) as other,
    ):
        publisher = await context.publisher("SIGNAL", force_tcp=True)
        await other.publisher("OTHER", host=STRANGER, port=ports[0])
        subscriber = await context.subscriber("SIGNAL")
        await publisher.broadcast("here")
        assert await subscriber.recv() == "here"


async def test_what_came_of_each_address_is_said(
    servers: list[ez.GraphServer], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    ports = told_to_be_at(monkeypatch, NOBODY, STRANGER)
    async with (
        asyncio.timeout(HANG),
        ez.GraphContext(servers[0].address) as context,
        ez.GraphContext(servers[1].address) as other,
    ):
        await context.publisher("SIGNAL", force_tcp=True)
        await other.publisher("OTHER", host=STRANGER, port=ports[0])
        await context.subscriber("SIGNAL")
        (said,) = [record.getMessage() for record in caplog.records if "EZ-5022" in record.getMessage()]
    for words in (
        "The publisher of SIGNAL, in process ",
        f"{NOBODY}:{ports[0]} (Connection refused)",
        f"{STRANGER}:{ports[0]} (it has no such publisher (any more))",
        "publisher(host=, port=)",
    ):
        assert words in said


def test_an_address_that_is_none_is_said_to_be_none() -> None:
    error = PublisherUnreachable(topic="T", failures={"nowhere:1": "no such name"})
    assert "in its process, is not to be reached from here at nowhere:1 (no such name)." in str(error)


@pytest.mark.parametrize(("host", "is_so"), [("0.0.0.0", True), ("::", True), ("10.0.0.1", False), ("lab", False)])
def test_what_listens_everywhere(host: str, is_so: bool) -> None:
    assert is_everywhere(host) == is_so


def test_own_addresses_lead_to_others() -> None:
    assert not [host for host in own_hosts() if host.startswith("127.") or is_everywhere(host)]
