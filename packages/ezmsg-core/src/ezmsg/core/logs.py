"""The logger that ezmsg and the programs written for it share; its level comes from ``EZMSG_LOGLEVEL``."""

import logging
import os

logger = logging.getLogger("ezmsg")


def _set_up() -> None:
    """Write to standard error, unless the program has set up this logger before, or the root logger at any time."""
    level = logging.getLevelNamesMapping().get(os.environ.get("EZMSG_LOGLEVEL", "INFO").upper(), logging.INFO)
    logger.setLevel(level)
    if not logger.handlers:
        handler = logging.StreamHandler()
        where = "%(asctime)s.%(msecs)03d - pid: %(process)d - %(threadName)s"
        form = where + " - %(levelname)s - %(funcName)s: %(message)s"
        handler.setFormatter(logging.Formatter(form, "%Y-%m-%d %H:%M:%S"))
        handler.addFilter(_comes_once)
        logger.addHandler(handler)


def _comes_once(_: logging.LogRecord) -> bool:
    """Whether nobody else writes the line: a program that has set up the root logger gets it from there."""
    return not (logger.propagate and logging.getLogger().handlers)


_set_up()
