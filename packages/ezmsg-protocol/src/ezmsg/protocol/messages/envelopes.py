"""What wraps every message after the handshake: who asked, which answer belongs to it, what ended.

Both sides may ask. A request ends in exactly one ``Reply`` or ``Failure`` with its id. A request that opens a
stream is answered by a ``Reply``, then any number of ``Item``, then one ``StreamEnd``. Bodies are left packed as
plain maps here, so that a body this release does not know fails alone and not the whole connection.
"""

from typing import Any, ClassVar, NewType

from attrs import field

from ezmsg.protocol.declared import declared

Body = NewType("Body", dict[str, Any])
"""A message as a map with its tag under ``"type"``: on the way out what ``to_wire`` returned, on the way in not
yet given its class. The codec lets it through as it is, because what is plain already must not be made so again."""

Fields = NewType("Fields", dict[str, Any])
"""The fields of an error, let through like a body."""


def no_fields() -> Fields:
    """Return the fields of an error that has none."""
    return Fields({})


@declared
class Request:
    """Ask the other side; ``id`` is chosen by who asks and unique among its open requests."""

    TAG: ClassVar[str] = "request"
    id: int
    body: Body


@declared
class Reply:
    """The answer to a request."""

    TAG: ClassVar[str] = "reply"
    id: int
    body: Body


@declared
class Failure:
    """The typed failure of a request: an error's code, sentence and fields."""

    TAG: ClassVar[str] = "failure"
    id: int
    code: str
    text: str
    fields: Fields = field(factory=no_fields)


@declared
class Notice:
    """One way, no answer."""

    TAG: ClassVar[str] = "notice"
    body: Body


@declared
class Item:
    """One element of the stream that request ``id`` opened."""

    TAG: ClassVar[str] = "item"
    id: int
    body: Body


@declared
class StreamEnd:
    """No more items will come for request ``id``."""

    TAG: ClassVar[str] = "end"
    id: int


@declared
class Cancel:
    """Whoever made request ``id`` no longer wants its answer or its stream."""

    TAG: ClassVar[str] = "cancel"
    id: int


@declared
class Goodbye:
    """The sender closes the connection, and why."""

    TAG: ClassVar[str] = "goodbye"
    code: str
    text: str
    fields: Fields = field(factory=no_fields)


MESSAGES = (Request, Reply, Failure, Notice, Item, StreamEnd, Cancel, Goodbye)
