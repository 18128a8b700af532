"""Which frames of a stack are the program's own, by their files: not those of ezmsg, nor of Python's library. Pure.

The stacks may come from another machine, so nothing is looked up here. Installed packages of others count as the
program's: it called them.
"""

import re
from collections.abc import Sequence

from ezmsg.protocol.model.stacks import StackFrame

_EZMSG = re.compile(r"/ezmsg/(?:core/(?!demo/)|control/|graphserver/|protocol/|tui/)")
_LIBRARY = re.compile(
    r"/lib(?:64)?/python3\.\d+t?/(?!site-packages/|dist-packages/)"
    r"|[A-Z]:.*/Lib/(?!site-packages/)[\w/]+\.py$"  # Windows
)


def own_frames(frames: Sequence[StackFrame]) -> list[StackFrame]:
    """Return the frames of the program's own code, from the outermost on."""
    return [frame for frame in frames if _is_own(frame.file.replace("\\", "/"))]


def _is_own(file: str) -> bool:
    return not (_EZMSG.search(file) or _LIBRARY.search(file) or file.startswith("<frozen "))
