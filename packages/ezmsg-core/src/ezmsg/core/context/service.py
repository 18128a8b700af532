"""The graph service with what only core can do: start a server where none answers.

This is the one place, besides the re-exported names, where core knows the server.
"""

import logging
import os
from typing import TYPE_CHECKING

from ezmsg.control.connection import sharing
from ezmsg.control.connection.discovery import find_address
from ezmsg.control.rendering.drawing_service import GraphService as ControlService
from ezmsg.protocol.addresses import ADDRESS_VARIABLE, AddressType
from ezmsg.protocol.errors import AuthenticationFailed, DeadlineExceeded, ServerUnreachable, VersionMismatch

if TYPE_CHECKING:
    from ezmsg.graphserver.embedded import GraphServer

logger = logging.getLogger("ezmsg")

RETURN_LIMIT_S = 1.0
"""How long a server that was lost may take to come back before there is none, in seconds."""


class GraphService(ControlService):
    """Operates the graph server at an address, and can see to it that there is one."""

    def __init__(self, address: AddressType | None = None) -> None:
        super().__init__(address)
        self._explicit = address is not None or bool(os.environ.get(ADDRESS_VARIABLE))

    def create_server(self) -> "GraphServer":
        """Start a server in a thread: at the address given as an argument, else on the first free port from 10000.

        What ``EZMSG_GRAPHSERVER_ADDR`` names is where others expect a server; it is not for us to put one there.

        :raises AddressInUse: if it cannot listen there.
        """
        # Here and not above, because most processes of a graph start no server, and it takes a while to import.
        from ezmsg.graphserver.embedded import GraphServer

        server = GraphServer()
        server.start(self._address)
        self._address = server.address
        return server

    async def ensure(self, auto_start: bool | None = None) -> "GraphServer | None":
        """Return ``None`` if a server answers, else start one and return it; its starter stops it.

        A server on the default port that refuses us is somebody else's, and as good as none.

        :param auto_start: whether one may be started; ``None`` means only if no address was given, by argument
            or by ``EZMSG_GRAPHSERVER_ADDR``.
        :raises ServerUnreachable: if none answers and none may be started.
        :raises AuthenticationFailed: or another :class:`LinkError`, if the server at an address that was given
            refuses us.
        """
        try:
            connection = await sharing.acquire(find_address(self.address), timeout=RETURN_LIMIT_S)
        except ServerUnreachable:
            if auto_start is False or (auto_start is None and self._explicit):
                raise
            return self.create_server()
        except (AuthenticationFailed, VersionMismatch, DeadlineExceeded) as error:
            if auto_start is False or self._explicit:
                raise
            refusing = self.address
            server = self.create_server()
            logger.warning(
                "Started a graph server at %s. The one at %s was of no use: %s", server.address, refusing, error
            )
            return server
        await sharing.release(connection)
        return None
