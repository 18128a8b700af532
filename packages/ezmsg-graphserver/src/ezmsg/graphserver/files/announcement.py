"""The file by which a running server is found by its user's programs, see :mod:`ezmsg.protocol.announcement`."""

import contextlib
import os
import sys
import tempfile
from collections.abc import Collection
from heapq import nsmallest
from pathlib import Path

from ezmsg.graphserver.files.locks import HeldFile, hold
from ezmsg.protocol.announcement import (
    FILE_MODE,
    FOLDER_MODE,
    Announcement,
    announcement_name,
    check_folder,
    runtime_folder,
)
from ezmsg.protocol.declared import changed
from ezmsg.protocol.errors import InvalidMessage, UnsafeFolder

UNITS_TOLD = 5
"""How many units of its graph an announcement names."""


class AnnouncementFile:
    """One server's announcement, from :meth:`write` to :meth:`remove`."""

    def __init__(self, announcement: Announcement) -> None:
        self.announcement = announcement
        self.path: Path | None = None
        self._held: HeldFile | None = None

    def write(self) -> None:
        """Write the file, in place of one that a dead server left.

        :raises UnsafeFolder: if the runtime folder is not ours alone, or cannot be written to.
        """
        folder = runtime_folder(os.environ, _uid(), tempfile.gettempdir())
        try:
            path = _prepared(folder) / announcement_name(self.announcement.address.port)
            held, self._held = self._held, _replace(path, self.announcement.to_json())
        except UnsafeFolder:
            raise
        except OSError as error:
            raise UnsafeFolder(folder=str(folder), reason=error.strerror or str(error)) from error
        self.path = path
        if held is not None:
            held.release()

    def keep(self, units: Collection[str]) -> None:
        """See to it that the file is there, and names these units; one that is another server's by now is left.

        :raises UnsafeFolder: as :meth:`write` does.
        """
        known = changed(self.announcement, units=tuple(nsmallest(UNITS_TOLD, units)), unit_count=len(units))
        there = self._read()
        if there is None or (there == self.announcement != known):
            self.announcement = known
            self.write()

    def _read(self) -> Announcement | None:
        folder = runtime_folder(os.environ, _uid(), tempfile.gettempdir())
        with contextlib.suppress(OSError, InvalidMessage):
            path = folder / announcement_name(self.announcement.address.port)
            return Announcement.from_json(path.read_bytes())
        return None

    def remove(self) -> None:
        """Remove the file, unless it is by now another server's, or gone."""
        path, self.path = self.path, None
        if path is None:
            return
        with contextlib.suppress(OSError, InvalidMessage):
            if Announcement.from_json(path.read_bytes()) == self.announcement:
                path.unlink()
        held, self._held = self._held, None
        if held is not None:
            held.release()


def program_name() -> str:
    """Return what people call this program: its file, or the module that ``python -m`` was given."""
    spec = getattr(sys.modules.get("__main__"), "__spec__", None)
    if spec is not None:
        return f"python -m {spec.name.removesuffix('.__main__')}"
    name = Path(sys.argv[0]).name if sys.argv and sys.argv[0] else ""
    return {"-c": "python -c", "": "an interactive Python"}.get(name, name)


def _prepared(folder: Path) -> Path:
    """Make the folder if need be, and refuse one that is not ours alone."""
    for made in (*reversed(folder.parents), folder):  # not parents=True, as that heeds the umask and no mode
        if not made.exists():
            with contextlib.suppress(FileExistsError):
                made.mkdir(mode=FOLDER_MODE)
    status = folder.lstat()
    check_folder(folder, status.st_mode, status.st_uid, _uid())
    return folder


def _replace(path: Path, content: str) -> HeldFile | None:
    """Put a file in place at once, so that nobody ever reads half of it, and hold it as a living server's."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    with contextlib.suppress(FileNotFoundError):
        temporary.unlink()
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
    try:
        with os.fdopen(os.open(temporary, flags, FILE_MODE), "w", encoding="utf-8") as file:
            held = hold(file.fileno())
            file.write(content)
        temporary.replace(path)
        return held
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _uid() -> int | None:
    return os.getuid() if hasattr(os, "getuid") else None
