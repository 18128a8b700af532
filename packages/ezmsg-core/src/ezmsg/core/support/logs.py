"""The logger that ezmsg and the programs written for it share; its level comes from ``EZMSG_LOGLEVEL``.

Everything goes to standard error, whatever its level: standard output is the program's own, and may be read by
another program.
"""

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from ezmsg.core.support.descriptors import occupy_standard_descriptors
from ezmsg.core.support.patient_handler import PatientHandler

logger = logging.getLogger("ezmsg")

LINE_FORM = (
    "%(asctime)s.%(msecs)03d - pid: %(process)d - %(threadName)s - %(levelname)s - %(funcName)s: %(message)s"
)
TIME_FORM = "%Y-%m-%d %H:%M:%S"


@contextmanager
def logged_to(file: str | None) -> Iterator[None]:
    """Append what is logged meanwhile to a file too; ``None`` is no file. Its folder is made if there is none.

    :raises InvalidOption: if the file cannot be written.
    """
    if file is None:
        yield
        return
    handler = _open(file)
    handler.setFormatter(logging.Formatter(LINE_FORM, TIME_FORM))
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        handler.close()


def _open(file: str) -> logging.FileHandler:
    from pathlib import Path  # here and below, not above: most programs never come here

    try:
        Path(file).parent.mkdir(parents=True, exist_ok=True)
        return logging.FileHandler(file, encoding="utf-8")
    except OSError as error:
        from ezmsg.core.errors import InvalidOption

        raise InvalidOption(option="log_file", value=repr(file), reason=str(error.strerror)) from error


def _set_up() -> None:
    """Write to standard error, unless the program has set up this logger before, or the root logger at any time."""
    occupy_standard_descriptors()
    wanted = os.environ.get("EZMSG_LOGLEVEL") or "INFO"
    level = int(wanted) if wanted.isdecimal() else logging.getLevelNamesMapping().get(wanted.upper())
    logger.setLevel(logging.INFO if level is None else level)
    if not logger.handlers:
        handler = PatientHandler()
        handler.setFormatter(logging.Formatter(LINE_FORM, TIME_FORM))
        handler.addFilter(_comes_once)
        logger.addHandler(handler)
    if level is None and not _is_child():
        logger.warning(
            "EZMSG_LOGLEVEL=%s is no level, so that it is INFO. Choose one of DEBUG, INFO, WARNING, ERROR and "
            "CRITICAL, or a number.",
            wanted,
        )


def _is_child() -> bool:
    """Whether this is a process that another one of the program has started, and that one has said it already."""
    processes = sys.modules.get("multiprocessing.process")
    # A spawned one knows its parent later than its name.
    return processes is not None and processes.current_process().name != "MainProcess"


def _comes_once(_: logging.LogRecord) -> bool:
    """Whether nobody else writes the line: a program that has set up the root logger gets it from there."""
    return not (logger.propagate and logging.getLogger().handlers)


_set_up()
