"""A door: the unit that logs what passes it lives in `ezmsg.util.units.debug_log`; programs import it from here."""

from ezmsg.util.units.debug_log import DebugLog, DebugLogSettings

__all__ = ["DebugLog", "DebugLogSettings"]
