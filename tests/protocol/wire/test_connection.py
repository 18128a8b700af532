"""Connections: two ends wired together under any chunking, and one end against anything at all."""

import pickle
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ezmsg.protocol import messages
from ezmsg.protocol.errors import (
    AuthenticationFailed,
    ConnectionLost,
    CyclicException,
    EzmsgError,
    FrameTooLarge,
    InternalError,
    InvalidMessage,
    ProtocolViolation,
    RemoteError,
    ServerOverloaded,
    UnknownMessage,
    VersionMismatch,
)
from ezmsg.protocol.messages.envelopes import Body, Cancel, Goodbye, Item, Notice, Reply, Request, StreamEnd
from ezmsg.protocol.messages.events import FollowTopology, Gap
from ezmsg.protocol.messages.handshake import Hello, Refusal, Welcome
from ezmsg.protocol.messages.service import TakeTopology, Topology
from ezmsg.protocol.messages.sessions import Done, EdgeChanged, OpenSession
from ezmsg.protocol.revisions import CURRENT, PACKAGE_VERSION, Revision
from ezmsg.protocol.testing import bodies, errors, plain_values, requests
from ezmsg.protocol.wire import frames
from ezmsg.protocol.wire.codec import encode, to_wire
from ezmsg.protocol.wire.connection import (
    CancelReceived,
    Closed,
    Connection,
    Event,
    FailureReceived,
    ItemReceived,
    NoticeReceived,
    Opened,
    Phase,
    ReplyReceived,
    RequestReceived,
    StreamEnded,
)
from ezmsg.protocol.wire.handshake import ClientHandshake, ServerHandshake
from ezmsg.protocol.wire.plain import to_plain

ID = UUID(int=3)


def client(token: bytes = b"token", revision: Revision = CURRENT, **options: Any) -> Connection:
    return Connection(ClientHandshake(lambda: token, b"c" * 32, ID, revision=revision), **options)


def server(token: bytes = b"token", revision: Revision = CURRENT, **options: Any) -> Connection:
    return Connection(ServerHandshake(token, b"s" * 32, ID, revision=revision), **options)


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


def receive(connection: Connection, *sent: object) -> list[Event]:
    """Give a connection messages and take what comes up."""
    connection.receive_data(b"".join(frames.frame(encode(message)) for message in sent))
    return connection.events_received()


def only_closed(connection: Connection) -> EzmsgError | None:
    """The error of a connection that did nothing but end."""
    (event,) = connection.events_received()
    assert isinstance(event, Closed)
    assert connection.closed
    return event.error


# --- both ends ---------------------------------------------------------------------------------------------------


class Wire:
    """One direction of a stream, cut into chunks as the test likes."""

    def __init__(self, sender: Connection, receiver: Connection) -> None:
        self.sender, self.receiver = sender, receiver
        self.bytes = bytearray()

    def carry(self, count: int) -> None:
        self.bytes += self.sender.data_to_send()
        self.receiver.receive_data(bytes(self.bytes[:count]))
        del self.bytes[:count]


CHUNKS = st.integers(1, 40) | st.just(100_000)


@given(st.lists(st.tuples(st.booleans(), CHUNKS), max_size=30))
def test_the_handshake_survives_any_chunking(steps: list[tuple[bool, int]]) -> None:
    a, b = client(), server()
    wires = Wire(a, b), Wire(b, a)
    for direction, count in steps:
        wires[direction].carry(count)
    for _ in range(3):
        for wire in wires:
            wire.carry(100_000)
    assert a.events_received() == b.events_received() == [Opened()]
    assert a.phase is b.phase is Phase.OPEN


@given(st.data())
def test_every_request_gets_exactly_one_reply_or_failure(data: st.DataObject) -> None:
    ends = opened()
    wires = Wire(*ends), Wire(*reversed(ends))
    asked: list[dict[int, object]] = [{}, {}]
    owed: list[list[int]] = [[], []]
    answers: list[dict[int, object]] = [{}, {}]
    heard: list[dict[int, object]] = [{}, {}]

    def absorb(side: int) -> None:
        for event in ends[side].events_received():
            match event:
                case RequestReceived(number, body):
                    assert asked[1 - side][number] == body
                    owed[side].append(number)
                case ReplyReceived(number, body):
                    assert number not in heard[side]
                    heard[side][number] = body
                case FailureReceived(number, error):
                    assert number not in heard[side]
                    heard[side][number] = (type(error), error.fields())
                case _:
                    raise AssertionError(event)

    def answer(side: int, number: int) -> None:
        owed[side].remove(number)
        if data.draw(st.booleans()):
            body = data.draw(bodies())
            ends[side].reply(number, body)
            answers[1 - side][number] = body
        else:
            error = data.draw(errors())
            ends[side].fail(number, error)
            answers[1 - side][number] = (type(error), error.fields())

    plain_requests = requests().filter(lambda body: type(body) not in messages.STREAMS)
    for _ in range(data.draw(st.integers(0, 8))):
        side = data.draw(st.integers(0, 1))
        if owed[side] and data.draw(st.booleans()):
            answer(side, data.draw(st.sampled_from(owed[side])))  # in any order
        elif data.draw(st.booleans()):
            body = data.draw(plain_requests)
            asked[side][ends[side].request(body)] = body
        wires[data.draw(st.integers(0, 1))].carry(data.draw(CHUNKS))
        absorb(0)
        absorb(1)
    for _ in range(2):
        for side in (0, 1):
            wires[side].carry(1_000_000)
            absorb(1 - side)
            for number in list(owed[1 - side]):
                answer(1 - side, number)
    for side in (0, 1):
        wires[side].carry(1_000_000)
        absorb(1 - side)
        assert heard[1 - side].keys() == asked[1 - side].keys()
        assert heard[1 - side] == answers[1 - side]


def test_ids_are_unique_on_each_side_and_both_sides_may_ask() -> None:
    a, b = opened()
    numbers = [a.request(TakeTopology()) for _ in range(3)]
    assert len(set(numbers)) == 3
    assert b.request(TakeTopology()) in numbers
    shuttle(a, b)
    assert [event.id for event in b.events_received() if isinstance(event, RequestReceived)] == numbers


@given(bodies())
def test_a_notice_wants_no_answer(body: object) -> None:
    a, b = opened()
    a.notify(body)
    shuttle(a, b)
    assert b.events_received() == [NoticeReceived(body)]
    assert a.events_received() == []


@pytest.mark.parametrize(
    ("client_token", "server_token"),
    [(b"one", b"other"), (b"", b"other"), (b"one", b"")],
    ids=["wrong", "none", "odd"],
)
def test_another_token_is_a_typed_error_on_both_sides(client_token: bytes, server_token: bytes) -> None:
    a, b = client(client_token), server(server_token)
    shuttle(a, b)
    ours, theirs = only_closed(a), only_closed(b)
    assert type(ours) is type(theirs) is AuthenticationFailed
    assert ours.fields() == theirs.fields()
    assert ("this client has none" in ours.reason) == (not client_token)


@pytest.mark.parametrize("theirs", [Revision(0, 9), Revision(2, 0)])
def test_another_major_revision_is_a_typed_error_on_both_sides(theirs: Revision) -> None:
    for a, b in ((client(revision=theirs), server()), (client(), server(revision=theirs))):
        shuttle(a, b)
        one, other = only_closed(a), only_closed(b)
        assert type(one) is type(other) is VersionMismatch
        assert one.fields() == other.fields()


@given(st.integers(0, 9))
def test_another_minor_revision_is_no_obstacle(minor: int) -> None:
    a, b = client(revision=Revision(CURRENT.major, minor)), server()
    shuttle(a, b)
    assert a.events_received() == b.events_received() == [Opened()]
    assert a.handshake.revision == b.handshake.revision == min(CURRENT, (CURRENT.major, minor))


@pytest.mark.parametrize("end", [client, server])
@pytest.mark.parametrize("message", [Welcome(ID), Request(1, Body({"type": "done"})), Done()], ids=lambda m: m.TAG)
def test_messages_out_of_turn_are_typed_errors_on_both_sides(
    end: Callable[[], Connection], message: object
) -> None:
    victim, peer = end(), client() if end is server else server()
    peer.data_to_send()
    victim.data_to_send()
    receive_only(victim, message)
    peer.receive_data(victim.data_to_send())
    ours, theirs = only_closed(victim), only_closed(peer)
    assert type(ours) is type(theirs)
    assert isinstance(ours, ProtocolViolation | UnknownMessage)
    assert ours.fields() == theirs.fields()


def receive_only(connection: Connection, message: object) -> None:
    connection.receive_data(frames.frame(encode(message)))


def test_a_handshake_message_on_an_open_connection_ends_it_on_both_sides() -> None:
    a, b = opened()
    receive_only(b, Hello(CURRENT, PACKAGE_VERSION, b"c" * 32, ID))
    shuttle(a, b)
    assert type(only_closed(b)) is type(only_closed(a)) is UnknownMessage


@given(errors())
def test_the_reason_of_a_goodbye_arrives(error: EzmsgError) -> None:
    a, b = opened()
    number = a.request(TakeTopology())
    b.close(error)
    shuttle(a, b)
    reason = only_closed(a)
    assert type(reason) is type(error)
    assert reason.fields() == error.fields()
    assert only_closed(b) is error
    with pytest.raises(ConnectionLost):
        a.request(TakeTopology())
    a.cancel(number)  # is over anyway
    assert a.data_to_send() == b""


@given(errors())
def test_the_reason_of_a_refusal_arrives(error: EzmsgError) -> None:
    a, b = client(), server()
    b.close(error)
    shuttle(a, b)
    reason = only_closed(a)
    assert type(reason) is type(error)
    assert reason.fields() == error.fields()
    assert a.data_to_send() == b"", "a refusal is not refused in its turn"


def test_closing_is_said_once() -> None:
    a, _ = opened()
    a.close()
    a.close(ServerOverloaded(reason="too late"))
    a.receive_eof()
    receive(a, Done())
    assert a.data_to_send() == b""
    assert a.events_received() == []


def test_closing_without_a_reason_says_nothing() -> None:
    a, b = opened()
    a.close()
    assert only_closed(a) is None
    assert a.data_to_send() == b""
    b.receive_eof()
    assert only_closed(b) is None


@pytest.mark.parametrize("end", [client, server])
def test_an_end_before_the_handshake_is_over_is_an_error(end: Callable[[], Connection]) -> None:
    connection = end()
    connection.receive_eof()
    error = only_closed(connection)
    assert isinstance(error, ProtocolViolation)
    assert "before the handshake was over" in error.reason


def test_an_end_in_the_middle_of_a_frame_is_an_error() -> None:
    a, b = opened()
    a.notify(Done())
    b.receive_data(a.data_to_send()[:-1])
    b.receive_eof()
    error = only_closed(b)
    assert isinstance(error, ProtocolViolation)
    assert "in the middle of a frame" in error.reason


def test_what_came_before_the_end_is_given_out_before_it() -> None:
    a, b = opened()
    a.notify(Done())
    a.notify(Gap(1, 2))
    b.receive_data(a.data_to_send())
    b.receive_eof()
    assert b.events_received() == [NoticeReceived(Done()), NoticeReceived(Gap(1, 2)), Closed(None)]


# --- streams and cancelling --------------------------------------------------------------------------------------


def stream() -> tuple[Connection, Connection, int]:
    """Two ends and the id of a stream that is open between them."""
    a, b = opened()
    number = a.request(FollowTopology())
    shuttle(a, b)
    assert b.events_received() == [RequestReceived(number, FollowTopology())]
    b.reply(number, Done())
    shuttle(a, b)
    assert a.events_received() == [ReplyReceived(number, Done())]
    return a, b, number


@given(st.lists(st.builds(Gap, st.integers(0, 9), st.integers(0, 9)), max_size=5), CHUNKS)
def test_a_stream_is_a_reply_then_items_then_an_end(gaps: list[Gap], chunk: int) -> None:
    a, b, number = stream()
    for gap in gaps:
        b.item(number, gap)
    b.end_stream(number)
    data = b.data_to_send()
    for start in range(0, len(data), chunk):
        a.receive_data(data[start : start + chunk])
    assert a.events_received() == [*(ItemReceived(number, gap) for gap in gaps), StreamEnded(number)]
    b.item(number, Gap(1, 2))
    b.end_stream(number)
    shuttle(a, b)
    assert a.events_received() == [], "nothing comes after the end"


def test_a_stream_may_end_in_a_failure() -> None:
    a, b, number = stream()
    b.item(number, Gap(1, 2))
    b.fail(number, ServerOverloaded(reason="you read too slowly"))
    b.item(number, Gap(3, 4))
    shuttle(a, b)
    item, failure = a.events_received()
    assert item == ItemReceived(number, Gap(1, 2))
    assert isinstance(failure, FailureReceived)
    assert isinstance(failure.error, ServerOverloaded)


def test_a_cancelled_stream_is_silent_at_once() -> None:
    a, b, number = stream()
    b.item(number, Gap(1, 2))
    a.cancel(number)
    a.cancel(number)
    shuttle(a, b)
    assert a.events_received() == []
    assert b.events_received() == [CancelReceived(number)]
    b.end_stream(number)
    shuttle(a, b)
    assert a.events_received() == []


def test_a_cancelled_request_gets_no_answer() -> None:
    a, b = opened()
    replied, failed = a.request(TakeTopology()), a.request(TakeTopology())
    shuttle(a, b)
    b.events_received()
    a.cancel(replied)
    a.cancel(failed)
    b.reply(replied, Topology([]))
    b.fail(failed, CyclicException(from_topic="A", to_topic="A", path=["A"]))
    shuttle(a, b)
    assert a.events_received() == []
    assert b.events_received() == [CancelReceived(replied), CancelReceived(failed)]
    assert (a.late_replies, b.late_replies) == (2, 0)


def test_cancelling_what_was_never_asked_says_nothing() -> None:
    a, _ = opened()
    a.cancel(7)
    assert a.data_to_send() == b""


@pytest.mark.parametrize("streamed", [Item(1, Body(to_wire(Gap(1, 2)))), StreamEnd(1)], ids=lambda m: m.TAG)
@pytest.mark.parametrize("asked", [TakeTopology(), FollowTopology()], ids=["request", "stream"])
def test_streaming_for_a_request_without_a_reply_breaks_the_protocol(asked: object, streamed: object) -> None:
    a, _ = opened()
    assert a.request(asked) == 1
    (event,) = receive(a, streamed)
    assert isinstance(event, Closed)
    assert isinstance(event.error, ProtocolViolation)


def test_a_stream_whose_reply_cannot_be_read_is_cancelled() -> None:
    a, b = opened()
    number = a.request(FollowTopology())
    shuttle(a, b)
    b.events_received()
    (event,) = receive(a, Reply(number, Body({"type": "a later reply"})))
    assert isinstance(event, FailureReceived)
    assert isinstance(event.error, UnknownMessage)
    shuttle(a, b)
    assert b.events_received() == [CancelReceived(number)]


# --- what fails alone --------------------------------------------------------------------------------------------


@given(tag=st.text(), fields=st.dictionaries(st.text(), plain_values(), max_size=3))
def test_an_unknown_request_fails_alone(tag: str, fields: dict[str, Any]) -> None:
    a, b = opened()
    number = a.request(TakeTopology())
    a.data_to_send()
    assert receive(b, Request(number, Body(to_plain(fields | {"type": f"later.{tag}"})))) == []
    shuttle(a, b)
    (event,) = a.events_received()
    assert isinstance(event, FailureReceived)
    assert event.id == number
    assert isinstance(event.error, UnknownMessage)
    assert event.error.tag == f"later.{tag}"[:80]
    again = a.request(TakeTopology())
    shuttle(a, b)
    assert b.events_received() == [RequestReceived(again, TakeTopology())]


def test_an_invalid_request_fails_alone() -> None:
    a, b = opened()
    number = a.request(OpenSession(ID))
    a.data_to_send()
    assert receive(b, Request(number, Body({"type": OpenSession.TAG, "session_id": "x"}))) == []
    shuttle(a, b)
    (event,) = a.events_received()
    assert isinstance(event, FailureReceived)
    assert isinstance(event.error, InvalidMessage)
    assert event.error.reason == "expected a UUID of 16 bytes @ $.session_id"


def test_a_reply_that_cannot_be_read_fails_its_request_alone() -> None:
    a, _ = opened()
    one, other = a.request(OpenSession(ID)), a.request(OpenSession(ID))
    bad = Reply(one, Body({"type": EdgeChanged.TAG, "topology_changed": 3}))
    failed, replied = receive(a, bad, Reply(other, Body(to_wire(Done()))))
    assert isinstance(failed, FailureReceived)
    assert isinstance(failed.error, InvalidMessage)
    assert replied == ReplyReceived(other, Done())


def test_unknown_notices_and_items_are_skipped() -> None:
    a, _, number = stream()
    later = Body({"type": "a later message"})
    known = Body(to_wire(Gap(1, 2)))
    events = receive(a, Notice(later), Item(number, later), Item(number, known))
    assert events == [ItemReceived(number, Gap(1, 2))]


def test_answers_to_nothing_are_skipped() -> None:
    a, _ = opened()
    done = Body(to_wire(Done()))
    assert receive(a, Reply(9, done), Item(9, done), StreamEnd(9)) == []
    assert not a.closed


def test_a_cancel_is_passed_on() -> None:
    a, _ = opened()
    assert receive(a, Cancel(9)) == [CancelReceived(9)]


def test_a_request_that_is_too_large_leaves_the_connection_as_it_was() -> None:
    a, b = opened(frame_limit=1000)
    with pytest.raises(FrameTooLarge):
        a.request(EdgeChanged(True, ["x" * 1000]))
    number = a.request(TakeTopology())
    shuttle(a, b)
    assert b.events_received() == [RequestReceived(number, TakeTopology())]


@pytest.mark.parametrize("too_large", ["reply", "failure"])
def test_an_answer_that_is_too_large_becomes_a_failure(too_large: str) -> None:
    a, b = opened(frame_limit=1000)
    number = a.request(TakeTopology())
    shuttle(a, b)
    if too_large == "reply":
        b.reply(number, EdgeChanged(True, ["x" * 1000]))
    else:
        b.fail(number, InternalError(reason="x" * 1000))
    shuttle(a, b)
    (event,) = a.events_received()
    assert isinstance(event, FailureReceived)
    assert isinstance(event.error, FrameTooLarge)
    assert event.error.limit == 1000


def test_an_error_of_the_application_becomes_an_internal_error() -> None:
    a, b = opened()
    number = a.request(TakeTopology())
    shuttle(a, b)
    b.fail(number, ZeroDivisionError("division by zero"))
    shuttle(a, b)
    (event,) = a.events_received()
    assert isinstance(event, FailureReceived)
    assert isinstance(event.error, InternalError)
    assert event.error.reason == "ZeroDivisionError: division by zero"


# --- sizes and the last words ------------------------------------------------------------------------------------


def test_large_frames_are_taken_in_the_chunk_that_ends_the_handshake() -> None:
    a, b = client(), server()
    b.receive_data(a.data_to_send())
    a.receive_data(b.data_to_send())
    large = EdgeChanged(True, ["x" * (2 * frames.HANDSHAKE_LIMIT)])
    proof = a.data_to_send()
    b.receive_data(proof + frames.frame(encode(Notice(Body(to_wire(large))))))
    assert b.events_received() == [Opened(), NoticeReceived(large)]


def test_a_refusal_that_the_peer_could_not_take_is_left_away() -> None:
    a, b = client(), server()
    b.close(InternalError(reason="x" * frames.HANDSHAKE_LIMIT))
    assert b.data_to_send() == b""
    assert isinstance(only_closed(b), InternalError)
    a.receive_eof()
    assert isinstance(only_closed(a), ProtocolViolation)


def test_a_refusal_of_the_peer_is_given_out_as_it_is() -> None:
    a = client()
    (event,) = receive(a, Refusal("EZ-7777", "A later error."))
    assert isinstance(event, Closed)
    assert isinstance(event.error, RemoteError)


def test_errors_of_a_peer_can_be_pickled_with_their_event() -> None:
    a, _ = opened()
    (event,) = receive(a, Goodbye("EZ-7777", "A later error."))
    again = pickle.loads(pickle.dumps(event))
    assert isinstance(again.error, RemoteError)
    assert again.error.remote_code == "EZ-7777"
