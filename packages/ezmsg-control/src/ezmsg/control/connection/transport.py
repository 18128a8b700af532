"""The socket under a control connection: bytes in, events out. No meaning here, that is the client's.

A thin :class:`asyncio.Protocol` round the sans-I/O :class:`~ezmsg.protocol.wire.connection.Connection`; the same
for asyncio's own loop and uvloop.
"""

import asyncio
import contextlib
import errno
import os
import socket
from collections.abc import Callable
from typing import cast

from ezmsg.control.connection.beating import watch_for_silence
from ezmsg.control.connection.forks import keep_from_forks
from ezmsg.protocol.addresses import DEFAULT_HOST, Address
from ezmsg.protocol.errors import EzmsgError, ServerUnreachable
from ezmsg.protocol.wire.connection import Closed, Connection, Event
from ezmsg.protocol.wire.frames import FRAME_LIMIT
from ezmsg.protocol.wire.tls.files import TlsFiles

CLOSE_TIMEOUT = 1.0
"""Seconds in which the last bytes may leave before the socket is cut off."""

TOGETHER_BYTES = 64 * 1024
"""More than this does not wait for the end of the event loop's turn."""


class ControlTransport(asyncio.Protocol):
    """Drives one connection over one socket, and hands every event to ``on_event`` in order.

    The last event is always :class:`Closed`. ``cut_reason`` says what the operating system had against the
    connection, if it was that which ended it, and ``refused`` why this side did not believe the server by TLS.
    """

    def __init__(self, connection: Connection, on_event: Callable[[Event], None]) -> None:
        self.cut_reason: str | None = None
        self.refused: EzmsgError | None = None
        self._connection = connection
        self._on_event = on_event
        self._transport: asyncio.Transport | None = None
        self._flushing = False
        self._loop = asyncio.get_running_loop()
        self._gone: asyncio.Future[None] = self._loop.create_future()

    async def connect(self, address: Address, tls: TlsFiles | None, token: Callable[[], bytes | None]) -> None:
        """Open the socket, or go the way that the address names.

        :param tls: by what the server has to prove itself before anything is said to it.
        :param token: returns what server and client must both hold, for ways on which each word is signed.
        :raises ServerUnreachable: if nothing accepts it.
        :raises TlsUnusable: if the server cannot be checked by these files.
        """
        if address.way is not None:
            from ezmsg.control.connection.ways import reach

            await reach(address, self, token)
            return
        factory: Callable[[], asyncio.BaseProtocol] = lambda: self  # noqa: E731
        if tls is not None:
            from ezmsg.control.connection.tls import secured

            factory = secured(self, address, tls)
        try:
            await asyncio.get_running_loop().create_connection(factory, *address)
        # ValueError comes from host names that the resolver cannot even encode.
        except (OSError, ValueError) as error:
            raise ServerUnreachable(address=str(address), reason=_reason(error)) from error
        except asyncio.CancelledError:
            # The loop closes the socket itself then, and uvloop does not tell us when.
            self._transport = None
            raise

    @property
    def local_host(self) -> str:
        """The address of this end, as text: the one by which the server's host sees this machine.

        Where there is no socket, the server's host sees none, and others of this host have the one of loopback.
        """
        assert self._transport is not None
        if self._socket() is None:
            return DEFAULT_HOST
        name: tuple[str, int] | None = self._transport.get_extra_info("sockname")
        return name[0] if name else ""

    def flush(self) -> None:
        """Write what the connection has to send."""
        transport = self._transport
        data = self._connection.data_to_send()
        if not data or transport is None or self._gone.done():
            return
        if transport.get_write_buffer_size() > FRAME_LIMIT:
            self.cut_reason = f"it left more than {FRAME_LIMIT} bytes unread"
            transport.abort()
        else:
            transport.write(data)

    def flush_soon(self) -> None:
        """Write it at the end of this turn of the event loop, with what else there is to send by then.

        What is much goes at once: whoever leaves it unread is found out by the next of it.
        """
        if self._connection.unsent_bytes > TOGETHER_BYTES:
            self.flush()
        elif not self._flushing:
            with contextlib.suppress(RuntimeError):  # the loop is closed, and so is the socket
                self._loop.call_soon(self._flush_late)
                self._flushing = True

    def _flush_late(self) -> None:
        self._flushing = False
        self.flush()

    async def close(self) -> None:
        """End the connection, write what is left and wait until the socket is gone.

        After ``CLOSE_TIMEOUT`` seconds it is cut off, whatever is left.
        """
        self._connection.close()
        self._give_out_events()
        if self._transport is None:
            return
        self._transport.close()
        await asyncio.wait([self._gone], timeout=CLOSE_TIMEOUT)
        if not self._gone.done():
            self._transport.abort()
            await asyncio.wait([self._gone], timeout=CLOSE_TIMEOUT)

    def give_up(self, reason: str) -> None:
        """End a connection from which nothing is to be expected any more."""
        self.cut_reason = reason
        if self._transport is not None:
            self._transport.abort()

    def cut(self) -> None:
        """Let the peer see the end, when the event loop that would close the socket has ended."""
        sock = self._socket()
        if sock is None and self._transport is not None:
            self._transport.get_extra_info("cut")()
        descriptor = -1 if sock is None else sock.fileno()
        if descriptor >= 0:  # else the loop has closed it on its own end
            with contextlib.suppress(OSError), socket.socket(fileno=os.dup(descriptor)) as same:
                same.shutdown(socket.SHUT_RDWR)

    # --- what the event loop calls ----------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The socket is there: say hello."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is no subclass of it
        sock = self._socket()
        with contextlib.suppress(OSError):  # it is over already
            if sock is not None:
                _watch(sock)
        self.flush()

    def data_received(self, data: bytes) -> None:
        """Take bytes, give out what they mean, and write all answers at once."""
        self._connection.receive_data(data)
        self._give_out_events()

    def eof_received(self) -> None:
        """The server will send no more; the socket closes itself after this."""
        self._connection.receive_eof()
        self._give_out_events()

    def connection_lost(self, exc: Exception | None) -> None:
        """The socket is gone."""
        if isinstance(exc, EzmsgError):
            self.refused = exc
        elif exc is not None and self.cut_reason is None:
            self.cut_reason = _reason(exc)
        self._gone.set_result(None)
        self._connection.close()
        self._give_out_events()

    def _socket(self) -> socket.socket | None:
        """What is below; nothing if the server is reached in another way."""
        return None if self._transport is None else self._transport.get_extra_info("socket")

    def _give_out_events(self) -> None:
        for event in self._connection.events_received():
            self._on_event(event)
            if type(event) is Closed and self._transport is not None:
                self.flush()
                self._transport.close()
        self.flush()


def _watch(sock: socket.socket) -> None:
    """Keep a socket to this process, and see when the host at its other end is lost, if that is not this one.

    :raises OSError: if it is over already.
    """
    keep_from_forks(sock.fileno())
    if sock.getpeername()[0] != sock.getsockname()[0]:
        watch_for_silence(sock)


def _reason(error: Exception) -> str:
    """Say in words why a socket failed; asyncio's own texts name numbers and tuples."""
    if isinstance(error, socket.gaierror):
        return str(error.strerror)
    if isinstance(error, OSError) and error.errno == errno.ETIMEDOUT:
        return "its host acknowledges nothing any more"
    if isinstance(error, OSError) and error.errno is not None and error.errno in errno.errorcode:
        return os.strerror(error.errno)
    return str(error) or type(error).__name__
