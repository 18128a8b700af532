"""A lock on a file for as long as this process lives: by it a file of a living server is told from a dead one's.

The system lets go of it when the process ends in whatever way, and knows it in every container that shares the
folder, whatever the process's number there. Windows has no such locks: there, nobody holds one.
"""

import contextlib
import os
from typing import NamedTuple

from ezmsg.graphserver.sockets.forks import keep_from_forks


class HeldFile(NamedTuple):
    """An open file with its lock."""

    descriptor: int

    def release(self) -> None:
        """Give up the lock."""
        with contextlib.suppress(OSError):
            os.close(self.descriptor)


def hold(descriptor: int) -> HeldFile | None:
    """Lock an open file through a descriptor of its own; ``None`` if somebody else holds it, or nobody can."""
    try:
        import fcntl
    except ImportError:
        return None
    own = os.dup(descriptor)
    keep_from_forks(own)
    try:
        fcntl.flock(own, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(own)
        return None
    return HeldFile(own)


def is_held(descriptor: int) -> bool:
    """Return whether another process, or another opening of it in this one, holds an open file."""
    try:
        import fcntl
    except ImportError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:  # a file system without locks
        return False
    return False
