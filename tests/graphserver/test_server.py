"""The server over real sockets: many requests at once, streams that rest, clients that do not answer."""

import time
from typing import Any
from uuid import uuid4

import pytest

from ezmsg.graphserver import GraphServer
from ezmsg.protocol.errors import ConnectionLost
from ezmsg.protocol.messages.endpoints import (
    Contact,
    DeclarePublisher,
    DeclareSubscriber,
    Joined,
    PausePublishing,
)
from ezmsg.protocol.messages.events import FollowTopology, Gap, TopologyEvent
from ezmsg.protocol.messages.service import AllAnswered, PauseAll, Shutdown
from ezmsg.protocol.messages.sessions import (
    Connect,
    Disconnect,
    Done,
    EdgeChanged,
    OpenSession,
    RegisterMetadata,
    TakeSnapshot,
)
from ezmsg.protocol.model.metadata import ComponentMetadata, DynamicSettingsMetadata, GraphMetadata
from ezmsg.protocol.wire import connection as protocol
from ezmsg.protocol.wire.auth import channel_key

CONTACT = Contact(uuid4(), None, "127.0.0.1", 1)


def test_a_publisher_is_introduced_to_a_subscriber(connect: Any) -> None:
    one, two, three = connect().open(), connect().open(), connect().open()
    publisher_id, subscriber_id = uuid4(), uuid4()
    assert one.ask(DeclarePublisher(publisher_id, "A", CONTACT, b"secret")) == Joined()
    assert two.ask(DeclareSubscriber(subscriber_id, "B")) == Joined()
    request_id = three.send(Connect("A", "B"))
    two.pump_until(lambda: two.calls)
    assert three.wait(request_id) == EdgeChanged(topology_changed=True)
    ((change,),) = [call.changes for call in two.calls]
    assert change.subscriber_id == subscriber_id
    (source,) = change.added
    assert source.key == channel_key(b"secret", publisher_id.bytes + two.client_id.bytes)
    request_id = three.send(Disconnect("A", "B"))
    two.pump_until(lambda: len(two.calls) == 2)
    assert three.wait(request_id) == EdgeChanged(topology_changed=True)
    assert two.calls[1].changes[0].removed == [publisher_id]


def test_a_client_may_be_asked_because_of_its_own_request(connect: Any) -> None:
    client = connect().open()
    client.ask(DeclarePublisher(uuid4(), "A", CONTACT, b"s"))
    assert client.ask(DeclareSubscriber(uuid4(), "A")) == Joined()
    assert len(client.calls) == 1


def test_a_client_that_does_not_answer_is_named_and_delays_nobody_else(connect: Any) -> None:
    one, mute, three = connect().open(), connect(acknowledge=False).open(), connect().open()
    mute.ask(DeclareSubscriber(uuid4(), "B"))
    one.ask(DeclarePublisher(uuid4(), "A", CONTACT, b"s"))
    started = time.monotonic()
    waiting = three.send(Connect("A", "B"))
    assert three.ask(TakeSnapshot()).snapshot.graph == {"A": ["B"], "B": []}
    assert waiting not in three.answers, "the slow request held up the quick one"
    answer = three.wait(waiting)
    assert answer.topology_changed
    (name,) = answer.unconfirmed
    assert name.startswith("test/")
    assert name.endswith(" B")
    assert time.monotonic() - started > 0.9


def test_pause_reaches_every_publishing_client(connect: Any) -> None:
    one, two = connect().open(), connect().open()
    one.ask(DeclarePublisher(uuid4(), "A", CONTACT, b"s"))
    request_id = two.send(PauseAll())
    one.pump_until(lambda: one.calls)
    assert two.wait(request_id) == AllAnswered()
    assert one.calls == [PausePublishing()]


def test_events_are_replayed_and_then_live(connect: Any) -> None:
    one, two = connect().open(), connect().open()
    one.ask(Connect("A", "B"))
    one.ask(Connect("B", "C"))
    assert two.ask(FollowTopology(1)) == Done()
    one.ask(Connect("C", "D"))
    two.pump_until(lambda: len(two.items) == 2)
    assert [(item.event.seq, item.event.changed_topics) for item in two.items] == [(2, ["C"]), (3, ["D"])]
    snapshot = two.ask(TakeSnapshot()).snapshot
    assert snapshot.topology_seq == 3
    assert snapshot.epoch == two.handshake.welcome.epoch


def test_a_follower_may_stop_following(connect: Any) -> None:
    one, two = connect().open(), connect().open()
    request_id = two.send(FollowTopology())
    two.wait(request_id)
    two.connection.cancel(request_id)
    two.ask(TakeSnapshot())  # by the time this is answered, the server knows
    one.ask(Connect("A", "B"))
    two.ask(TakeSnapshot())
    assert two.items == []


def test_a_follower_that_does_not_read_gets_a_gap_and_delays_nobody(
    monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    monkeypatch.setenv("EZMSG_TOPOLOGY_EVENT_HISTORY_LIMIT", "5")
    connect = request.getfixturevalue("connect")  # and the server with it, now that the limit is set
    writer, follower = connect().open(), connect().open()
    follower.ask(FollowTopology())
    session_id = uuid4()
    writer.ask(OpenSession(session_id))
    for number in range(40):  # more megabytes of events than fit into any socket's buffers
        address = f"{number}".zfill(500_000)
        components = {f"{address}{letter}": _component(f"{address}{letter}") for letter in "AB"}
        writer.ask(RegisterMetadata(session_id, GraphMetadata(1, None, components)))
    last = writer.ask(TakeSnapshot()).snapshot.topology_seq
    seen, gaps = 0, 0
    while seen < last:
        follower.pump_until(lambda: follower.items)
        item = follower.items.pop(0)
        if isinstance(item, Gap):
            assert item.first == seen + 1
            seen, gaps = item.last, gaps + 1
        else:
            assert isinstance(item, TopologyEvent)
            assert item.event.seq == seen + 1
            seen = item.event.seq
    assert gaps


def _component(address: str) -> ComponentMetadata:
    dynamic = DynamicSettingsMetadata(enabled=False, input_topic=None, settings_type=None)
    return ComponentMetadata(address, address, "t", "t", (None, {}), dynamic, None)


def test_a_client_that_vanishes_takes_its_session_along(connect: Any) -> None:
    one, two = connect().open(), connect().open()
    session_id = uuid4()
    one.ask(OpenSession(session_id))
    one.ask(Connect("A", "B", session_id))
    two.ask(FollowTopology(1))
    one.close()
    two.pump_until(lambda: two.items)
    assert two.items[0].event.source_session_id == str(session_id)
    snapshot = two.ask(TakeSnapshot()).snapshot
    assert (snapshot.graph, snapshot.sessions) == ({}, {})


def test_a_client_may_end_the_server(server: GraphServer, connect: Any) -> None:
    one, two = connect().open(), connect().open()
    assert one.ask(Shutdown()) == Done()
    for client in (one, two):
        with pytest.raises(ConnectionLost):
            client.pump_until(lambda: False)
        client.close()
    server.join(30)
    assert not server.is_alive()


def test_a_thousand_edges_along_a_chain(connect: Any, record_property: Any) -> None:
    client = connect().open()
    session_id = uuid4()
    client.ask(OpenSession(session_id))
    started = time.perf_counter()
    for number in range(1000):
        assert client.ask(Connect(f"T{number}", f"T{number + 1}", session_id)).topology_changed
    record_property("seconds", time.perf_counter() - started)
    assert len(client.ask(TakeSnapshot()).snapshot.graph) == 1001


def test_requests_may_be_made_faster_than_they_are_answered(connect: Any) -> None:
    client = connect().open()
    request_ids = [client.connection.request(Connect(f"T{number}", f"T{number + 1}")) for number in range(5000)]
    for request_id in request_ids:
        assert client.wait(request_id) == EdgeChanged(topology_changed=True)
    assert client.connection.phase is protocol.Phase.OPEN
