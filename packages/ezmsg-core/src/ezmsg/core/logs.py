"""The logger that ezmsg and the programs written for it share; its level comes from ``EZMSG_LOGLEVEL``."""

import logging
import os

logger = logging.getLogger("ezmsg")


def _set_up() -> None:
    """Write to standard error, unless the program has set up this logger before."""
    level = logging.getLevelNamesMapping().get(os.environ.get("EZMSG_LOGLEVEL", "INFO").upper(), logging.INFO)
    logger.setLevel(level)
    if not logger.handlers:
        handler = logging.StreamHandler()
        where = "%(asctime)s.%(msecs)03d - pid: %(process)d - %(threadName)s"
        form = where + " - %(levelname)s - %(funcName)s: %(message)s"
        handler.setFormatter(logging.Formatter(form, "%Y-%m-%d %H:%M:%S"))
        logger.addHandler(handler)


_set_up()
