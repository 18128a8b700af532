"""From a command line to a verb, and from how the verb ended to an exit code."""

import contextlib
import os
import sys
from importlib.metadata import version

from cyclopts import App, CycloptsError

from ezmsg.control.cli import USAGE
from ezmsg.control.cli.verbs import known_verbs, load
from ezmsg.protocol.errors import (
    ConnectionLost,
    DeadlineExceeded,
    EzmsgError,
    InvalidAddress,
    InvalidTopic,
    ServerUnreachable,
)

FAILED = 1
NO_CONNECTION = 3
REFUSED = 4
TIMED_OUT = 5
INTERRUPTED = 130


def run(arguments: list[str]) -> int:
    """Run one command line; what went wrong is one sentence on standard error."""
    known = known_verbs()
    wanted = arguments[0] if arguments else None
    # A verb that is named needs only its own module; help and a misspelt verb need all of them.
    verbs = load([known[wanted]] if wanted in known else known.values())
    if wanted in known and wanted not in verbs:
        return FAILED
    app = App(
        name="ezmsg",
        help="Look into a running ezmsg graph, change it, and start what needs one.",
        version=version("ezmsg-control"),
        suppress_keyboard_interrupt=False,
    )
    for name, function in verbs.items():
        app.command(function, name=name)
    if wanted is None:
        with contextlib.redirect_stdout(sys.stderr):
            app.help_print([])
        return USAGE
    return _run(app, arguments)


def exit_code(error: EzmsgError) -> int:
    """Return the exit code that says what kind of error it was."""
    match error:
        case InvalidAddress() | InvalidTopic():
            return USAGE
        case ServerUnreachable() | ConnectionLost():
            return NO_CONNECTION
        case DeadlineExceeded():
            return TIMED_OUT
    return REFUSED


def _run(app: App, arguments: list[str]) -> int:
    try:
        code = app(arguments, result_action="return_value", exit_on_error=False, print_error=False)
        sys.stdout.flush()
    except CycloptsError as error:
        print(f"ezmsg: {error} See: ezmsg --help", file=sys.stderr)
        return USAGE
    except EzmsgError as error:
        print(f"ezmsg: {error}", file=sys.stderr)
        return exit_code(error)
    except BrokenPipeError:  # whoever read our output has had enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except KeyboardInterrupt:
        return INTERRUPTED
    return code if isinstance(code, int) else 0
