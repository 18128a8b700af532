"""How a verb reaches the server: a connection of its own, for one operation, with a deadline."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from ezmsg.control.connection.client import ControlConnection
from ezmsg.protocol.addresses import Address

T = TypeVar("T")


def ask(operation: Callable[[ControlConnection, float], Awaitable[T]], server: Address, timeout: float) -> T:
    """Connect to a server, perform one operation, such as those of :mod:`ezmsg.control.graph.operations`, and
    go."""

    async def connect_and_ask() -> T:
        connection = await ControlConnection.open(server, timeout=timeout)
        try:
            return await operation(connection, timeout)
        finally:
            await connection.close()

    return asyncio.run(connect_and_ask())
