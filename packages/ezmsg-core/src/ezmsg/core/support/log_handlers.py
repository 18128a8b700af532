"""Handlers for programs that set up their log themselves and want its lines to look like ours.

The two share a log: what is below WARNING goes to standard output, the rest to standard error. Ours is not set up
so, because standard output belongs to the program; see :mod:`ezmsg.core.support.logs`.
"""

import logging
import sys
from typing import TextIO

from ezmsg.core.support.logs import LINE_FORM, TIME_FORM

EZMSG_LOG_FORMAT = LINE_FORM
EZMSG_LOG_DATE_FORMAT = TIME_FORM

EZMSG_STDERR_LOG_LEVEL = logging.WARNING
"""The level from which a line goes to standard error."""


class BelowLevelFilter(logging.Filter):
    """Lets through what is below a level."""

    def __init__(self, level: int) -> None:
        super().__init__()
        self.level = level

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether a line goes through."""
        return record.levelno < self.level


class AtOrAboveLevelFilter(logging.Filter):
    """Lets through what is of a level, or above it."""

    def __init__(self, level: int) -> None:
        super().__init__()
        self.level = level

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether a line goes through."""
        return record.levelno >= self.level


def create_ezmsg_log_formatter() -> logging.Formatter:
    """Return what makes lines of our form."""
    return logging.Formatter(EZMSG_LOG_FORMAT, EZMSG_LOG_DATE_FORMAT)


def create_ezmsg_stdout_handler(stream: TextIO | None = None) -> "logging.StreamHandler[TextIO]":
    """Return a handler of what is below WARNING, for standard output or another stream."""
    return _handler(sys.stdout if stream is None else stream, BelowLevelFilter(EZMSG_STDERR_LOG_LEVEL))


def create_ezmsg_stderr_handler(stream: TextIO | None = None) -> "logging.StreamHandler[TextIO]":
    """Return a handler of what is WARNING or above, for standard error or another stream."""
    return _handler(sys.stderr if stream is None else stream, AtOrAboveLevelFilter(EZMSG_STDERR_LOG_LEVEL))


def _handler(stream: TextIO, wanted: logging.Filter) -> "logging.StreamHandler[TextIO]":
    handler = logging.StreamHandler(stream)
    handler.setFormatter(create_ezmsg_log_formatter())
    handler.addFilter(wanted)
    return handler
