"""The command: ``ezmsg-tui``, or ``python -m ezmsg.tui``. It says what there is, until there is more."""

import argparse
import sys
from collections.abc import Sequence
from importlib.metadata import distributions

from ezmsg.protocol.parts import version_text

NOTICE = """\
ezmsg-tui has no screens yet. It will be the terminal application that looks into a running graph and tunes it.
Until then, `ezmsg graph` and `ezmsg snapshot` show what runs: pip install 'ezmsg-control[cli]'
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Say what this will be, and return 0; a wrong command line ends with 2."""
    parser = argparse.ArgumentParser(prog="ezmsg-tui", description="The terminal application of ezmsg, to come.")
    parser.add_argument("--version", action="store_true", help="say which parts are installed, and go")
    if parser.parse_args(arguments).version:
        sys.stdout.write(f"{version_text('ezmsg-tui', distributions())}\n")
        return 0
    sys.stdout.write(NOTICE)
    return 0


if __name__ == "__main__":
    sys.exit(main())
