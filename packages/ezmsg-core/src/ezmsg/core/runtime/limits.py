"""How long an end may take: one bound for the whole run, which the program, its environment and its units set."""

import logging
import math
import os
from collections.abc import Iterable
from typing import TypeGuard

from ezmsg.core.errors import InvalidOption
from ezmsg.core.graph.unit import Unit

logger = logging.getLogger("ezmsg")

STOP_LIMIT_S = 10.0
"""How long the workers have to stop where nobody says so, in seconds; whoever is still there is named and ended."""

VARIABLE = "EZMSG_SHUTDOWN_TIMEOUT"
"""The environment variable that sets it, in seconds."""

TELL_S = 5.0
"""Seconds after which somebody who is waited for is named, in the log, and then again."""


def stop_limit(asked_s: float | None, units: Iterable[Unit]) -> float:
    """Return how many seconds a run has for its end: as asked, else as the environment says, else 10.

    A unit whose class asks for more time than that gets it; then the whole run has it.

    :raises InvalidOption: if ``asked_s`` is no number of seconds above 0.
    """
    if asked_s is not None and not _is_sensible(asked_s):
        reason = "give it a finite number of seconds above 0"
        raise InvalidOption(option="shutdown_timeout", value=repr(asked_s), reason=reason)
    limit_s = _from_environment() if asked_s is None else float(asked_s)
    for unit in units:
        if _is_sensible(unit.SHUTDOWN_TIMEOUT):
            limit_s = max(limit_s, unit.SHUTDOWN_TIMEOUT)
    return limit_s


def _from_environment() -> float:
    text = os.environ.get(VARIABLE, "").strip()
    if not text:
        return STOP_LIMIT_S
    try:
        limit_s = float(text)
    except ValueError:
        limit_s = math.nan
    if _is_sensible(limit_s):
        return limit_s
    logger.warning("%s=%r is no number of seconds above 0; %g is used.", VARIABLE, text, STOP_LIMIT_S)
    return STOP_LIMIT_S


def _is_sensible(seconds: object) -> TypeGuard[float]:
    return isinstance(seconds, int | float) and math.isfinite(seconds) and seconds > 0
