"""What killed servers have left in the runtime folder, with their tokens in it: whoever starts next removes it."""

import contextlib
import os
import socket
import stat
from collections.abc import Iterator
from pathlib import Path

from ezmsg.graphserver.files.locks import is_held
from ezmsg.protocol.addresses import Address
from ezmsg.protocol.announcement import Announcement
from ezmsg.protocol.errors import InvalidMessage

PROBE_LIMIT_S = 0.25
"""How long the owner of a file may take to accept a connection; its kernel does that at once."""


def sweep(folder: Path) -> list[Path]:
    """Remove the files of dead servers of ours, and return which they were; what may be a living one's stays.

    A living server holds a lock on its file. One of an earlier release does not: it is known by its process, and
    where that number may be another's by now, by whether somebody listens where it is to be.
    """
    removed = []
    for path in _candidates(folder):
        with contextlib.suppress(OSError, InvalidMessage):
            if _remove_if_dead(path):
                removed.append(path)
    return removed


def _candidates(folder: Path) -> Iterator[Path]:
    yield from folder.glob("server-*.json")
    yield from folder.glob(".server-*.json.*")  # half written ones


def _remove_if_dead(path: Path) -> bool:
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    with os.fdopen(os.open(path, flags), "rb") as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode) or (hasattr(os, "getuid") and status.st_uid != os.getuid()):
            return False
        if is_held(file.fileno()):
            return False
        pid, address = _owner(path, file.read())
        if _runs(pid) and (address is None or _listens(address)):
            return False
        # A server that has just taken the name has another file there; one that does it now writes it again soon.
        if os.path.samestat(status, path.lstat()):
            path.unlink()
            return True
    return False


def _owner(path: Path, content: bytes) -> tuple[int, Address | None]:
    """Return the process that wrote a file and, if it got so far, where it is to listen."""
    if path.name.startswith("."):
        writer = path.name.rpartition(".")[2]
        if not (writer.isascii() and writer.isdigit()):
            raise InvalidMessage(tag="announcement", reason="its name tells no process")
        return int(writer), None
    announcement = Announcement.from_json(content)
    return announcement.pid, announcement.address


def _runs(pid: int) -> bool:
    if os.name != "posix":  # where signal 0 is not only a question
        return True
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        pass
    return True


def _listens(address: Address) -> bool:
    try:
        socket.create_connection((address.host, address.port), PROBE_LIMIT_S).close()
    except OSError:
        return False
    return True
