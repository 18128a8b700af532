"""The command: ``ezmsg-tui``, or ``python -m ezmsg.tui``; the same as ``ezmsg top`` where that is installed."""

import os
import sys
from collections.abc import Sequence
from importlib.metadata import distributions

from ezmsg.protocol.surroundings.exact_options import ExactParser
from ezmsg.protocol.surroundings.parts import version_text


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the application; a wrong command line ends with 2."""
    parser = ExactParser(prog="ezmsg-tui", description="Look into a running ezmsg graph.")
    parser.add_argument("--version", action="store_true", help="say which parts are installed, and go")
    parser.add_argument("--address", help="the graph server, HOST:PORT; default EZMSG_GRAPHSERVER_ADDR, else found")
    options = parser.parse_args(arguments)
    if options.version:
        sys.stdout.write(f"{version_text('ezmsg-tui', distributions())}\n")
        return 0
    # In a browser it has no terminal either, but a driver of its own.
    if not (sys.stdin.isatty() and sys.stdout.isatty()) and "TEXTUAL_DRIVER" not in os.environ:
        sys.stderr.write("ezmsg-tui wants a terminal. For a script: ezmsg top --once\n")
        return 2
    from ezmsg.tui.starting import show

    return show(options.address)


if __name__ == "__main__":
    sys.exit(main())
