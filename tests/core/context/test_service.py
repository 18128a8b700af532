"""What core adds to the graph service: a server where there is none."""

import asyncio
import logging

import pytest
from tests.ports import unused_port

import ezmsg.core as ez
from ezmsg.protocol.addresses import Address
from ezmsg.protocol.errors import AuthenticationFailed, ServerUnreachable


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch, tmp_path):
    for name in ("EZMSG_TOKEN", "EZMSG_TOKEN_FILE", "EZMSG_GRAPHSERVER_ADDR"):
        monkeypatch.delenv(name, raising=False)
    folder = tmp_path / "run"
    folder.mkdir(mode=0o700)
    monkeypatch.setenv("EZMSG_RUNTIME_DIR", str(folder))


@pytest.fixture
def free_address():
    return Address("127.0.0.1", unused_port())


async def test_create_server_listens_where_it_was_told_to(free_address):
    service = ez.GraphService(free_address)
    server = service.create_server()
    assert server.address == service.address == free_address
    assert await service.ensure() is None
    await service.connect("A", "B")
    assert "B" in (await service.dag()).downstream("A")
    server.stop()
    with pytest.raises(ServerUnreachable):
        await service.ensure()


async def test_create_server_without_an_address_takes_a_free_port(monkeypatch):
    monkeypatch.setenv("EZMSG_SERVER_PORT_START", "32000")
    first, second = ez.GraphService(), ez.GraphService()
    servers = [first.create_server(), second.create_server()]
    assert first.address.port >= 32000
    assert first.address != second.address
    assert [server.address for server in servers] == [first.address, second.address]
    for server in servers:
        server.stop()


async def test_ensure_starts_one_only_where_it_may(free_address):
    service = ez.GraphService(free_address)
    for auto_start in (None, False):
        with pytest.raises(ServerUnreachable):
            await service.ensure(auto_start)
    server = await service.ensure(auto_start=True)
    assert server is not None
    assert await service.ensure(auto_start=True) is None
    await service.shutdown()
    await asyncio.to_thread(server.stop)
    assert not server.is_alive()


async def test_a_graph_apart_says_that_there_is_another_one(monkeypatch, free_address, caplog):
    monkeypatch.setattr("ezmsg.core.context.service.DEFAULT_ADDRESS", free_address)
    caplog.set_level(logging.INFO, "ezmsg")
    first = await ez.GraphService(apart=True).ensure()
    assert "another graph" not in caplog.text
    second = await ez.GraphService(apart=True).ensure()
    told = [each.getMessage() for each in caplog.records if "has another graph at" in each.getMessage()]
    assert len(told) == 1
    assert f"has another graph at {first.address}, and nothing goes from one to the other." in told[0]
    assert f"set EZMSG_GRAPHSERVER_ADDR={first.address} here." in told[0]
    monkeypatch.setenv("EZMSG_GRAPHSERVER_ADDR", str(free_address))
    third = await ez.GraphService(apart=True).ensure(auto_start=True)  # who names one knows what is apart
    assert len([each for each in caplog.records if "has another graph at" in each.getMessage()]) == 1
    for server in (first, second, third):
        server.stop()


async def test_a_stranger_on_the_default_port_does_not_stop_a_program(monkeypatch, tmp_path, caplog):
    stranger = ez.GraphServer(token="not ours", insecure=False)
    stranger.start(("127.0.0.1", 0))
    for file in (tmp_path / "run").iterdir():
        file.unlink()  # it is another user's, so its announcement is none for us
    monkeypatch.setattr("ezmsg.control.connection.discovery.DEFAULT_ADDRESS", stranger.address)
    service = ez.GraphService()
    with pytest.raises(AuthenticationFailed):
        await service.ensure(auto_start=False)
    with pytest.raises(AuthenticationFailed):
        await ez.GraphService(stranger.address).ensure(auto_start=True)
    server = await service.ensure()
    assert service.address == server.address != stranger.address
    assert str(stranger.address) in caplog.text
    assert "Authentication failed" in caplog.text
    await service.connect("A", "B")
    await asyncio.to_thread(server.stop)
    await asyncio.to_thread(stranger.stop)
