"""Exit codes: what kind of error ended the command. Imports the error tree, so it is looked at only then."""

from ezmsg.protocol.errors import (
    ConnectionLost,
    DeadlineExceeded,
    EzmsgError,
    InvalidAddress,
    InvalidTopic,
    ServerUnreachable,
)

_USAGE, _NO_CONNECTION, _REFUSED, _TIMED_OUT = 2, 3, 4, 5


def exit_code(error: EzmsgError) -> int:
    """Return the exit code for an error."""
    match error:
        case InvalidAddress() | InvalidTopic():
            return _USAGE
        case ServerUnreachable() | ConnectionLost():
            return _NO_CONNECTION
        case DeadlineExceeded():
            return _TIMED_OUT
    return _REFUSED
