"""Which transport serves whom, and what is told when the one asked for is not to be had.

What a transport of another distribution must do itself, ``test_contract.py`` asks of the one in ``tests/plugs``.
"""

import asyncio
import subprocess
import sys
from typing import Any

import pytest
from tests.core.pubsub.conftest import HANG, PLUGS

from ezmsg.core.errors import InvalidOption, TransportUnusable
from ezmsg.core.pubsub.plugs import Plugs
from ezmsg.core.transports import plug


@pytest.fixture
def transport() -> str:
    """Set by each test itself."""
    return "local"


async def _kind(world: Any, **options: Any) -> str:
    publisher, ear = await world.context.publisher("OUT", **options), await world.subscriber()
    await publisher.broadcast("heard")
    assert await ear.recv() == "heard"
    (sender,) = publisher.senders
    return str(sender.kind)


@pytest.mark.parametrize(
    ("options", "kind"),
    [
        ({}, "LOCAL"),
        ({"allow_local": False}, "SHM"),
        ({"allow_local": False, "force_tcp": True}, "POST"),
        ({"transport": "tcp", "force_tcp": True}, "TCP"),
    ],
    ids=["inside the process", "memory that is shared", "what is asked for", "one of our own"],
)
async def test_the_nearest_way_is_taken(
    world: Any, monkeypatch: pytest.MonkeyPatch, options: dict[str, Any], kind: str
) -> None:
    monkeypatch.setenv("EZMSG_TRANSPORT", "post")
    assert await _kind(world, **options) == kind


async def test_a_transport_that_is_not_there_is_told_with_those_that_are(world: Any) -> None:
    with pytest.raises(InvalidOption, match=r"'pots'.*broken, local, post, shm, tcp.*install"):
        await world.context.publisher("OUT", transport="pots")
    assert await _kind(world) == "LOCAL"  # and nothing is left of the one that failed
    snapshot = await world.context.snapshot()
    assert "pots" not in str(snapshot)


async def test_a_transport_that_cannot_be_imported_is_told_with_its_distribution(world: Any) -> None:
    with pytest.raises(TransportUnusable, match=r"broken, which post brings.*post_that_is_not_there"):
        await world.context.publisher("OUT", transport="broken")


async def test_who_lacks_the_transport_hears_over_tcp_and_is_told_once(
    world: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    publishers = [await world.context.publisher(topic, transport="post", force_tcp=True) for topic in ("A", "B")]
    # One process has one exchange, so that it must forget what it has: as if it were another one.
    exchange = publishers[0]._exchange
    monkeypatch.setattr(exchange._opener, "_plugs", Plugs(exchange))
    monkeypatch.setattr(plug, "find", lambda *_: None)
    for topic, publisher in zip(("A", "B"), publishers, strict=True):
        ear = await world.subscriber(topic)
        await publisher.broadcast(topic)
        assert await ear.recv() == topic
        assert [sender.kind for sender in publisher.senders] == ["TCP"]
    told = [record.getMessage() for record in caplog.records if "is not installed here" in record.getMessage()]
    assert len(told) == 1
    assert "offered over post" in told[0]


def _fails_with(errors: list[Exception], publisher: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Let the publisher's transport fail so often to open a channel, then succeed; return the transport."""
    post = publisher._exchange._plugs._transports["post"]
    open_channel = post.open

    async def fails(*args: Any) -> Any:
        if errors:
            raise errors.pop()
        return await open_channel(*args)

    monkeypatch.setattr(post, "open", fails)
    return post


async def test_a_transport_that_fails_is_tried_again_and_tcp_is_not_used_instead(
    world: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    publisher = await world.context.publisher("OUT", transport="post", force_tcp=True)
    refusals: list[Exception] = [ConnectionRefusedError("no router")] * 2
    _fails_with(refusals, publisher, monkeypatch)
    ear = await world.subscriber()
    await world.until(lambda: publisher.senders)
    await publisher.broadcast("late")
    assert await ear.recv() == "late"
    assert [sender.kind for sender in publisher.senders] == ["POST"]
    assert not refusals
    assert any("no router" in record.getMessage() for record in caplog.records)


async def test_a_subscriber_that_does_not_answer_is_cut_off(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    publisher = await world.context.publisher(
        "OUT", transport="post", force_tcp=True, num_buffers=1, max_block=0.05
    )
    ear = await world.subscriber()
    await publisher.broadcast(0)
    (sender,) = publisher.senders
    monkeypatch.setattr(type(sender), "unresponsive", lambda *_: "its process stands still", raising=True)
    async with asyncio.timeout(HANG):
        await publisher.broadcast(1)
    assert publisher.cut_off == 1
    assert await ear.recv() == 0


async def test_a_channel_that_breaks_off_is_opened_again(world: Any) -> None:
    publisher = await world.context.publisher("OUT", transport="post", force_tcp=True)
    ear = await world.subscriber()
    await publisher.broadcast(0)
    assert await ear.recv() == 0
    (sender,) = publisher.senders
    sender._frames.abort()
    await world.until(lambda: publisher.senders and sender not in publisher.senders)
    await publisher.broadcast(1)
    assert await ear.recv() == 1


async def test_what_a_transport_raises_does_not_end_the_route(
    world: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    publisher = await world.context.publisher("OUT", transport="post", force_tcp=True)
    post = _fails_with([KeyError("a fault of its own")], publisher, monkeypatch)
    monkeypatch.setattr(post, "withdraw", lambda _: 1 / 0)
    ear = await world.subscriber()
    await world.until(lambda: publisher.senders)
    await publisher.broadcast("heard")
    assert await ear.recv() == "heard"
    assert any("a fault of its own" in record.getMessage() for record in caplog.records)
    publisher.close()
    await publisher.wait_closed()
    assert "could not take OUT back" in caplog.text


async def test_what_shared_memory_could_not_bring_comes_over_tcp_and_not_by_another_transport(
    world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only there can the publisher move what the first channel still holds."""
    publisher = await world.context.publisher("OUT", transport="post", allow_local=False, num_buffers=4)
    ear = await world.subscriber()
    (sender,) = publisher.senders
    assert sender.kind == "SHM"
    (channel,) = [channel for _, channel in publisher._exchange._opener._channels.items()]
    publisher._exchange._opener._strand(channel, "it is a test")
    for number in range(20):
        await publisher.broadcast(number)
        assert await ear.recv() == number
    assert [each.kind for each in publisher.senders] == ["TCP"]


def test_a_graph_of_two_processes_runs_over_it(tmp_path: Any) -> None:
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    environ = {"PYTHONPATH": str(PLUGS), "EZMSG_TRANSPORT": "post", "EZMSG_FORCE_TCP": "1", "PATH": "/usr/bin:/bin"}
    environ["HOME"] = str(tmp_path)
    done = subprocess.run(
        [sys.executable, str(program)], env=environ, capture_output=True, text=True, timeout=HANG * 2, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["UNKNOWN", "4950"]


def test_nothing_is_looked_for_where_nobody_asks() -> None:
    code = (
        "import asyncio, ezmsg.core as ez\n"
        "from ezmsg.core.transports import plug\n"
        "plug.installed = None\n"
        "async def main():\n"
        "    server = ez.GraphServer()\n"
        "    server.start(('127.0.0.1', 0))\n"
        "    async with ez.GraphContext(server.address) as context:\n"
        "        publisher = await context.publisher('OUT', force_tcp=True)\n"
        "        subscriber = await context.subscriber('OUT')\n"
        "        await publisher.broadcast(1)\n"
        "        print(await subscriber.recv())\n"
        "    server.stop()\n"
        "asyncio.run(main())\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=HANG, check=False)
    assert done.stdout == "1\n", done.stderr


PROGRAM = """
import ezmsg.core as ez
from collections.abc import AsyncGenerator


class Source(ez.Unit):
    OUTPUT = ez.OutputStream(int)

    @ez.publisher(OUTPUT)
    async def count(self) -> AsyncGenerator:
        for number in range(100):
            yield self.OUTPUT, number
        raise ez.Complete


class Sum(ez.Unit):
    INPUT = ez.InputStream(int)
    total = 0
    heard = 0

    @ez.subscriber(INPUT)
    async def add(self, number: int) -> None:
        self.total += number
        self.heard += 1
        if self.heard == 100:
            raise ez.NormalTermination

    async def shutdown(self) -> None:
        from ezmsg.core.profiling.registry import REGISTRY

        (received,) = REGISTRY.subscribers()
        print(received.channel_kind_last.value, self.total, flush=True)


if __name__ == "__main__":
    source, total = Source(), Sum()
    connections = ((source.OUTPUT, total.INPUT),)
    ez.run(SOURCE=source, SUM=total, connections=connections, process_components=(source, total))
"""
