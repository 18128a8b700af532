"""Errors on the wire: the code, the sentence and the fields go out, the same class comes back."""

from typing import NamedTuple

from ezmsg.protocol.errors import EzmsgError, InternalError, InvalidMessage, RemoteError, error_classes
from ezmsg.protocol.messages.envelopes import Fields
from ezmsg.protocol.wire.codec import from_wire, to_wire
from ezmsg.protocol.wire.plain import to_plain


class FailureParts(NamedTuple):
    """An error taken apart for its journey."""

    code: str
    text: str
    fields: Fields


def to_failure(error: BaseException) -> FailureParts:
    """Take an error apart; one that is not of our tree becomes an :class:`InternalError`.

    One that came from elsewhere and is not known here goes on as it came: others may know it.
    """
    if isinstance(error, RemoteError):
        return FailureParts(error.remote_code, error.text, Fields(to_plain(error.remote_fields)))
    if not isinstance(error, EzmsgError):
        error = InternalError(reason=_said(error))
    return FailureParts(error.code, error.sentence(), to_wire(error))


def from_failure(code: str, text: str, fields: Fields) -> EzmsgError:
    """Put an error together again; one whose code or fields are not known here becomes a :class:`RemoteError`."""
    cls = error_classes().get(code)
    try:
        if cls is not None:
            return from_wire(fields, cls)
    except InvalidMessage:
        pass
    return RemoteError(remote_code=code, text=text, remote_fields=fields)


def _said(error: BaseException) -> str:
    name = type(error).__name__
    try:
        return f"{name}: {error}"
    except Exception:  # noqa: BLE001  protects the answer to a request from a user's __str__
        return name
