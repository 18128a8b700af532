"""Ways to a graph server that is named and has no address: what a distribution brings that knows one.

It declares an entry point of the group ``ezmsg.ways``, whose name is what stands before the colon of an address,
and whose object makes a :class:`Way`::

    [project.entry-points."ezmsg.ways"]
    zenoh = "ezmsg.zenoh.way:ZenohWay"

The other half, by which a server is reached so, is told in :mod:`ezmsg.graphserver.sockets.ways`.
"""

import asyncio
from collections.abc import Callable
from typing import Any, Protocol, cast

from ezmsg.protocol.addresses import WAYS, WAYS_GROUP, Address
from ezmsg.protocol.errors import EzmsgError, ServerUnreachable
from ezmsg.protocol.surroundings.entry_points import installed, loaded

Token = Callable[[], bytes | None]


class Way(Protocol):
    """One way to servers that have names."""

    async def reach(self, name: str, protocol: asyncio.BaseProtocol, token: Token) -> None:
        """Give a protocol its transport, as :meth:`asyncio.loop.create_connection` does; there is no socket.

        What the protocol finds by ``transport.get_extra_info("cut")`` ends it from another thread, or when the
        event loop has ended. A server that is lost without a word ends it with a :class:`TimeoutError`.

        :param token: returns what server and client must both hold.
        :raises EzmsgError: if the server is not found, or is another one.
        """


async def reach(address: Address, protocol: asyncio.BaseProtocol, token: Token) -> None:
    """Connect to a server that is named.

    :raises ServerUnreachable: if its way is not known here, or no server of that name is found.
    :raises EzmsgError: if it is another one.
    """
    assert address.way is not None
    kind, name = address.way
    place = installed(WAYS_GROUP).get(kind)
    if place is None:
        raise ServerUnreachable(address=str(address), reason=f"{WAYS[kind]} is not installed here")
    try:
        way = cast(Way, loaded(place[0])())
    except Exception as error:  # whatever another distribution raises when it is imported
        raise _failed(address, place[1], error) from error
    try:
        await way.reach(name, protocol, token)
    except (EzmsgError, OSError):
        raise
    except Exception as error:  # whatever another distribution raises
        raise _failed(address, place[1], error) from error


def _failed(address: Address, distribution: str, error: Any) -> ServerUnreachable:
    reason = f"{distribution} failed with {type(error).__name__}: {error}"
    return ServerUnreachable(address=str(address), reason=reason)
