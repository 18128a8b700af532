"""How the command ends with an error: its exit code, and what is said. Imports the error tree, so only then."""

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

_START = (
    "Start your program, which brings a server of its own, or try one with `ezmsg demo`; a server alone is "
    "`python -m ezmsg.graphserver`."
)


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


def told(error: EzmsgError) -> str:
    """Return what is said of an error to who wrote the command line."""
    return f"{error.code}  {unreachable(error)} {_START}" if isinstance(error, ServerUnreachable) else str(error)


def unreachable(error: ServerUnreachable) -> str:
    """Return that there is no server, without advice: it differs with what was wanted of the server."""
    return f"No graph server answers at {error.address}: {error.reason}."
