"""A door: the units that end a program live in `ezmsg.util.units.termination`; programs import them from here."""

from ezmsg.util.units.termination import (
    TerminateOnTimeout,
    TerminateOnTimeoutSettings,
    TerminateOnTimeoutState,
    TerminateOnTotal,
    TerminateOnTotalSettings,
    TerminateOnTotalState,
)

__all__ = [
    "TerminateOnTimeout",
    "TerminateOnTimeoutSettings",
    "TerminateOnTimeoutState",
    "TerminateOnTotal",
    "TerminateOnTotalSettings",
    "TerminateOnTotalState",
]
