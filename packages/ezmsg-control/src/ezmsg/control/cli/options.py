"""The options that verbs have in common. Quick to import, as every verb's signature needs it."""

import math
from typing import Annotated, Any

from cyclopts import Parameter


def _waitable(_: Any, seconds: float) -> None:
    if not (math.isfinite(seconds) and seconds > 0):
        raise ValueError("Give it a finite number of seconds above 0.")


AddressOption = Annotated[
    str | None,
    Parameter(help="The graph server, HOST:PORT. Default: EZMSG_GRAPHSERVER_ADDR, else what runs here."),
]
TimeoutOption = Annotated[float, Parameter(help="Seconds the server gets to answer.", validator=_waitable)]
JsonOption = Annotated[bool, Parameter(negative="", help="Write JSON lines for programs.")]
