"""From a command line to a verb, and from how the verb ended to an exit code.

Nothing slow is imported here, so that help comes at once.
"""

import atexit
import gc
import os
import sys

from ezmsg.control.cli.encodings import escape_what_does_not_fit
from ezmsg.control.cli.overview import HELP, overview
from ezmsg.control.cli.saying import note
from ezmsg.control.cli.verbs import ELSEWHERE, OURS, known_verbs, load

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cyclopts import App

_FAILED, _USAGE, _INTERRUPTED = 1, 2, 130
_DEBUG = "--debug"
_ALLOCATIONS = 100_000
"""Between two runs of the garbage collector: a tenth of a short verb's time goes there, and finds only modules."""


def run(arguments: list[str]) -> int:
    """Run one command line; what went wrong is one sentence on standard error."""
    escape_what_does_not_fit()
    known = known_verbs()
    debug = arguments[:1] == [_DEBUG]
    arguments = arguments[1:] if debug else arguments
    if not arguments or arguments in (["--help"], ["-h"]):
        return _help(known, asked_for=bool(arguments))
    wanted = arguments[0]
    if wanted in OURS:  # what runs a user's program leaves the collector as it is
        gc.set_threshold(_ALLOCATIONS)
        atexit.register(gc.freeze)  # else an interpreter that ends looks three times for garbage
    if wanted not in known and wanted in ELSEWHERE:
        owner = ELSEWHERE[wanted]
        note(f"ezmsg: {wanted} is a verb of {owner}, which is not installed: pip install {owner}")
        return _FAILED
    # A verb that is named needs only its own module; a misspelt one needs all of them.
    verbs = load({wanted: known[wanted]} if wanted in known else known)
    if wanted in known and wanted not in verbs:
        return _FAILED
    from cyclopts import App

    app = App(
        name="ezmsg",
        help=HELP,
        version=_versions,
        help_format="plaintext",  # a Markdown renderer would double the time that help takes
        suppress_keyboard_interrupt=False,
    )
    for name, function in verbs.items():
        app.command(function, name=name)
    return _run(app, arguments, debug=debug)


def _versions() -> str:
    from importlib.metadata import distributions

    from ezmsg.protocol.surroundings.parts import version_text

    return version_text("ezmsg-control", distributions())


def _help(known: dict[str, tuple[str, str]], *, asked_for: bool) -> int:
    """Say what there is; to somebody who has not asked for it, as an error."""
    said = overview(known)
    failure: OSError | None
    try:
        print(said, file=sys.stdout if asked_for else sys.stderr)
        failure = _output_failure()
    except OSError as error:
        failure = error
    if failure is not None:
        return _without_output(failure)
    return 0 if asked_for else _USAGE


def _run(app: "App", arguments: list[str], *, debug: bool) -> int:
    from cyclopts import CycloptsError

    try:
        code = app(arguments, result_action="return_value", exit_on_error=False, print_error=False)
    except CycloptsError as error:
        from ezmsg.control.cli.usage import misuse

        note(f"ezmsg: {misuse(error)}")
        return _USAGE
    except KeyboardInterrupt:
        return _INTERRUPTED
    except Exception as error:
        if debug:
            raise
        code = _told(error)
    failure = _output_failure()
    if failure is not None:
        return _without_output(failure)
    return code if isinstance(code, int) else 0


def _told(error: Exception) -> int:
    """Say what went wrong and return the exit code for it."""
    from ezmsg.control.cli.exits import exit_code, told
    from ezmsg.protocol.errors import EzmsgError

    if isinstance(error, EzmsgError):
        note(f"ezmsg: {told(error)}")
        return exit_code(error)
    if not isinstance(error, OSError):
        what = f"{type(error).__name__}: {error}".rstrip(": ")
        note(f"ezmsg: The command met a mistake that is not yours: {what}. All of it: ezmsg --debug VERB ...")
        return _FAILED
    # A full disk behind standard output, or something that the verb wanted of the system.
    return _without_output(error)


def _output_failure() -> OSError | None:
    """Write what waits in the buffer; return what is wrong with standard output."""
    try:
        if sys.stdout is not None:  # as it is if it was closed before we were started
            sys.stdout.flush()
    except OSError as error:
        return error
    return None


def _without_output(error: OSError) -> int:
    """Say why the output ends, except to a reader that has had enough, and let nobody stumble over the rest."""
    if not isinstance(error, BrokenPipeError):
        where = "" if error.filename is None else f" ({error.filename})"
        note(f"ezmsg: The output ends here: {error.strerror or error}{where}.")
    if sys.stdout is not None and _output_failure() is not None:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return _FAILED
