"""How a running graph server is found: the name and content of its announcement file, and the folder it is in.

The rules only, without a single access to the file system: the server writes the file
(:mod:`ezmsg.graphserver.files.announcement`), a client of the same user reads it and so learns the token. Both
must first look at the folder with :func:`check_folder`, because a folder that somebody else controls could hold
the announcement of somebody else's server.
"""

import json
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from attrs import field

from ezmsg.protocol.addresses import Address
from ezmsg.protocol.declared import declared
from ezmsg.protocol.errors import InvalidAddress, InvalidMessage, UnsafeFolder

RUNTIME_VARIABLE = "EZMSG_RUNTIME_DIR"
"""The environment variable that names the folder itself; :class:`UnsafeFolder` names it too."""

XDG_VARIABLE = "XDG_RUNTIME_DIR"
"""The environment variable whose folder has ours inside, see the XDG Base Directory Specification."""

TOKEN_VARIABLE = "EZMSG_TOKEN"
"""The environment variable that holds the shared token."""

TOKEN_FILE_VARIABLE = "EZMSG_TOKEN_FILE"
"""The environment variable that names a file with the shared token; white space round it does not count."""

INSECURE_VARIABLE = "EZMSG_INSECURE"
"""The environment variable by which, set to 1, a client without a token accepts a server that lets everybody in."""

FOLDER_MODE = 0o700
FILE_MODE = 0o600


@declared
class Announcement:
    """What a running server says about itself to its own user's programs.

    ``address`` can be connected to from the same machine, ``start_time`` is wall time in seconds. On the wire
    the token counts as its UTF-8 bytes. ``program`` is what people call the program that serves, and ``units`` are
    some of those in its graph, of which there are ``unit_count``: by them one graph is told from another. A server
    that speaks TLS names the file of the ``authority`` by which it is checked.
    """

    address: Address
    token: str = field(repr=False)
    pid: int
    start_time: float
    program: str = ""
    units: tuple[str, ...] = ()
    unit_count: int = 0
    authority: str = ""

    def to_json(self) -> str:
        """Return the content of the file."""
        content = {
            "address": str(self.address),
            "token": self.token,
            "pid": self.pid,
            "start_time": self.start_time,
            "program": self.program,
            "units": list(self.units),
            "unit_count": self.unit_count,
            "authority": self.authority,
        }
        return json.dumps(content, indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str | bytes) -> "Announcement":
        """Read the content of a file; keys that a later release added are ignored.

        :raises InvalidMessage: if it is not an announcement.
        """
        try:
            content = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise InvalidMessage(tag="announcement", reason=f"it is not JSON: {error}") from error
        match content:
            case {"address": str(address), "token": str(token), "pid": int(pid), "start_time": int() | float()}:
                try:
                    where = Address.from_string(address)
                except InvalidAddress as error:
                    raise InvalidMessage(tag="announcement", reason=error.sentence()) from error
                return cls(where, token, pid, float(content["start_time"]), **_what_runs(content))
        raise InvalidMessage(tag="announcement", reason="address, token, pid or start_time is missing or no such")


def _what_runs(content: Mapping[str, object]) -> dict[str, Any]:
    """Return what an announcement says of its graph; an older server's says nothing, and nobody depends on it."""
    program, units, count, authority = (content.get(key) for key in ("program", "units", "unit_count", "authority"))
    names = tuple(each for each in units if isinstance(each, str)) if isinstance(units, list) else ()
    return {
        "program": program if isinstance(program, str) else "",
        "units": names,
        "unit_count": count if isinstance(count, int) else len(names),
        "authority": authority if isinstance(authority, str) else "",
    }


def announcement_name(port: int) -> str:
    """Return the file name under which the server on ``port`` announces itself."""
    return f"server-{port}.json"


def runtime_folder(environ: Mapping[str, str], uid: int | None, tempdir: str) -> Path:
    """Return the user's runtime folder: ``EZMSG_RUNTIME_DIR``, else ``ezmsg`` in ``XDG_RUNTIME_DIR``, else
    ``ezmsg-<uid>`` in the temporary folder.

    :param uid: the user's number, or ``None`` on systems that have none.
    """
    if folder := environ.get(RUNTIME_VARIABLE):
        return Path(folder)
    if folder := environ.get(XDG_VARIABLE):
        return Path(folder) / "ezmsg"
    return Path(tempdir) / ("ezmsg" if uid is None else f"ezmsg-{uid}")


def check_folder(folder: Path, mode: int, owner: int, uid: int | None) -> None:
    """Refuse a runtime folder that is not the user's alone.

    :param mode: ``st_mode`` of the folder itself, as ``lstat`` tells it, so that a symbolic link shows.
    :param owner: ``st_uid`` of the folder.
    :param uid: the user's number, or ``None`` on systems that have none, where only its kind is looked at.
    :raises UnsafeFolder: if it is a link or no folder, belongs to somebody else, or others can write to it.
    """
    if stat.S_ISLNK(mode):
        reason = "it is a symbolic link"
    elif not stat.S_ISDIR(mode):
        reason = "it is not a folder"
    elif uid is not None and owner != uid:
        reason = f"it belongs to the user {owner} and not to you, user {uid}"
    elif uid is not None and mode & (stat.S_IWGRP | stat.S_IWOTH):
        reason = "other users can write to it"
    else:
        return
    raise UnsafeFolder(folder=str(folder), reason=reason)
