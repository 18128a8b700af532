"""The ``ezmsg`` command. This module is all it takes to say that the command's own extra is missing.

Nobody enters but the console; it may use every room of `ezmsg.control`.
"""

import sys
from collections.abc import Sequence
from importlib.util import find_spec


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code.

    0 is well, 1 a failed check, 2 wrong usage, 3 no connection, 4 refused, 5 timed out, 130 interrupted.
    """
    if find_spec("cyclopts") is None:
        sys.stderr.write(
            "The ezmsg command needs its own extra. Install it with: pip install 'ezmsg-control[cli]'\n"
        )
        return 2
    from ezmsg.control.cli.application import run

    return run(list(sys.argv[1:] if arguments is None else arguments))
