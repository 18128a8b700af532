"""Where the graph server is and which token opens it, found without a question to the user.

Read-only: a client looks at the environment and at the announcement file that a server of the same user wrote.
A file that somebody else could have written is never believed.
"""

import logging
import os
import stat
import tempfile
from pathlib import Path

from ezmsg.control.errors import SeveralServers
from ezmsg.protocol import announcement
from ezmsg.protocol.addresses import (
    ADDRESS_VARIABLE,
    DEFAULT_HOST,
    DEFAULT_PORT,
    Address,
    AddressType,
    parse_address,
)
from ezmsg.protocol.announcement import INSECURE_VARIABLE, TOKEN_FILE_VARIABLE, TOKEN_VARIABLE, Announcement
from ezmsg.protocol.errors import EzmsgError, UnreadableToken

logger = logging.getLogger(__name__)

_ANNOUNCEMENT_LIMIT = 64 * 1024


def find_address(address: AddressType | str | None = None) -> Address:
    """Return ``address`` if there is one, else that of ``EZMSG_GRAPHSERVER_ADDR``, else 127.0.0.1:25978.

    :raises InvalidAddress: if the argument or the variable is not an address.
    """
    if address is None:
        address = os.environ.get(ADDRESS_VARIABLE) or Address(DEFAULT_HOST, DEFAULT_PORT)
    return parse_address(address)


def find_running(address: AddressType | str | None = None) -> Address:
    """Return as :func:`find_address` does; where nothing says so, the one server of this user that runs here.

    A server on the default port comes before others. For people who look at what runs: a program that is to take
    part in a graph says which one.

    :raises SeveralServers: if several run, on other ports.
    """
    found = find_address(address)
    if address is not None or os.environ.get(ADDRESS_VARIABLE):
        return found
    running = running_servers()
    if not running or found in running:
        return found
    if len(running) > 1:
        raise SeveralServers(addresses=[str(each) for each in running])
    return running[0]


def running_servers() -> list[Address]:
    """Return where servers of this user run on this machine, as far as they announced themselves."""
    announced = [read_announcement(port) for port in _announced_ports()]
    return [each.address for each in announced if each is not None and _runs(each.pid)]


def _announced_ports() -> list[int]:
    names = [path.stem.removeprefix("server-") for path in _runtime_folder().glob("server-*.json")]
    return sorted(int(name) for name in names if name.isascii() and name.isdigit())


def _runs(pid: int) -> bool:
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


def find_token(address: Address) -> bytes | None:
    """Return the token for the server at ``address``: the UTF-8 bytes of a text without white space round it.

    Looked for in this order: ``EZMSG_TOKEN``, the file that ``EZMSG_TOKEN_FILE`` names, and, if the address is
    on this machine, the server's announcement. ``None`` means that there is none. The empty token stands for a
    server that lets everybody in: one of this user that announced itself so, or any if ``EZMSG_INSECURE`` is 1.

    :raises UnreadableToken: if the file that ``EZMSG_TOKEN_FILE`` names cannot be read or is empty, or a token is
        no text.
    """
    if token := os.environ.get(TOKEN_VARIABLE, "").strip():
        return _encoded(token, TOKEN_VARIABLE)
    if path := os.environ.get(TOKEN_FILE_VARIABLE):
        return _read_token(path)
    announced = read_announcement(address.port) if address.is_loopback else None
    if announced is not None:
        return _encoded(announced.token, announcement.announcement_name(address.port))
    return b"" if os.environ.get(INSECURE_VARIABLE) == "1" else None


def _read_token(path: str) -> bytes:
    try:
        token = Path(path).read_text(encoding="utf-8").strip()
    except (OSError, ValueError) as error:
        raise UnreadableToken(file=path, reason=getattr(error, "strerror", None) or str(error)) from error
    if not token:
        raise UnreadableToken(file=path, reason="it is empty")
    return token.encode()


def _encoded(token: str, source: str) -> bytes:
    try:
        return token.encode()
    except UnicodeEncodeError as error:
        raise UnreadableToken(file=source, reason="it is no text in UTF-8") from error


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
