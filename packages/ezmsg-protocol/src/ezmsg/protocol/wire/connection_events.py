"""What comes up on a connection: the events that :class:`ezmsg.protocol.wire.connection.Connection` hands out."""

from typing import Any

from attrs import frozen

from ezmsg.protocol.errors import EzmsgError


@frozen
class Opened:
    """The handshake is over; requests may be made."""


@frozen
class RequestReceived:
    """The peer asks; answer with ``Connection.reply`` or ``Connection.fail``."""

    id: int
    body: Any


@frozen
class ReplyReceived:
    """The answer to our request ``id``."""

    id: int
    body: Any


@frozen
class FailureReceived:
    """Our request ``id`` failed."""

    id: int
    error: EzmsgError


@frozen
class NoticeReceived:
    """The peer tells something and wants no answer."""

    body: Any


@frozen
class ItemReceived:
    """One element of the stream that our request ``id`` opened."""

    id: int
    body: Any


@frozen
class StreamEnded:
    """The stream that our request ``id`` opened is over."""

    id: int


@frozen
class CancelReceived:
    """The peer no longer wants the answer or the stream of its request ``id``."""

    id: int


@frozen
class Closed:
    """The connection is over; ``error`` says why, or is ``None`` after a clean end."""

    error: EzmsgError | None


Event = (
    Opened
    | RequestReceived
    | ReplyReceived
    | FailureReceived
    | NoticeReceived
    | ItemReceived
    | StreamEnded
    | CancelReceived
    | Closed
)
