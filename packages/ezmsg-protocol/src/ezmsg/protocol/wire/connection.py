"""One connection of the control plane, without a socket: bytes in, events out, and the other way round.

Four verbs drive it: :meth:`Connection.receive_data`, :meth:`Connection.events_received`, the sending methods, and
:meth:`Connection.data_to_send`. Nothing the peer sends makes it raise: a bad frame closes this connection, with
the reason told to the peer and given out as :class:`Closed`; a bad request fails alone.
"""

from collections.abc import Callable
from contextlib import suppress
from enum import Enum, auto
from typing import Any

from ezmsg.protocol.errors import ConnectionLost, EzmsgError, FrameTooLarge, ProtocolViolation, UnknownMessage
from ezmsg.protocol.messages import ENVELOPES, HANDSHAKE, STREAMS
from ezmsg.protocol.messages.envelopes import (
    Body,
    Cancel,
    Failure,
    Goodbye,
    Item,
    Notice,
    Reply,
    Request,
    StreamEnd,
)
from ezmsg.protocol.messages.handshake import Refusal
from ezmsg.protocol.wire import frames
from ezmsg.protocol.wire.codec import body_from_wire, encode, to_wire, unpack_map
from ezmsg.protocol.wire.connection_events import (
    CancelReceived,
    Closed,
    Event,
    FailureReceived,
    ItemReceived,
    NoticeReceived,
    Opened,
    ReplyReceived,
    RequestReceived,
    StreamEnded,
)
from ezmsg.protocol.wire.failures import from_failure, to_failure
from ezmsg.protocol.wire.handshake import ClientHandshake, ServerHandshake

__all__ = [
    "HANDSHAKE_ITEMS",
    "CancelReceived",
    "Closed",
    "Connection",
    "Event",
    "FailureReceived",
    "ItemReceived",
    "NoticeReceived",
    "Opened",
    "Phase",
    "ReplyReceived",
    "RequestReceived",
    "StreamEnded",
]

HANDSHAKE_ITEMS = 64
"""The longest list or map, in items, that an unauthenticated peer may send."""


class Phase(Enum):
    """How far a connection has come."""

    HANDSHAKE = auto()
    OPEN = auto()
    CLOSED = auto()


class Connection:
    """One end of a connection; the kind of handshake decides which end."""

    def __init__(self, handshake: ClientHandshake | ServerHandshake, frame_limit: int = frames.FRAME_LIMIT) -> None:
        self.handshake = handshake
        self.phase = Phase.HANDSHAKE
        self._frame_limit = frame_limit
        self._parser = frames.FrameParser(frames.HANDSHAKE_LIMIT)
        self._events: list[Event] = []
        self._outbox: list[bytes] = []
        self._unsent_bytes = 0
        self._next_id = 0
        self._asked: dict[int, bool] = {}  # our requests without an answer; True for one that opens a stream
        self._streaming: set[int] = set()  # our requests whose stream is open
        self.late_replies = 0
        """How many answers came to what we had cancelled, and were dropped."""
        if isinstance(handshake, ClientHandshake):
            self._send(handshake.start())

    @property
    def closed(self) -> bool:
        """Whether the connection is over, in either direction."""
        return self.phase is Phase.CLOSED

    # --- what the shell calls ---------------------------------------------------------------------------

    def receive_data(self, data: bytes | memoryview) -> None:
        """Take a chunk of bytes from the peer."""
        if self.closed:
            return
        self._parser.feed(data)
        try:
            # The limit rises when the handshake ends, which may be in the middle of a chunk.
            while not self.closed and (body := self._parser.next_body()) is not None:
                self._receive_body(body)
        except EzmsgError as error:
            self.close(error)

    def receive_eof(self) -> None:
        """The peer will send no more."""
        if self.phase is Phase.CLOSED:
            return
        if self.phase is Phase.OPEN and not self._parser.pending:
            self._end(None)
        else:
            what = "in the middle of a frame" if self._parser.pending else "before the handshake was over"
            self._end(ProtocolViolation(reason=f"it closed the connection {what}"))

    def events_received(self) -> list[Event]:
        """Take the events that have come up since the last call."""
        events, self._events = self._events, []
        return events

    def data_to_send(self) -> bytes:
        """Take the bytes that are to be written."""
        data = b"".join(self._outbox)
        self._outbox.clear()
        self._unsent_bytes = 0
        return data

    @property
    def unfinished(self) -> tuple[int, int, int]:
        """The frame that has begun: how many were whole before it, how many bytes are there, and of how many."""
        return self._parser.number, self._parser.pending, self._parser.announced

    @property
    def unsent_bytes(self) -> int:
        """How many bytes :meth:`data_to_send` would return."""
        return self._unsent_bytes

    def close(self, error: EzmsgError | None = None) -> None:
        """End the connection and, if there is a reason, tell it to the peer."""
        if self.phase is Phase.CLOSED:
            return
        if error is not None:
            self._say_farewell(error)
        self._end(error)

    # --- what both sides say ----------------------------------------------------------------------------

    def request(self, body: object, limit: int | None = None) -> int:
        """Ask the peer; the answer comes with the id returned here.

        :param limit: the largest frame for it, in bytes, where less is allowed than usual.
        :raises FrameTooLarge: if the message is larger than a frame may be; the connection lives on.
        :raises ConnectionLost: if the connection is over.
        """
        self._next_id += 1
        self._send(Request(self._next_id, to_wire(body)), limit)
        self._asked[self._next_id] = type(body) in STREAMS
        return self._next_id

    def cancel(self, request_id: int) -> None:
        """Say that the answer or the stream of our request is no longer wanted."""
        if self._forget(request_id):
            self._send(Cancel(request_id))

    def reply(self, request_id: int, body: object) -> None:
        """Answer a request. An answer that is too large becomes a failure, so that the asker hears of it."""
        try:
            self._send(Reply(request_id, to_wire(body)))
        except FrameTooLarge as error:
            self.fail(request_id, error)

    def fail(self, request_id: int, error: BaseException) -> None:
        """Answer a request with a typed failure, or end its stream with one; too large, it says so instead."""
        try:
            self._send(Failure(request_id, *to_failure(error)))
        except FrameTooLarge as too_large:
            self._send(Failure(request_id, *to_failure(too_large)))

    def notify(self, body: object) -> None:
        """Tell the peer something that wants no answer."""
        self._send(Notice(to_wire(body)))

    def item(self, request_id: int, body: object) -> None:
        """Send one element of the stream that the peer's request opened."""
        self._send(Item(request_id, to_wire(body)))

    def end_stream(self, request_id: int) -> None:
        """Say that the stream that the peer's request opened is over."""
        self._send(StreamEnd(request_id))

    # --- inside -----------------------------------------------------------------------------------------

    def _send(self, message: object, at_most: int | None = None) -> None:
        if self.phase is Phase.CLOSED:
            raise ConnectionLost(address="the peer", reason="this side closed the connection")
        limit = frames.HANDSHAKE_LIMIT if self.phase is Phase.HANDSHAKE else self._frame_limit
        frame = frames.frame(encode(message), limit if at_most is None else min(limit, at_most))
        self._outbox.append(frame)
        self._unsent_bytes += len(frame)

    def _say_farewell(self, error: EzmsgError) -> None:
        farewell = Refusal if self.phase is Phase.HANDSHAKE else Goodbye
        with suppress(FrameTooLarge):  # one that does not fit is left away: this runs for what a peer sent
            self._send(farewell(*to_failure(error)))

    def _end(self, error: EzmsgError | None) -> None:
        self.phase = Phase.CLOSED
        self._parser.forget()
        self._asked.clear()
        self._streaming.clear()
        self._events.append(Closed(error))

    def _receive_body(self, data: bytes) -> None:
        if self.phase is Phase.HANDSHAKE:
            self._receive_handshake(unpack_map(data, HANDSHAKE_ITEMS))
            return
        message = body_from_wire(unpack_map(data), ENVELOPES)
        _HANDLERS[type(message)](self, message)

    def _receive_handshake(self, value: dict[Any, Any]) -> None:
        message = body_from_wire(value, HANDSHAKE)
        try:
            answer = self.handshake.receive(message)
        except EzmsgError as error:
            if isinstance(message, Refusal):  # the peer has said why, and knows it
                self._end(error)
                return
            raise
        if answer is not None:
            self._send(answer)
        if self.handshake.done:
            self.phase = Phase.OPEN
            self._parser.limit = self._frame_limit
            self._events.append(Opened())

    def _receive_request(self, message: Request) -> None:
        try:
            body = body_from_wire(message.body)
        except EzmsgError as error:
            self.fail(message.id, error)  # this request fails alone
        else:
            self._events.append(RequestReceived(message.id, body))

    def _receive_reply(self, message: Reply) -> None:
        if message.id not in self._asked:
            self.late_replies += 1
            return
        opens_stream = self._asked.pop(message.id)
        try:
            self._events.append(ReplyReceived(message.id, body_from_wire(message.body)))
        except EzmsgError as error:
            self._events.append(FailureReceived(message.id, error))
            if opens_stream:  # nobody will read it
                self._send(Cancel(message.id))
        else:
            if opens_stream:
                self._streaming.add(message.id)

    def _receive_failure(self, message: Failure) -> None:
        if self._forget(message.id):
            error = from_failure(message.code, message.text, message.fields)
            self._events.append(FailureReceived(message.id, error))
        else:
            self.late_replies += 1

    def _receive_notice(self, message: Notice) -> None:
        body = self._known(message.body)
        if body is not None:
            self._events.append(NoticeReceived(body))

    def _receive_item(self, message: Item) -> None:
        self._check_streams(message.id)
        body = self._known(message.body)
        if body is not None and message.id in self._streaming:
            self._events.append(ItemReceived(message.id, body))

    def _receive_end(self, message: StreamEnd) -> None:
        self._check_streams(message.id)
        if self._forget(message.id):
            self._events.append(StreamEnded(message.id))

    def _receive_cancel(self, message: Cancel) -> None:
        self._events.append(CancelReceived(message.id))

    def _receive_goodbye(self, message: Goodbye) -> None:
        self._end(from_failure(message.code, message.text, message.fields))

    def _forget(self, request_id: int) -> bool:
        """End one of our requests; return whether it was open."""
        streamed = request_id in self._streaming
        self._streaming.discard(request_id)
        return self._asked.pop(request_id, None) is not None or streamed

    def _check_streams(self, request_id: int) -> None:
        """A stream that was cancelled may still trickle in; one that was never opened may not."""
        if request_id in self._asked:
            raise ProtocolViolation(reason=f"it streams for request {request_id}, which has had no reply")

    def _known(self, body: Body) -> Any:
        """A notice or item that a later minor revision added is not for us; nobody waits for an answer to it."""
        try:
            return body_from_wire(body)
        except UnknownMessage:
            return None


_HANDLERS: dict[type, Callable[[Connection, Any], None]] = {
    Request: Connection._receive_request,
    Reply: Connection._receive_reply,
    Failure: Connection._receive_failure,
    Notice: Connection._receive_notice,
    Item: Connection._receive_item,
    StreamEnd: Connection._receive_end,
    Cancel: Connection._receive_cancel,
    Goodbye: Connection._receive_goodbye,
}
