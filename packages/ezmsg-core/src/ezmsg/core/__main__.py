"""``python -m ezmsg.core demo``, and the commands of ezmsg 3, where the ``ezmsg`` command is not installed."""

import sys

from ezmsg.core.commands.command_line import main

__all__ = ["main"]

if __name__ == "__main__":
    sys.exit(main())
