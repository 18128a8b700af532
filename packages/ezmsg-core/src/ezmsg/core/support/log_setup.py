"""How a program logs, handed to processes that did not inherit it: a worker logs as its parent does."""

import logging
import logging.handlers
from pathlib import Path

from attrs import frozen

LOGGERS = ("", "ezmsg")
"""The loggers that are handed on: the root logger, and ours."""

_FILES = (logging.FileHandler, logging.handlers.WatchedFileHandler)
"""The handlers that several processes may share, as each of them only appends; one that rotates files may not."""


@frozen
class FileLog:
    """A handler that appends to a file; ``form`` are the arguments of its formatter, if it has a plain one."""

    path: str
    encoding: str | None
    level: int
    form: tuple[str | None, str | None] | None


@frozen
class LoggerSetup:
    """The level of a logger, and the files that it writes to."""

    name: str
    level: int
    propagate: bool
    files: tuple[FileLog, ...]


@frozen
class LogSetup:
    """How a process logs, as far as that can be handed on."""

    loggers: tuple[LoggerSetup, ...]

    @classmethod
    def taken(cls) -> "LogSetup":
        """Return how this process logs."""
        return cls(tuple(_setup_of(logging.getLogger(name), name) for name in LOGGERS))

    def apply(self) -> None:
        """Let this process log so; a file that it writes to already, as a forked one does, is left as it is."""
        for setup in self.loggers:
            logger = logging.getLogger(setup.name)
            logger.setLevel(setup.level)
            logger.propagate = setup.propagate
            known = {Path(each.baseFilename) for each in logger.handlers if isinstance(each, logging.FileHandler)}
            for file in setup.files:
                if Path(file.path) not in known:
                    logger.addHandler(_handler(file))


def _setup_of(logger: logging.Logger, name: str) -> LoggerSetup:
    files = tuple(_file_log(each) for each in logger.handlers if type(each) in _FILES)
    return LoggerSetup(name, logger.level, logger.propagate, tuple(each for each in files if each is not None))


def _file_log(handler: logging.Handler) -> FileLog | None:
    assert isinstance(handler, logging.FileHandler)
    formatter = handler.formatter
    form = None
    if type(formatter) is logging.Formatter and type(formatter._style) is logging.PercentStyle:
        form = (formatter._fmt, formatter.datefmt)
    return FileLog(handler.baseFilename, handler.encoding, handler.level, form)


def _handler(file: FileLog) -> logging.FileHandler:
    handler = logging.FileHandler(file.path, encoding=file.encoding, delay=True)
    handler.setLevel(file.level)
    if file.form is not None:
        handler.setFormatter(logging.Formatter(*file.form))
    return handler
