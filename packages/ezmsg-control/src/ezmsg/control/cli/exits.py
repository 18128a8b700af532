"""How the command ends with an error: its exit code, and what is said. Imports the error tree, so only then."""

from importlib.util import find_spec

from ezmsg.control.cli.verbs import known_verbs
from ezmsg.control.errors import (
    InvalidAssignment,
    InvalidTimeout,
    InvalidWindow,
    ProcessRequestFailed,
    ServerNotStarted,
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
        case ServerUnreachable() | ConnectionLost() | ServerNotStarted():
            return _NO_CONNECTION
        case DeadlineExceeded() | ProcessRequestFailed(error_code=ProcessControlErrorCode.TIMEOUT.value):
            return _TIMED_OUT
        case ProcessRequestFailed(error_code=ProcessControlErrorCode.PROCESS_UNRESPONSIVE.value):
            return _TIMED_OUT
    return _REFUSED


def told(error: EzmsgError) -> str:
    """Return what is said of an error to who wrote the command line."""
    if isinstance(error, ServerUnreachable):
        return f"{error.code}  {unreachable(error)} {how_to_get_a_server()}"
    return str(error)


def how_to_get_a_server() -> str:
    """Return what can be done to have a server, of what is installed here."""
    demo = ", or try one with `ezmsg demo`" if "demo" in known_verbs() else ""
    alone = "; a server alone is `python -m ezmsg.graphserver`" if find_spec("ezmsg.graphserver") else ""
    return f"Start your program, which brings a server of its own{demo}{alone}."


def unreachable(error: ServerUnreachable) -> str:
    """Return that there is no server, without advice: it differs with what was wanted of the server."""
    return f"No graph server answers at {error.address}: {error.reason}."
