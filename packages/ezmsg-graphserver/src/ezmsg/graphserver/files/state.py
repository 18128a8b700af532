"""The state file: what survives the server itself, in SQLite with a write-ahead log.

Each change is written before it is answered, so that who kills the server right after that loses nothing; of what
was done in the last moment before the power failed, some may be missing, and nothing is ever half there. One server
has the file, for as long as it lives.
"""

import contextlib
import os
import sqlite3
from collections.abc import Iterable
from pathlib import Path
from uuid import UUID

from attrs import frozen

from ezmsg.graphserver.deciding.effects import KeepEdge, KeepSettings
from ezmsg.graphserver.deciding.standing import Standing
from ezmsg.protocol.announcement import FILE_MODE
from ezmsg.protocol.errors import StateUnusable
from ezmsg.protocol.model.snapshot import Edge
from ezmsg.protocol.wire.plain import pack, to_plain, unpack

FORMAT = 1
"""Which tables there are; a later release may have others, and says so by another number."""

_TABLES = """
CREATE TABLE edge (from_topic TEXT NOT NULL, to_topic TEXT NOT NULL, PRIMARY KEY (from_topic, to_topic));
CREATE TABLE setting (component TEXT PRIMARY KEY, fields BLOB NOT NULL, author TEXT NOT NULL, process BLOB);
"""


@frozen
class Kept:
    """What a state file holds: the persistent edges, and the settings that operators made."""

    edges: list[Edge]
    settings: dict[str, Standing]


class StateFile:
    """An open state file.

    :raises StateUnusable: if it cannot be read and written, is another server's, or of a later release.
    """

    def __init__(self, path: str) -> None:
        self.path = Path(path).absolute()
        self._unwritten: dict[tuple[str, ...], KeepEdge | KeepSettings] = {}
        connection: sqlite3.Connection | None = None
        try:
            _make_private(self.path)
            # No autocommit mode of sqlite3's: each transaction begins and ends where it says so here.
            connection = sqlite3.connect(self.path, timeout=0.0, isolation_level=None)
            self.kept = _opened(connection)
        except (OSError, sqlite3.Error, ValueError) as error:
            if connection is not None:
                connection.close()
            raise StateUnusable(file=str(self.path), reason=_reason(error)) from error
        self._connection = connection

    @property
    def is_behind(self) -> bool:
        """Whether something could not be written yet."""
        return bool(self._unwritten)

    def keep(self, change: KeepEdge | KeepSettings) -> None:
        """Write a change, with all that could not be written before.

        :raises StateUnusable: if that cannot be; it is tried again with the next one, or by :meth:`catch_up`.
        """
        if isinstance(change, KeepEdge):
            self._unwritten["edge", *change.edge] = change
        else:
            self._unwritten["setting", change.component] = change
        self.catch_up()

    def catch_up(self) -> None:
        """Write what could not be written before.

        :raises StateUnusable: if it still cannot.
        """
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                _write(self._connection, self._unwritten.values())
                self._connection.execute("COMMIT")
            except BaseException:  # whatever interrupts it: the next commit finds no open transaction
                with contextlib.suppress(sqlite3.Error):  # it may have been rolled back already
                    self._connection.execute("ROLLBACK")
                raise
        except sqlite3.Error as error:
            raise StateUnusable(file=str(self.path), reason=_reason(error)) from error
        self._unwritten.clear()

    def close(self) -> None:
        """Put everything into the one file, and let go of it. It is fine to call this again."""
        with contextlib.suppress(sqlite3.Error):
            self._connection.close()


def _make_private(path: Path) -> None:
    """See to it that the file is there, and readable for its user alone if it was not: settings are nobody's."""
    with contextlib.suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, FILE_MODE))


def _opened(connection: sqlite3.Connection) -> Kept:
    connection.execute("PRAGMA locking_mode = EXCLUSIVE")  # until the process ends, in whatever way
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("BEGIN IMMEDIATE")  # which is refused if another server has it
    (found,) = connection.execute("PRAGMA user_version").fetchone()
    if found == 0 and not connection.execute("SELECT name FROM sqlite_master").fetchone():
        for statement in filter(str.strip, _TABLES.split(";")):
            connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {FORMAT}")
    elif found != FORMAT:
        raise ValueError(f"it is of form {found}, and this release knows form {FORMAT}")
    connection.execute("COMMIT")
    return _read(connection)


def _read(connection: sqlite3.Connection) -> Kept:
    edges = [Edge(*row) for row in connection.execute("SELECT from_topic, to_topic FROM edge ORDER BY 1, 2")]
    rows = connection.execute("SELECT component, fields, author, process FROM setting ORDER BY 1")
    settings = {
        component: Standing(dict(unpack(fields)), author, None if process is None else UUID(bytes=process))
        for component, fields, author, process in rows
    }
    return Kept(edges, settings)


def _write(connection: sqlite3.Connection, changes: Iterable[KeepEdge | KeepSettings]) -> None:
    for change in changes:
        match change:
            case KeepEdge(edge=edge, held=True):
                connection.execute("INSERT OR IGNORE INTO edge VALUES (?, ?)", edge)
            case KeepEdge(edge=edge):
                connection.execute("DELETE FROM edge WHERE from_topic = ? AND to_topic = ?", edge)
            case KeepSettings(component=component, standing=standing):
                connection.execute("DELETE FROM setting WHERE component = ?", (component,))
                if standing.values:
                    process = None if standing.process is None else standing.process.bytes
                    row = (component, pack(to_plain(standing.values)), standing.by, process)
                    connection.execute("INSERT INTO setting VALUES (?, ?, ?, ?)", row)


def _reason(error: BaseException) -> str:
    if isinstance(error, sqlite3.OperationalError) and "locked" in str(error):
        return "another server has it"
    if isinstance(error, FileNotFoundError):  # not made here: the disk that it is on may not be mounted
        return f"its folder {Path(str(error.filename)).parent} is not there"
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
