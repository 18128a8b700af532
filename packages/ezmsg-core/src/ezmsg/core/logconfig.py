"""A door: handlers of a log live in `ezmsg.core.support.log_handlers`; kept for programs of ezmsg 3.10."""

from ezmsg.core.support.log_handlers import (
    EZMSG_LOG_DATE_FORMAT,
    EZMSG_LOG_FORMAT,
    EZMSG_STDERR_LOG_LEVEL,
    AtOrAboveLevelFilter,
    BelowLevelFilter,
    create_ezmsg_log_formatter,
    create_ezmsg_stderr_handler,
    create_ezmsg_stdout_handler,
)

__all__ = [
    "EZMSG_LOG_DATE_FORMAT",
    "EZMSG_LOG_FORMAT",
    "EZMSG_STDERR_LOG_LEVEL",
    "AtOrAboveLevelFilter",
    "BelowLevelFilter",
    "create_ezmsg_log_formatter",
    "create_ezmsg_stderr_handler",
    "create_ezmsg_stdout_handler",
]
