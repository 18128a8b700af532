"""Snapshots of a client that has read some of the metadata before."""

import asyncio
from uuid import uuid4

from tests.control.conftest import ScriptedServer

from ezmsg.control import ControlConnection, Session, take_snapshot
from ezmsg.control.connection.known_metadata import KnownMetadata
from ezmsg.graphserver import GraphServer
from ezmsg.protocol.messages.sessions import CompactSnapshot, ShownSession, SnapshotTaken, TakeSnapshot
from ezmsg.protocol.model.metadata import ComponentMetadata, DynamicSettingsMetadata, GraphMetadata
from ezmsg.protocol.model.snapshot import GraphSnapshot, SnapshotSession
from ezmsg.protocol.snapshots.encoded_metadata import digest, encode_metadata
from ezmsg.protocol.wire.plain import pack

NO_EDGES = pack([[], [], [], [], []])


def program(*addresses: str) -> GraphMetadata:
    fixed = DynamicSettingsMetadata(enabled=False, input_topic=None, settings_type=None)
    return GraphMetadata(
        1,
        None,
        {name: ComponentMetadata(name, name, "lab.A", "lab.S", (None, "S()"), fixed, None) for name in addresses},
    )


ONE, OTHER = program("A"), program("B")


def shown(name: str, metadata: GraphMetadata, sent: bool) -> ShownSession:
    encoded = encode_metadata(metadata)
    return ShownSession(name, digest(encoded), encoded if sent else None)


def answer(*sessions: ShownSession) -> SnapshotTaken:
    return SnapshotTaken(GraphSnapshot({}, {}, {}), CompactSnapshot(NO_EDGES, list(sessions)))


async def test_what_is_known_is_named_and_need_not_be_sent(
    scripted: ScriptedServer, connection: ControlConnection
) -> None:
    scripted.script = lambda peer, event: None
    for known, sent in (([], True), ([digest(encode_metadata(ONE))], False)):
        taking = asyncio.create_task(take_snapshot(connection))
        peer, event = await scripted.request(TakeSnapshot)
        assert event.body.known == known
        peer.say("reply", event.id, answer(shown("one", ONE, sent)))
        assert (await taking).sessions == {"one": SnapshotSession([], ONE)}


async def test_a_server_that_knows_no_digests_answers_in_the_plain_form(
    scripted: ScriptedServer, connection: ControlConnection
) -> None:
    scripted.script = lambda peer, event: None
    plain = GraphSnapshot({"A": ["B"], "B": []}, {}, {"one": SnapshotSession([], ONE)}, epoch=uuid4())
    taking = asyncio.create_task(take_snapshot(connection))
    peer, event = await scripted.request(TakeSnapshot)
    peer.say("reply", event.id, SnapshotTaken(plain))
    assert await taking == plain


async def test_answers_that_cross_each_other_are_each_read_with_what_was_known_then() -> None:
    known = KnownMetadata()
    known.expand(answer(shown("one", ONE, sent=True)), {})
    first = known.held()
    known.expand(answer(shown("other", OTHER, sent=True)), first)
    late = known.expand(answer(shown("one", ONE, sent=False)), first)
    assert late.sessions["one"].metadata == ONE


async def test_only_what_the_last_snapshot_showed_is_kept_and_no_more_than_there_is_room_for() -> None:
    size = len(encode_metadata(ONE))
    known = KnownMetadata(kept_bytes=size)
    taken = known.expand(answer(shown("one", ONE, True), shown("other", OTHER, True)), known.held())
    assert {name: session.metadata for name, session in taken.sessions.items()} == {"one": ONE, "other": OTHER}
    assert list(known.held()) == [digest(encode_metadata(ONE))]
    known.expand(answer(shown("other", OTHER, True)), known.held())
    assert list(known.held()) == [digest(encode_metadata(OTHER))]


async def test_a_snapshot_can_be_changed_down_to_its_components(server: GraphServer) -> None:
    connection = await ControlConnection.open(server.address)
    async with Session(connection) as session:
        await session.register_metadata(ONE)
        for _ in range(3):
            metadata = (await session.snapshot()).sessions[str(session.id)].metadata
            assert metadata == ONE
            metadata.components.clear()
            metadata.root_name = "changed"
    await connection.close()


async def test_metadata_that_changes_is_read_anew(server: GraphServer) -> None:
    connection = await ControlConnection.open(server.address)
    reader = await ControlConnection.open(server.address)
    async with Session(connection) as session:
        digests = []
        for metadata in (ONE, ONE, program("A", "B"), ONE):
            await session.register_metadata(metadata)
            taken = await take_snapshot(reader)
            assert taken.sessions[str(session.id)].metadata == metadata
            digests += list(reader.known_metadata.held())
        assert digests[0] == digests[1] == digests[3] != digests[2]
    await reader.close()
    await connection.close()
