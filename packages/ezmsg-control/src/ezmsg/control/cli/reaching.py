"""How a verb reaches the server: a connection of its own, for the length of the verb, with one deadline."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

from cyclopts import Parameter

from ezmsg.control.client import ControlConnection
from ezmsg.control.discovery import find_address

AddressOption = Annotated[
    str | None,
    Parameter(help="The graph server, HOST:PORT. Default: EZMSG_GRAPHSERVER_ADDR, else 127.0.0.1:25978."),
]
TimeoutOption = Annotated[float, Parameter(help="Seconds the server gets to answer.")]
JsonOption = Annotated[bool, Parameter(negative="", help="Write JSON lines for programs.")]


@asynccontextmanager
async def connected(address: str | None, timeout: float) -> AsyncIterator[ControlConnection]:
    """Connect to the server that is meant and let it go at the end."""
    connection = await ControlConnection.open(find_address(address), timeout=timeout)
    try:
        yield connection
    finally:
        await connection.close()
