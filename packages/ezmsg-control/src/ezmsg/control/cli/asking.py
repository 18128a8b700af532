"""How a verb reaches the server: a connection of its own, for one operation, with a deadline."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from ezmsg.control.client import ControlConnection
from ezmsg.control.discovery import find_address

T = TypeVar("T")


def ask(operation: Callable[[ControlConnection, float], Awaitable[T]], address: str | None, timeout: float) -> T:
    """Connect to the server that is meant, perform one operation of :mod:`ezmsg.control.operations`, and go."""

    async def connect_and_ask() -> T:
        connection = await ControlConnection.open(find_address(address), timeout=timeout)
        try:
            return await operation(connection, timeout)
        finally:
            await connection.close()

    return asyncio.run(connect_and_ask())
