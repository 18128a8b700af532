"""The options that verbs have in common. Quick to import, as every verb's signature needs it."""

from typing import Annotated

from cyclopts import Parameter

AddressOption = Annotated[
    str | None,
    Parameter(help="The graph server, HOST:PORT. Default: EZMSG_GRAPHSERVER_ADDR, else what runs here."),
]
TimeoutOption = Annotated[float, Parameter(help="Seconds the server gets to answer.")]
JsonOption = Annotated[bool, Parameter(negative="", help="Write JSON lines for programs.")]
