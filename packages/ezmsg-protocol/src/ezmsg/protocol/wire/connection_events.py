"""What comes up on a connection: the events that :class:`ezmsg.protocol.wire.connection.Connection` hands out."""

from typing import Any

from ezmsg.protocol.declared import declared
from ezmsg.protocol.errors import EzmsgError


@declared
class Opened:
    """The handshake is over; requests may be made."""


@declared
class RequestReceived:
    """The peer asks; answer with ``Connection.reply`` or ``Connection.fail``."""

    id: int
    body: Any


@declared
class ReplyReceived:
    """The answer to our request ``id``."""

    id: int
    body: Any


@declared
class FailureReceived:
    """Our request ``id`` failed."""

    id: int
    error: EzmsgError


@declared
class NoticeReceived:
    """The peer tells something and wants no answer."""

    body: Any


@declared
class ItemReceived:
    """One element of the stream that our request ``id`` opened."""

    id: int
    body: Any


@declared
class StreamEnded:
    """The stream that our request ``id`` opened is over."""

    id: int


@declared
class CancelReceived:
    """The peer no longer wants the answer or the stream of its request ``id``."""

    id: int


@declared
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
