"""How the end of a connection is told to whoever used it: the error a user can act on, from what happened."""

from ezmsg.protocol.addresses import Address
from ezmsg.protocol.errors import ConnectionLost, EzmsgError, ServerUnreachable, VersionMismatch, WireError
from ezmsg.protocol.revisions import CURRENT


def refusal(address: Address, error: EzmsgError | None, cut_reason: str | None) -> EzmsgError:
    """Return the error of a connection that ended before it was open.

    :param error: what the protocol said, if it said something.
    :param cut_reason: what the operating system said, if it was that.
    """
    if isinstance(error, VersionMismatch):
        return _from_our_side(error)
    if error is not None and not isinstance(error, WireError):
        return error
    reason = cut_reason or _reason(error) or "it closed the connection at once"
    if isinstance(error, WireError):
        reason = f"what listens there is no graph server ({reason})"
    return ServerUnreachable(address=str(address), reason=reason)


def loss(address: Address, error: EzmsgError | None, cut_reason: str | None) -> ConnectionLost:
    """Return the error of a connection that ended after it was open; the arguments are those of `refusal`."""
    reason = cut_reason or _reason(error) or "the server closed it"
    return ConnectionLost(address=str(address), reason=reason)


def _from_our_side(error: VersionMismatch) -> VersionMismatch:
    """The server told its own view; told from here, the two sides are the other way round."""
    if error.ours.major == CURRENT.major:
        return error
    return VersionMismatch(
        ours=error.theirs,
        theirs=error.ours,
        our_package=error.their_package,
        their_package=error.our_package,
    )


def _reason(error: EzmsgError | None) -> str | None:
    if error is None:
        return None
    reason = getattr(error, "reason", None)
    return reason if isinstance(reason, str) else error.sentence().rstrip(".")
