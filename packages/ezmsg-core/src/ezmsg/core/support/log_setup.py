"""How a program logs, handed to processes that did not inherit it: a worker logs as its parent does.

Handlers of files and of the standard streams are made again, with their formatters and filters where those can be
pickled; levels are those of every logger of the program. What writes elsewhere, into a queue or a socket, stays the
parent's.
"""

import logging
import logging.handlers
import os
import pickle
import sys
from collections.abc import Iterable
from typing import Any

from attrs import frozen

from ezmsg.core.support.patient_handler import PatientHandler

OURS, STDOUT, STDERR = "ours", "stdout", "stderr"

_FILES = (logging.FileHandler, logging.handlers.WatchedFileHandler)
"""The handlers that several processes may share, as each of them only appends."""

_ROTATING = logging.handlers.BaseRotatingHandler
"""Those whose file only one process may put aside: the program's own. Others follow it to the new one."""


@frozen
class HandlerSetup:
    """A handler that another process can make: what it writes to, a stream or a file, and how."""

    target: str
    encoding: str | None
    rotates: bool
    level: int
    formatter: bytes | None
    filters: bytes | None


@frozen
class LoggerSetup:
    """The level of a logger, and what it writes to."""

    name: str
    level: int
    propagate: bool
    disabled: bool
    handlers: tuple[HandlerSetup, ...]


@frozen
class LogSetup:
    """How a process logs, as far as that can be handed on."""

    disabled_up_to: int
    loggers: tuple[LoggerSetup, ...]

    @classmethod
    def taken(cls) -> "LogSetup":
        """Return how this process logs."""
        known = list(logging.root.manager.loggerDict.values())
        loggers = [logging.root, *(each for each in known if isinstance(each, logging.Logger))]
        return cls(logging.root.manager.disable, tuple(map(_setup_of, loggers)))

    def apply(self) -> None:
        """Let this process log so; what it writes to already, as a forked one does, it does not write to twice."""
        logging.disable(self.disabled_up_to)
        for setup in self.loggers:
            logger = logging.getLogger(setup.name)
            logger.setLevel(setup.level)
            logger.propagate, logger.disabled = setup.propagate, setup.disabled
            wanted = {each.target for each in setup.handlers}
            for handler in tuple(logger.handlers):
                if isinstance(handler, _ROTATING) or (type(handler) is PatientHandler and OURS not in wanted):
                    logger.removeHandler(handler)
                    handler.close()
            known = {_target(each): each for each in logger.handlers}
            for each in setup.handlers:
                if (found := known.get(each.target) or _made(each)) is not None:
                    _form(found, each)
                    logger.addHandler(found)


def _setup_of(logger: logging.Logger) -> LoggerSetup:
    handlers = tuple(_handler_setup(each) for each in logger.handlers if _target(each))
    name = "" if logger is logging.root else logger.name
    return LoggerSetup(name, logger.level, logger.propagate, logger.disabled, handlers)


def _target(handler: logging.Handler) -> str:
    """Return what a handler writes to, if another process can write to it as well; a file is its whole path."""
    kind = type(handler)
    if kind is PatientHandler:
        return OURS
    if isinstance(handler, logging.StreamHandler) and kind is logging.StreamHandler:
        streams: Any = {id(sys.stdout): STDOUT, id(sys.stderr): STDERR}
        return str(streams.get(id(handler.stream), ""))
    if isinstance(handler, logging.FileHandler) and (kind in _FILES or isinstance(handler, _ROTATING)):
        return handler.baseFilename
    return ""


def _handler_setup(handler: logging.Handler) -> HandlerSetup:
    return HandlerSetup(
        _target(handler),
        getattr(handler, "encoding", None),
        isinstance(handler, _ROTATING),
        handler.level,
        _pickled(handler.formatter),
        _pickled(handler.filters),
    )


def _made(setup: HandlerSetup) -> logging.Handler | None:
    match setup.target:
        case "ours":
            return PatientHandler()
        case "stdout":
            return logging.StreamHandler(sys.stdout)
        case "stderr":
            return logging.StreamHandler(sys.stderr)
    if not setup.rotates:
        return logging.FileHandler(setup.target, encoding=setup.encoding, delay=True)
    if os.name == "nt":  # a file that others have open is not put aside there
        return None
    return logging.handlers.WatchedFileHandler(setup.target, encoding=setup.encoding, delay=True)


def _form(handler: logging.Handler, setup: HandlerSetup) -> None:
    handler.setLevel(setup.level)
    formatter, filters = _unpickled(setup.formatter), _unpickled(setup.filters)
    if isinstance(formatter, logging.Formatter):
        handler.setFormatter(formatter)
    if isinstance(filters, Iterable):
        handler.filters[:] = filters


def _pickled(value: object) -> bytes | None:
    try:
        return pickle.dumps(value)
    except Exception:  # noqa: BLE001  whatever a user's class raises; its handler is made without it
        return None


def _unpickled(pickled: bytes | None) -> Any:
    if pickled is None:
        return None
    try:
        return pickle.loads(pickled)
    except Exception:  # noqa: BLE001  a class that only the main program has; its handler does without it
        return None
