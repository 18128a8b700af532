"""The graph service with what only core can do: start a server where none answers.

This is the one place, besides the re-exported names, where core knows the server.
"""

import logging
from typing import TYPE_CHECKING

from ezmsg.control.connection import sharing
from ezmsg.control.connection.announcements import listens, running_graphs
from ezmsg.control.connection.discovery import DEFAULT_ADDRESS, named_address
from ezmsg.control.rendering.drawing_service import GraphService as ControlService
from ezmsg.protocol.addresses import Address, AddressType
from ezmsg.protocol.errors import (
    AuthenticationFailed,
    CertificateRefused,
    DeadlineExceeded,
    ServerUnreachable,
    TlsFailed,
    TlsNotSpoken,
    TlsRequired,
    VersionMismatch,
)

if TYPE_CHECKING:
    from ezmsg.graphserver.embedded import GraphServer

logger = logging.getLogger("ezmsg")

_OF_NO_USE = (
    AuthenticationFailed,
    CertificateRefused,
    DeadlineExceeded,
    TlsFailed,
    TlsNotSpoken,
    TlsRequired,
    VersionMismatch,
)
"""What says that the server at the default port is somebody else's, who wants nothing of us."""

RETURN_LIMIT_S = 1.0
"""How long a server that was lost may take to come back before there is none, in seconds."""


class GraphService(ControlService):
    """Operates the graph server at an address, and can see to it that there is one.

    :param address: where it is; where nobody names one, it is found as ``docs/explain/finding-the-graph.md`` says.
    :param apart: do not join a graph that was only announced: where none answers at the default address, this one
        is to be a graph of its own.
    """

    def __init__(self, address: AddressType | None = None, *, apart: bool = False) -> None:
        super().__init__(address)
        self._apart = apart

    @property
    def address(self) -> Address:
        """The address given, else the one that is found."""
        if self._address is None and self._apart:
            return named_address() or DEFAULT_ADDRESS
        return super().address

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
        :raises SeveralServers: if nobody named a graph, and this user runs several.
        :raises AuthenticationFailed: or another :class:`LinkError`, if the server at an address that was given
            refuses us.
        """
        explicit = self._address is not None or named_address() is not None
        found = self.address
        try:
            connection = await sharing.acquire(found, timeout=RETURN_LIMIT_S)
        except ServerUnreachable:
            if auto_start is False or (auto_start is None and explicit):
                raise
            server = self.create_server()
            if self._apart and not explicit:
                _tell_of_another(server.address)
            return server
        except _OF_NO_USE as error:
            if auto_start is False or explicit:
                raise
            server = self.create_server()
            logger.warning(
                "Started a graph server at %s. The one at %s was of no use: %s", server.address, found, error
            )
            return server
        await sharing.release(connection)
        self._address = found  # the graph that this is about stays the same, whatever else is started
        return None


def _tell_of_another(own: Address) -> None:
    """Say so if this user runs another graph: two programs of which each has one exchange nothing."""
    other = next((each for each in running_graphs() if each.address != own and listens(each.address)), None)
    if other is not None:
        logger.info(
            "%s has another graph at %s, and nothing goes from one to the other. To share one, start "
            "`ezmsg server start` before both, or set EZMSG_GRAPHSERVER_ADDR=%s here.",
            other.program or "A program",
            other.address,
            other.address,
        )
