"""The ``ezmsg`` command. This module is all that the command needs to say that its own extra is missing."""

import sys
from collections.abc import Sequence

USAGE = 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code.

    0 is well, 1 a failed check, 2 wrong usage, 3 no connection, 4 refused, 5 timed out.
    """
    try:
        import cyclopts  # noqa: F401
    except ImportError:
        print(
            "The ezmsg command needs its own extra. Install it with: pip install 'ezmsg-control[cli]'",
            file=sys.stderr,
        )
        return USAGE
    from ezmsg.control.cli.application import run

    return run(list(sys.argv[1:] if arguments is None else arguments))
