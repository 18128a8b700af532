"""What servers of this user say of themselves on this machine: their announcement files, read and believed or not.

A file that somebody else could have written is never believed.
"""

import logging
import os
import socket
import stat
from pathlib import Path

from ezmsg.protocol import announcement
from ezmsg.protocol.addresses import Address
from ezmsg.protocol.announcement import Announcement
from ezmsg.protocol.errors import EzmsgError

logger = logging.getLogger(__name__)

_ANNOUNCEMENT_LIMIT = 64 * 1024

PROBE_LIMIT_S = 0.25
"""How long a server of this machine may take to accept a connection, in seconds; its kernel does that at once."""


def running_graphs() -> list[Announcement]:
    """Return what the servers of this user that run on this machine announce, by port."""
    announced = [read_announcement(port) for port in _announced_ports()]
    return [each for each in announced if each is not None and runs(each.pid)]


def listens(address: Address) -> bool:
    """Return whether somebody listens at an address of this machine."""
    try:
        socket.create_connection((address.host, address.port), PROBE_LIMIT_S).close()
    except OSError:
        return False
    return True


def _announced_ports() -> list[int]:
    names = [path.stem.removeprefix("server-") for path in _runtime_folder().glob("server-*.json")]
    return sorted(int(name) for name in names if name.isascii() and name.isdigit())


def runs(pid: int) -> bool:
    """Return whether there is such a process; a server that was killed has left its announcement behind."""
    if os.name != "posix":  # where signal 0 is not only a question
        return True
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        pass
    return True


def read_announcement(port: int) -> Announcement | None:
    """Return what the server on ``port`` of this machine says about itself, or ``None`` if nothing trustworthy.

    A file or folder that another user owns, or could read or change, is ignored with a warning.
    """
    uid = _uid()
    folder = _runtime_folder()
    path = folder / announcement.announcement_name(port)
    try:
        # The folder comes first: in one that is ours alone, nobody else can have put the file.
        status = folder.lstat()
        announcement.check_folder(folder, status.st_mode, status.st_uid, uid)
        content = _read_private(path, uid)
        return None if content is None else Announcement.from_json(content)
    except FileNotFoundError:
        return None
    except EzmsgError as error:
        logger.warning("The announcement %s was ignored. %s", path, error.sentence())
    except OSError as error:
        logger.warning("The announcement %s was ignored, as it cannot be read: %s.", path, error.strerror)
    return None


def _runtime_folder() -> Path:
    import tempfile

    return announcement.runtime_folder(os.environ, _uid(), tempfile.gettempdir())


def _uid() -> int | None:
    return os.getuid() if hasattr(os, "getuid") else None


def _read_private(path: Path, uid: int | None) -> bytes | None:
    """Read a file, and look at who it belongs to on the open descriptor, so that it cannot be swapped between."""
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    with os.fdopen(os.open(path, flags), "rb") as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            problem = "it is not a plain file"
        elif uid is not None and status.st_uid != uid:
            problem = f"it belongs to the user {status.st_uid} and not to you, user {uid}"
        elif uid is not None and status.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            problem = "other users can read or change it; it should have the mode 0600"
        else:
            return file.read(_ANNOUNCEMENT_LIMIT)
    logger.warning("The announcement %s was ignored: %s.", path, problem)
    return None
