"""``ezmsg shutdown``: end a server."""

import asyncio
import sys

from ezmsg.control.cli.reaching import AddressOption, TimeoutOption, connected
from ezmsg.control.operations import shut_down


def shutdown(*, address: AddressOption = None, timeout: TimeoutOption = 2.0) -> int:
    """End a graph server. Publishers and subscribers that are joined already go on without it."""
    where = asyncio.run(_shut_down(address, timeout))
    print(f"The graph server at {where} has ended.", file=sys.stderr)
    return 0


async def _shut_down(address: str | None, timeout: float) -> str:
    async with connected(address, timeout) as connection:
        await shut_down(connection, timeout)
        return str(connection.address)
