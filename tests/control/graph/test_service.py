"""What an operator asks of a real server: persistent edges, the graph, pause, sync, the end."""

import asyncio
import math
import signal
import subprocess
import sys
from typing import Any
from uuid import uuid4

import pytest

from ezmsg.control import ControlConnection, GraphService, Session, acquire, release
from ezmsg.control.connection import sharing
from ezmsg.control.errors import InvalidTimeout
from ezmsg.control.graph import service as module
from ezmsg.protocol.addresses import Address
from ezmsg.protocol.errors import (
    ConnectionLost,
    CyclicException,
    DeadlineExceeded,
    InvalidMessage,
    InvalidTopic,
    ServerUnreachable,
)
from ezmsg.protocol.messages.endpoints import (
    AwaitReleases,
    Contact,
    DeclarePublisher,
    PausePublishing,
    ResumePublishing,
)
from ezmsg.protocol.messages.events import FollowTopology
from ezmsg.protocol.messages.service import SyncAll

HANG = 30.0


async def publish(connection: ControlConnection, topic: str = "A") -> None:
    contact = Contact(uuid4(), None, "127.0.0.1", 1)
    await connection.request(DeclarePublisher(uuid4(), topic, contact, b"secret"))


async def test_persistent_edges_outlive_everybody(server: Any) -> None:
    service = GraphService(server.address)
    await service.connect("A", "B")
    await service.connect("A", "B")
    connection = await acquire(server.address)
    async with Session(connection) as session:
        await session.connect("A", "B")
        await session.connect("B", "C")
        dag = await service.dag()
        assert dag.edge_owners == {("A", "B"): {None, str(session.id)}, ("B", "C"): {str(session.id)}}
        owners = (await session.snapshot()).edge_owners["A", "B"]
        assert sorted(owners) == sorted(["persistent", str(session.id)])
        await service.disconnect("A", "B")
        assert ("A", "B") in (await service.dag()).edge_owners
        await service.connect("A", "B")
    assert (await service.dag(timeout=HANG)).graph == {"A": {"B"}, "B": set()}
    await release(connection)
    await service.disconnect("A", "B")
    assert not (await service.dag()).nodes
    assert not sharing._all


async def test_refusals(server: Any) -> None:
    service = GraphService(tuple(server.address))
    await service.connect("A", "B")
    with pytest.raises(CyclicException):
        await service.connect("B", "A")
    with pytest.raises(InvalidTopic):
        await service.connect("", "A")
    assert not sharing._all


async def test_nobody_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EZMSG_GRAPHSERVER_ADDR", "127.0.0.1:1")
    service = GraphService()
    assert service.address == GraphService.default_address() == Address("127.0.0.1", 1)
    with pytest.raises(ServerUnreachable):
        await service.dag()
    with pytest.raises(InvalidTopic):  # a mistake here is not blamed on the server
        await service.connect("A", "")
    assert not sharing._all


async def test_pause_and_resume_reach_every_publisher(server: Any) -> None:
    heard: list[object] = []

    async def hear(request: object) -> None:
        heard.append(request)

    connection = await ControlConnection.open(server.address)
    connection.answer(PausePublishing, hear)
    connection.answer(ResumePublishing, hear)
    connection.answer(AwaitReleases, hear)
    await publish(connection)
    service = GraphService(server.address)
    await service.pause()
    await service.resume()
    await service.sync()
    assert heard == [PausePublishing(), ResumePublishing(), AwaitReleases()]
    await connection.close()


async def test_sync_takes_its_time_but_no_more_than_it_is_given(
    server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on = asyncio.Event()

    async def slow(_: object) -> None:
        await go_on.wait()

    connection = await ControlConnection.open(server.address)
    connection.answer(AwaitReleases, slow)
    await publish(connection)
    service = GraphService(server.address)
    with pytest.raises(DeadlineExceeded) as caught:
        await service.sync(timeout=0.05)
    assert caught.value.seconds == 0.05
    with monkeypatch.context() as patch:
        patch.setattr(module, "DEFAULT_TIMEOUT", 0.06)
        with pytest.raises(DeadlineExceeded) as caught:
            await service.sync()
        assert caught.value.seconds == 0.06
    patient = asyncio.create_task(service.sync())
    go_on.set()
    await patient
    await connection.close()


@pytest.mark.parametrize("seconds", [math.nan, math.inf, -math.inf, -0.1])
async def test_sync_refuses_a_time_that_is_none(server: Any, seconds: float) -> None:
    with pytest.raises(InvalidTimeout):
        await GraphService(server.address).sync(timeout=seconds)
    connection = await ControlConnection.open(server.address)
    await publish(connection)
    with pytest.raises(InvalidMessage):
        await connection.request(SyncAll(seconds))
    await connection.close()


async def test_publishers_that_do_not_answer_are_named(server: Any, caplog: pytest.LogCaptureFixture) -> None:
    async def refuse(_: object) -> None:
        raise InvalidTopic(topic="A", reason="no")

    connection = await ControlConnection.open(server.address)
    connection.answer(PausePublishing, refuse)
    await publish(connection)
    await GraphService(server.address).pause()
    assert "did not confirm" in caplog.text
    await connection.close()


async def test_topology_events_can_be_followed(server: Any) -> None:
    connection = await ControlConnection.open(server.address)
    service = GraphService(server.address)
    await service.connect("A", "B")
    events = connection.stream(FollowTopology())
    first = await anext(events)
    await service.connect("B", "C")
    second = await anext(events)
    assert [first.event.seq, second.event.seq] == [1, 2]
    assert "C" in second.event.changed_topics
    await events.aclose()
    await connection.close()


async def test_shutdown_returns_when_the_server_is_gone(server: Any) -> None:
    service = GraphService(server.address)
    connection = await acquire(server.address)
    await service.shutdown()
    assert not connection.connected
    await release(connection)
    with pytest.raises(ServerUnreachable):
        await service.shutdown()
    assert not sharing._all


async def test_a_server_killed_while_requests_wait() -> None:
    command = [sys.executable, "-m", "ezmsg.graphserver", "--address", "127.0.0.1:0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:  # noqa: ASYNC220
        try:
            assert process.stderr is not None
            line = await asyncio.to_thread(process.stderr.readline)
            address = Address.from_string(line.split()[-1])
            connection = await ControlConnection.open(address)
            asked = asyncio.Event()

            async def never(_: object) -> None:
                asked.set()
                await asyncio.Event().wait()

            connection.answer(AwaitReleases, never)
            await publish(connection)
            other = await ControlConnection.open(address)
            waiting = asyncio.create_task(other.request(SyncAll(), timeout=None))
            async with asyncio.timeout(HANG):
                await asked.wait()
                process.send_signal(signal.SIGKILL)
                with pytest.raises(ConnectionLost, match=str(address)):
                    await waiting
            await connection.close()
            await other.close()
        finally:
            process.kill()


async def test_a_thousand_edges_in_a_chain_take_little(server: Any) -> None:
    connection = await ControlConnection.open(server.address)
    async with Session(connection) as session:
        for n in range(1000):
            await session.connect(f"T{n}", f"T{n + 1}")
        assert len((await session.snapshot()).edge_owners) == 1000
    await connection.close()
