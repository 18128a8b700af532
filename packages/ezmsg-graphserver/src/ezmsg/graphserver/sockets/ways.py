"""Ways by which clients find a graph server by a name and not by an address: what another distribution brings.

It declares an entry point of the group ``ezmsg.ways``, whose name is what stands before the colon of ``zenoh:lab``,
and whose object makes a :class:`Way`. The clients' half is told in :mod:`ezmsg.control.connection.ways`.
"""

import asyncio
from collections.abc import Callable
from typing import Protocol, cast

from ezmsg.protocol.addresses import WAYS, WAYS_GROUP, Address
from ezmsg.protocol.errors import EzmsgError, WayUnusable
from ezmsg.protocol.surroundings.entry_points import installed, loaded


class Served(Protocol):
    """A server that clients find so."""

    async def close(self) -> None:
        """Let nobody in any more, and end what is left. Bounded."""


class Way(Protocol):
    """One way to servers that have names."""

    async def serve(self, name: str, make_protocol: Callable[[], asyncio.BaseProtocol], token: bytes) -> Served:
        """Let clients in, each with a protocol of its own and a transport that has no socket.

        ``transport.get_extra_info("peer")`` says who it is, for a log; ``"silence"`` is a function that returns for
        how many seconds its host has acknowledged nothing of what waits for it. A host that is lost ends the
        protocol with a :class:`TimeoutError`.

        :param token: the server's own, of which a client holds this or that of a role.
        :raises EzmsgError: if the way cannot be used, or another server has the name.
        """


async def serve(address: Address, make_protocol: Callable[[], asyncio.BaseProtocol], token: bytes) -> Served:
    """Let a server be found by a name.

    :raises WayUnusable: if its way is not known here, or cannot be used.
    :raises EzmsgError: if another server has the name.
    """
    assert address.way is not None
    kind, name = address.way
    place = installed(WAYS_GROUP).get(kind)
    if place is None:
        raise WayUnusable(address=str(address), reason=f"{WAYS[kind]} is not installed here")
    try:
        return await cast(Way, loaded(place[0])()).serve(name, make_protocol, token)
    except EzmsgError:
        raise
    except Exception as error:  # whatever another distribution raises
        raise WayUnusable(address=str(address), reason=f"{place[1]} failed with {error!r}") from error
