"""The build backend of the checkout's root: nothing is built here, and who asks is told in a sentence what is.

Without a backend, pip would take the root for a package of setuptools, install an empty distribution, and leave a
folder behind. The distributions under ``packages/`` have backends of their own.
"""

import sys
from typing import NoReturn

SENTENCE = """\
The root of this checkout is no package: it holds several, each with a version of its own, under packages/.
Install them all, with what they need:  pip install -r requirements.txt
To develop, nothing is to be installed but hatch:  pip install hatch && hatch run test
"""


def refuse(*_: object, **__: object) -> NoReturn:
    """Say what can be installed in place of the root. This ends the process, so that no traceback hides it."""
    sys.stderr.write(SENTENCE)
    raise SystemExit(1)


get_requires_for_build_wheel = get_requires_for_build_sdist = get_requires_for_build_editable = refuse
build_wheel = build_sdist = build_editable = refuse
