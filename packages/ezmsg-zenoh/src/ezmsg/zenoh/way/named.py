"""``zenoh:NAME`` as the address of a graph server: both halves, for its clients and for itself."""

import asyncio
from collections.abc import Callable

from ezmsg.zenoh.way.reaching import reach
from ezmsg.zenoh.way.serving import MakeProtocol, Serving, serve


class ZenohWay:
    """See :class:`ezmsg.control.connection.ways.Way` and :class:`ezmsg.graphserver.sockets.ways.Way`."""

    async def reach(self, name: str, protocol: asyncio.BaseProtocol, token: Callable[[], bytes | None]) -> None:
        """Give a protocol a stream to the graph server that has a name; see :func:`reach`."""
        await reach(name, protocol, token())

    async def serve(self, name: str, make_protocol: MakeProtocol, token: bytes) -> Serving:
        """Let clients find a graph server by a name; see :func:`serve`."""
        return await serve(name, make_protocol, token)
