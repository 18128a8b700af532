"""One end of a connection against anything at all: it never raises, and ends at most once."""

import tracemalloc
from collections.abc import Callable
from typing import Any
from uuid import UUID

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ezmsg.protocol import messages
from ezmsg.protocol.errors import EzmsgError, FrameTooLarge, InvalidMessage, MalformedFrame, UnknownMessage
from ezmsg.protocol.messages.events import FollowTopology
from ezmsg.protocol.messages.sessions import ClearSession, Done
from ezmsg.protocol.testing import bodies, envelopes, handshake_messages, plain_values
from ezmsg.protocol.wire import frames
from ezmsg.protocol.wire.codec import encode
from ezmsg.protocol.wire.connection import Closed, Connection, Event, Opened
from ezmsg.protocol.wire.handshake import ClientHandshake, ServerHandshake
from ezmsg.protocol.wire.plain import pack, to_plain

ID = UUID(int=3)


def client(token: bytes = b"token", **options: Any) -> Connection:
    return Connection(ClientHandshake(lambda: token, b"c" * 32, ID), **options)


def server(token: bytes = b"token", **options: Any) -> Connection:
    return Connection(ServerHandshake(token, b"s" * 32, ID), **options)


def shuttle(one: Connection, other: Connection) -> None:
    """Carry bytes to and fro until there are none."""
    while True:
        there, back = one.data_to_send(), other.data_to_send()
        if not there and not back:
            return
        other.receive_data(there)
        one.receive_data(back)


def opened(**options: Any) -> tuple[Connection, Connection]:
    """Two ends whose handshake is over."""
    a, b = client(**options), server(**options)
    shuttle(a, b)
    assert a.events_received() == b.events_received() == [Opened()]
    return a, b


def only_closed(connection: Connection) -> EzmsgError | None:
    """The error of a connection that did nothing but end."""
    (event,) = connection.events_received()
    assert isinstance(event, Closed)
    assert connection.closed
    return event.error


def open_server() -> Connection:
    return opened()[1]


def open_client() -> Connection:
    """With a request and a stream for the peer to play with."""
    a, b = opened()
    followed = a.request(FollowTopology())
    shuttle(a, b)
    b.reply(followed, Done())
    shuttle(a, b)
    a.events_received()
    a.request(ClearSession(ID))
    a.data_to_send()
    return a


ENDS = st.sampled_from([client, server, open_client, open_server])


def check_ends_well(connection: Connection, chunks: list[bytes]) -> None:
    """Whatever the chunks, the connection is open, or it ended exactly once and last; what it says is readable."""
    events: list[Event] = []
    for chunk in chunks:
        connection.receive_data(chunk)
        events += connection.events_received()
    for event in events:
        assert isinstance(repr(event), str)
    endings = [place for place, event in enumerate(events) if isinstance(event, Closed)]
    assert endings == ([len(events) - 1] if connection.closed else [])
    connection.receive_eof()
    events += connection.events_received()
    assert [type(event) for event in events].count(Closed) == 1
    error = events[-1].error  # type: ignore[union-attr]
    assert error is None or str(error)
    parser = frames.FrameParser(frames.FRAME_LIMIT)
    parser.feed(connection.data_to_send())
    for body in iter(parser.next_body, None):
        assert msgpack.unpackb(body, strict_map_key=False)["type"]
    assert parser.pending == 0


@given(ENDS, st.lists(st.binary(max_size=100), max_size=5))
def test_any_bytes_end_well(end: Callable[[], Connection], chunks: list[bytes]) -> None:
    check_ends_well(end(), chunks)


@given(ENDS, st.lists(st.binary(max_size=40), max_size=5))
def test_any_framed_bytes_end_well(end: Callable[[], Connection], bodies_: list[bytes]) -> None:
    check_ends_well(end(), [frames.frame(body) for body in bodies_])


@given(ENDS, st.lists(plain_values(), max_size=4))
def test_any_framed_values_end_well(end: Callable[[], Connection], values: list[object]) -> None:
    check_ends_well(end(), [frames.frame(pack(to_plain(value))) for value in values])


TAGS = st.sampled_from([cls.TAG for cls in (*messages.ENVELOPES, *messages.HANDSHAKE, *messages.BODIES)])
NAMES = st.sampled_from(["id", "body", "code", "text", "fields", "nonce", "proof", "revision", "package"])


@st.composite
def half_right(draw: st.DrawFn) -> dict[str, Any]:
    """A map with a real tag and real field names, and any values in them."""
    body = st.dictionaries(st.text(), plain_values(), max_size=2) | st.deferred(half_right)
    number = st.integers(0, 3) | st.just(2**70) | st.just(-1)
    fields = draw(st.dictionaries(NAMES, plain_values() | body | number, max_size=4))
    return {"type": draw(TAGS), **fields}


@given(ENDS, st.lists(half_right(), min_size=1, max_size=4))
def test_half_right_messages_end_well(end: Callable[[], Connection], maps: list[dict[str, Any]]) -> None:
    check_ends_well(end(), [frames.frame(pack(to_plain(value))) for value in maps])


@given(ENDS, st.lists(envelopes() | handshake_messages() | bodies(), min_size=1, max_size=4))
def test_right_messages_in_any_order_end_well(end: Callable[[], Connection], sent: list[object]) -> None:
    check_ends_well(end(), [frames.frame(encode(message)) for message in sent])


@given(ENDS, st.lists(envelopes() | handshake_messages(), min_size=1, max_size=3), st.data())
def test_mutated_frames_end_well(end: Callable[[], Connection], sent: list[object], data: st.DataObject) -> None:
    stream = bytearray(b"".join(frames.frame(encode(message)) for message in sent))
    for _ in range(data.draw(st.integers(1, 4))):
        stream[data.draw(st.integers(0, len(stream) - 1))] = data.draw(st.integers(0, 255))
    middle = data.draw(st.integers(0, len(stream)))
    check_ends_well(end(), [bytes(stream[:middle]), bytes(stream[middle:])])


@given(st.integers(0, 200), st.lists(envelopes(), min_size=1, max_size=3))
def test_a_small_frame_limit_ends_well(limit: int, sent: list[object]) -> None:
    connection = server(frame_limit=limit)
    shuttle(client(), connection)
    connection.events_received()
    check_ends_well(connection, [frames.frame(encode(message)) for message in sent])


@pytest.mark.parametrize("number", [2**64, -(2**63) - 1, 2**70, True, 1.0, "1", None])
def test_an_id_is_a_64_bit_integer(number: Any) -> None:
    _, b = opened()
    b.receive_data(frames.frame(pack(to_plain({"type": "request", "id": number, "body": {"type": "none"}}))))
    assert isinstance(only_closed(b), InvalidMessage)


# --- bombs -------------------------------------------------------------------------------------------------------


def nested_arrays() -> bytes:
    """Arrays that announce all that is allowed and hold the next one first."""
    return (b"\xdc\x00\x40" * 30_000)[: frames.HANDSHAKE_LIMIT]


def huge_array() -> bytes:
    return b"\xdd\xff\xff\xff\xff" + bytes(60_000)


def huge_map() -> bytes:
    return b"\xdf\xff\xff\xff\xff" + bytes(60_000)


def huge_bytes() -> bytes:
    return b"\xc6\xff\xff\xff\xff" + bytes(60_000)


def nested_tags(depth: int) -> bytes:
    data = pack([bytes(60_000)])
    for _ in range(depth):
        data = b"\x91" + pack(msgpack.ExtType(2, data))
    return data


def nested_tags_with_arrays() -> bytes:
    data = b"\xc0"
    for _ in range(32):
        data = pack(msgpack.ExtType(2, b"\xdc\x00\x40" * 500 + data))
    return data


def huge_integer() -> bytes:
    return pack({"type": msgpack.ExtType(1, b"\xff" * 60_000)})


BOMBS: dict[str, Callable[[], bytes]] = {
    "nested arrays": nested_arrays,
    "huge array": huge_array,
    "huge map": huge_map,
    "huge bytes": huge_bytes,
    "tags nested as deep as allowed": lambda: nested_tags(32),
    "tags nested deeper than allowed": lambda: nested_tags(33),
    "tags nested without end": lambda: nested_tags(500),
    "tags and arrays": nested_tags_with_arrays,
    "huge integer": huge_integer,
    "unknown tag": lambda: pack({"type": "x" * 60_000}),
    "many tags": lambda: pack({"type": [msgpack.ExtType(2, b"\x90")] * 64}),
    "unhashable key": lambda: b"\x81\x90\xc0",
}


@pytest.mark.parametrize("bomb", BOMBS)
@pytest.mark.parametrize("end", [client, server])
def test_bombs_in_the_handshake_take_no_memory(end: Callable[[], Connection], bomb: str) -> None:
    data = frames.frame(BOMBS[bomb](), 2**20)
    connection = end()
    connection.data_to_send()
    tracemalloc.start()
    try:
        connection.receive_data(data)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    # Three bytes can ask for a list of 64 places, so 64 KiB for 11 MiB; without the limits it would be gigabytes.
    assert peak < 16 * 2**20
    assert isinstance(only_closed(connection), MalformedFrame | UnknownMessage | FrameTooLarge)
    peer = client() if end is server else server()
    peer.receive_data(connection.data_to_send())
    assert type(only_closed(peer)) in (MalformedFrame, UnknownMessage, FrameTooLarge), (
        "the peer is told in few words"
    )


def test_a_frame_larger_than_the_handshake_allows_is_refused_by_its_length() -> None:
    connection = server()
    connection.receive_data((frames.HANDSHAKE_LIMIT + 1).to_bytes(4, "little"))
    assert isinstance(only_closed(connection), FrameTooLarge)
