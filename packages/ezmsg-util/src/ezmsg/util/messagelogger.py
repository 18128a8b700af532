"""A door: the logger of messages lives in `ezmsg.util.units.logger`; this is where programs import it from."""

from ezmsg.util.codec.log import log_object
from ezmsg.util.units.logger import MessageLogger, MessageLoggerSettings, MessageLoggerState

__all__ = ["MessageLogger", "MessageLoggerSettings", "MessageLoggerState", "log_object"]
