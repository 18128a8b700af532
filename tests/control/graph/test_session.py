"""A session on a real server: its edges, its metadata, and what its end takes away."""

import asyncio
import enum
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import pytest

from ezmsg.control import ControlConnection, Session
from ezmsg.protocol.errors import (
    ComponentCollision,
    ConnectionLost,
    CyclicException,
    DuplicateIdentity,
    InvalidTopic,
    SessionRequired,
)
from ezmsg.protocol.messages.sessions import EdgeChanged
from ezmsg.protocol.model.metadata import CollectionMetadata, DynamicSettingsMetadata, GraphMetadata
from ezmsg.protocol.model.snapshot import Edge

HANG = 30.0


@asynccontextmanager
async def session_on(server: Any) -> AsyncIterator[Session]:
    connection = await ControlConnection.open(server.address)
    try:
        async with Session(connection) as session:
            yield session
    finally:
        await connection.close()


def program(root: str, *names: str) -> GraphMetadata:
    """The metadata of collections ``root/name``."""
    components = {
        address: CollectionMetadata(
            address=address,
            name=address.rpartition("/")[2],
            component_type="tests.Thing",
            settings_type="tests.Settings",
            initial_settings=(None, {"gain": 1.5}),
            dynamic_settings=DynamicSettingsMetadata(False, None, None),
            settings_schema=None,
            topics={},
            relays={},
            children=[],
        )
        for address in (f"{root}/{name}" for name in names)
    }
    return GraphMetadata(schema_version=1, root_name=root, components=components)


async def test_an_edge_lives_as_long_as_its_owners(server: Any) -> None:
    async with session_on(server) as watcher:
        async with session_on(server) as first:
            assert await first.connect("A", "B")
            async with session_on(server) as second:
                assert not await second.connect("A", "B")
                snapshot = await watcher.snapshot()
                assert snapshot.edge_owners == {Edge("A", "B"): sorted([str(first.id), str(second.id)])}
                assert snapshot.graph == {"A": ["B"], "B": []}
                assert not await first.disconnect("A", "B")
                assert (await watcher.snapshot()).graph["A"] == ["B"]
                assert await second.disconnect("A", "B")
                assert (await watcher.snapshot()).graph == {}
                await first.connect("A", "B")
        assert (await watcher.snapshot()).graph == {}


async def test_clear_keeps_the_session(server: Any) -> None:
    async with session_on(server) as session:
        await session.connect("A", "B")
        await session.register_metadata(program("P", "X"))
        await session.clear()
        snapshot = await session.snapshot()
        assert snapshot.graph == {}
        assert snapshot.sessions[str(session.id)].metadata is None
        await session.connect("A", "B")


async def test_a_cycle_is_refused_with_its_path(server: Any) -> None:
    async with session_on(server) as session:
        await session.connect("A", "B")
        await session.connect("B", "C")
        with pytest.raises(CyclicException) as caught:
            await session.connect("C", "A")
        assert caught.value.path == ["A", "B", "C"]
        with pytest.raises(CyclicException):
            await session.connect("A", "A")
        assert (await session.snapshot()).graph == {"A": ["B"], "B": ["C"], "C": []}


async def test_metadata_is_in_the_snapshot(server: Any) -> None:
    async with session_on(server) as session:
        metadata = program("P", "X", "Y")
        await session.register_metadata(metadata)
        assert (await session.snapshot()).sessions[str(session.id)].metadata == metadata


async def test_a_second_copy_of_a_program_is_refused_and_every_collision_named(server: Any) -> None:
    async with session_on(server) as first, session_on(server) as second:
        await first.register_metadata(program("P", "X", "Y", "Z"))
        with pytest.raises(ComponentCollision) as caught:
            await second.register_metadata(program("P", "Y", "Z", "Q"))
        assert caught.value.addresses == ["P/Y", "P/Z"]
        assert caught.value.sessions == [str(first.id)]
        assert isinstance(caught.value, RuntimeError)
        assert (await first.snapshot()).sessions[str(second.id)].metadata is None
        await second.register_metadata(program("P", "Q"))


async def test_a_session_id_is_open_once(server: Any) -> None:
    async with session_on(server) as session:
        connection = await ControlConnection.open(server.address)
        twin = Session(connection, session.id)
        with pytest.raises(DuplicateIdentity):
            await twin.open()
        await twin.close()
        await connection.close()
        await session.open()  # again on the same one is nothing


async def test_the_end_of_the_connection_ends_the_session(server: Any) -> None:
    async with session_on(server) as watcher:
        connection = await ControlConnection.open(server.address)
        session = Session(connection)
        await session.open()
        await session.connect("A", "B")
        await connection.close()
        with pytest.raises(ConnectionLost):
            await session.connect("B", "C")
        await session.close()
        await session.close()
        async with asyncio.timeout(HANG):
            while (await watcher.snapshot()).graph:
                pass  # each turn is a round trip


@pytest.mark.parametrize("state", ["not yet open", "closed"])
async def test_what_needs_an_open_session_says_so(server: Any, state: str) -> None:
    connection = await ControlConnection.open(server.address)
    session = Session(connection)
    if state == "closed":
        await session.open()
        await session.close()
    assert not session.is_open
    calls = (
        session.connect("A", "B"),
        session.disconnect("A", "B"),
        session.clear(),
        session.register_metadata(program("P")),
        session.snapshot(),
    )
    for call in calls:
        with pytest.raises(SessionRequired, match="needs an open session"):
            await call
    await connection.close()


async def test_wrong_topics_are_told_before_anything_is_sent(server: Any) -> None:
    async with session_on(server) as session:
        with pytest.raises(InvalidTopic, match="to_topic is empty"):
            await session.connect("A", "")
        with pytest.raises(TypeError, match="from_topic is a int: 5"):
            await session.connect(5, "B")  # type: ignore[arg-type]
        with pytest.raises(TypeError, match="GraphMetadata"):
            await session.register_metadata({})  # type: ignore[arg-type]
        with pytest.raises(InvalidTopic):  # this one is the server's
            await session.connect("A", "x" * 100_000)
        assert (await session.snapshot()).graph == {}


async def test_text_enumerations_name_topics(server: Any) -> None:
    class Topic(str, enum.Enum):  # noqa: UP042  what programs of Python 3.10 have
        RAW = "RAW/OUT"

    async with session_on(server) as session:
        await session.connect(Topic.RAW, "B")
        assert "RAW/OUT" in (await session.snapshot()).graph


async def test_those_who_did_not_confirm_are_named(scripted: Any, caplog: pytest.LogCaptureFixture) -> None:
    connection = await ControlConnection.open(scripted.address)
    session = Session(connection, uuid4())
    await session.open()
    scripted.script = lambda peer, event: peer.connection.reply(event.id, EdgeChanged(True, ["slow", "slower"]))
    with caplog.at_level(logging.WARNING, "ezmsg"):
        assert await session.connect("A", "B")
    (record,) = caplog.records
    assert "A -> B is set" in record.getMessage()
    assert "slow, slower" in record.getMessage()
    await connection.close()
