"""Exit codes: what kind of error ended the command. Imports the error tree, so it is looked at only then."""

from ezmsg.control.errors import (
    InvalidAssignment,
    InvalidTimeout,
    InvalidWindow,
    ProcessRequestFailed,
    SeveralServers,
    UnknownTarget,
)
from ezmsg.protocol.errors import (
    ConnectionLost,
    DeadlineExceeded,
    EzmsgError,
    InvalidAddress,
    InvalidTopic,
    ServerUnreachable,
)
from ezmsg.protocol.model.process_control import ProcessControlErrorCode

_USAGE, _NO_CONNECTION, _REFUSED, _TIMED_OUT = 2, 3, 4, 5


def exit_code(error: EzmsgError) -> int:
    """Return the exit code for an error."""
    match error:
        case InvalidAddress() | InvalidTopic() | UnknownTarget() | SeveralServers():
            return _USAGE
        case InvalidAssignment() | InvalidTimeout() | InvalidWindow():
            return _USAGE
        case ServerUnreachable() | ConnectionLost():
            return _NO_CONNECTION
        case DeadlineExceeded() | ProcessRequestFailed(error_code=ProcessControlErrorCode.TIMEOUT.value):
            return _TIMED_OUT
    return _REFUSED
