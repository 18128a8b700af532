"""The options that verbs have in common. Quick to import, as every verb's signature needs it."""

import math
from typing import Annotated, Any

from cyclopts import Parameter


def _waitable(_: Any, seconds: float) -> None:
    if not (math.isfinite(seconds) and seconds > 0):
        raise ValueError("Give it a finite number of seconds above 0.")


def _countable(_: Any, number: int) -> None:
    if number < 1:
        raise ValueError("Give it a whole number from 1 on.")


AddressOption = Annotated[
    str | None,
    Parameter(help="The graph server, HOST:PORT. Default: EZMSG_GRAPHSERVER_ADDR, else what runs here."),
]
TimeoutOption = Annotated[float, Parameter(help="Seconds the server gets to answer.", validator=_waitable)]
SampleModOption = Annotated[
    int,
    Parameter(
        help="Trace one message of each publisher in so many: 10 every tenth, which costs it less; 1 all of them.",
        validator=_countable,
    ),
]
JsonOption = Annotated[bool, Parameter(negative="", help="Write JSON lines for programs.")]
