"""What can be set about a server, and the environment variables that set it."""

import logging
import math
from collections.abc import Mapping

from attrs import frozen

from ezmsg.protocol.wire.presence.lease import LEASE_S

logger = logging.getLogger(__name__)

HISTORY_VARIABLE = "EZMSG_TOPOLOGY_EVENT_HISTORY_LIMIT"
"""How many topology events are kept for those who come back."""

SETTINGS_HISTORY_VARIABLE = "EZMSG_SETTINGS_EVENT_HISTORY_LIMIT"
"""How many settings events are kept for those who come back."""

ROUTE_TIMEOUT_VARIABLE = "EZMSG_SUBSCRIBER_UPDATE_TIMEOUT_SEC"
"""How many seconds clients have to apply a change of routes."""

ROUTE_TIMEOUT_LIMIT_S = 4.0
"""No change of routes is waited for any longer: whoever asked for it gives up after 5 s, and would hear nothing."""

LEASE_VARIABLE = "EZMSG_LEASE_SEC"
"""For how many seconds a client may be silent."""

PORT_START_VARIABLE = "EZMSG_SERVER_PORT_START"
"""The first port that a server without an address of its own tries."""


@frozen
class Configuration:
    """The limits of the graph's state: how much is remembered, how long is waited.

    ``return_timeout_s`` is for how long a subscriber that comes back keeps its routes, whoever else is back, and
    those who heard a publisher whose client dropped keep theirs to it. A client that beats may be silent for
    ``lease_s``; that is looked at every ``look_s``. ``keeps_state`` is whether there is a file for what is to
    survive the server.
    """

    topology_history: int = 10_000
    route_timeout_s: float = 1.0
    settings_history: int = 10_000
    return_timeout_s: float = 3.0
    lease_s: float = LEASE_S
    look_s: float = 0.25
    keeps_state: bool = False

    @classmethod
    def from_environment(cls, environ: Mapping[str, str], *, keeps_state: bool = False) -> "Configuration":
        """Read the variables; one that is no sensible number is named in the log and has no effect."""
        return cls(
            topology_history=int(_number(environ, HISTORY_VARIABLE, 10_000, at_least=1)),
            route_timeout_s=min(_number(environ, ROUTE_TIMEOUT_VARIABLE, 1.0, at_least=0), ROUTE_TIMEOUT_LIMIT_S),
            settings_history=int(_number(environ, SETTINGS_HISTORY_VARIABLE, 10_000, at_least=1)),
            lease_s=_number(environ, LEASE_VARIABLE, LEASE_S, at_least=1),
            keeps_state=keeps_state,
        )


def first_port(environ: Mapping[str, str]) -> int:
    """Return the port from which a free one is looked for."""
    return int(_number(environ, PORT_START_VARIABLE, 10_000, at_least=1))


def _number(environ: Mapping[str, str], name: str, default: float, at_least: float) -> float:
    text = environ.get(name)
    if not text:
        return default
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if math.isfinite(value) and value >= at_least:
        return value
    logger.warning("%s=%r is not a number of at least %g; %g is used", name, text, at_least, default)
    return default
