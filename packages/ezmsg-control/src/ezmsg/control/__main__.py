"""``python -m ezmsg.control``: the ``ezmsg`` command, also where another package has put its own in that place."""

import sys

from ezmsg.control.cli import main

if __name__ == "__main__":
    sys.exit(main())
