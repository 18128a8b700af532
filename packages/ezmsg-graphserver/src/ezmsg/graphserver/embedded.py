"""A graph server as a thread of the program that needs one."""

import asyncio
import contextlib
import logging
import threading
from typing import Any

from ezmsg.graphserver.server import Server
from ezmsg.graphserver.serving import start_server
from ezmsg.graphserver.sockets.loops import run
from ezmsg.protocol.addresses import Address, AddressType, parse_address
from ezmsg.protocol.errors import EzmsgError, InternalError, ServerUnreachable
from ezmsg.protocol.wire.tls.files import TlsFiles

logger = logging.getLogger(__name__)

STOP_TIMEOUT_S = 5.0
"""How long :meth:`GraphServer.stop` waits at most."""


class GraphServer(threading.Thread):
    """A graph server that lives as long as this program, or until it is stopped.

    It is a daemon thread and never keeps the interpreter alive.

    :param token: what clients must hold, see :func:`ezmsg.graphserver.serving.start_server`.
    :param insecure: let everybody in if no token was given.
    :param tls: by what clients are to check it, see :func:`ezmsg.graphserver.serving.start_server`.
    :param kwargs: go to :class:`threading.Thread`.
    """

    def __init__(
        self, *, token: str | None = None, insecure: bool = False, tls: TlsFiles | None = None, **kwargs: Any
    ) -> None:
        super().__init__(**{"name": "GraphServer", **kwargs, "daemon": True})
        self._token = token
        self._insecure = insecure
        self._tls = tls
        self._wanted: Address | None = None
        self._address: Address | None = None
        self._error: Exception | None = None
        self._settled = threading.Event()
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._server: Server | None = None

    def __repr__(self) -> str:
        state = "running" if self.is_alive() else "not started" if self.ident is None else "ended"
        where = "" if self._address is None else f"at {self._address}, "
        return f"<{type(self).__name__} {where}{state}>"

    @property
    def address(self) -> Address:
        """Where it listens.

        :raises ServerUnreachable: if it was not started.
        """
        if self._address is None:
            raise ServerUnreachable(address="an address of its own choice", reason="it was not started")
        return self._address

    def start(self, address: AddressType | None = None) -> None:
        """Start it, and return when it listens.

        :param address: where to listen, or ``None`` for the first free loopback port from
            ``EZMSG_SERVER_PORT_START`` (10000) on. Port 0 takes any free port.
        :raises EzmsgError: if it cannot, see :func:`ezmsg.graphserver.serving.start_server`.
        """
        self._wanted = None if address is None else parse_address(address)
        super().start()
        self._settled.wait()
        if self._error is not None:
            self.join()
            raise self._error
        logger.info("Started GraphServer at %s", self.address)

    def run(self) -> None:
        """Serve; this is the thread's own."""
        try:
            run(self._serve())
        except Exception as error:
            # Whatever it is goes to who waits in start(), or to the log if it listened already.
            if self._settled.is_set():
                logger.exception("The graph server failed")
            self._error = error if isinstance(error, EzmsgError) else _internal(error)
        finally:
            self._settled.set()

    def stop(self) -> None:
        """Stop it and wait until it is gone, at most 5 s. A server that does not run is left as it is."""
        with self._lock:
            if self._loop is not None and self._server is not None:
                with contextlib.suppress(RuntimeError):  # the loop has ended in this very moment
                    self._loop.call_soon_threadsafe(self._server.stop)
        if self.is_alive() and threading.current_thread() is not self:
            self.join(STOP_TIMEOUT_S)
            if self.is_alive():
                logger.warning("The graph server at %s did not end within %g s", self._address, STOP_TIMEOUT_S)

    async def _serve(self) -> None:
        server = await start_server(self._wanted, self._token, self._insecure, tls=self._tls)
        self._address = server.address
        with self._lock:
            self._loop, self._server = asyncio.get_running_loop(), server
        self._settled.set()
        await server.run()


def _internal(error: Exception) -> InternalError:
    internal = InternalError(reason=f"{type(error).__name__}: {error}")
    internal.__cause__ = error
    return internal
