"""One connection to a graph server: requests out, replies and streams in, for everybody on one event loop.

Everything here runs on the loop that opened the connection; nothing is thread-safe. It keeps nothing about
sessions or endpoints: what a connection carries belongs to its users, who can say it again on another one.
"""

import asyncio
import os
import socket
from collections.abc import AsyncGenerator, Callable
from typing import Any
from uuid import UUID, uuid4

from ezmsg.control.answering import Answers, Handler
from ezmsg.control.discovery import find_token
from ezmsg.control.losses import loss, refusal
from ezmsg.control.requesting import Requests
from ezmsg.control.transport import ControlTransport
from ezmsg.protocol.addresses import Address, parse_address
from ezmsg.protocol.auth import NONCE_SIZE
from ezmsg.protocol.connection import CancelReceived, Closed, Connection, Event, Opened, RequestReceived
from ezmsg.protocol.errors import AuthenticationFailed, DeadlineExceeded, EzmsgError
from ezmsg.protocol.handshake import ClientHandshake

DEFAULT_TIMEOUT = 5.0
"""Seconds that opening and each request get, unless told otherwise."""

LostCallback = Callable[[EzmsgError | None], None]


class ControlConnection:
    """One multiplexed connection to a graph server, for one event loop.

    ``epoch`` names the run of the server; ``local_host`` is the address by which the server sees this machine.
    """

    epoch: UUID
    local_host: str

    def __init__(self, address: Address, client_id: UUID, handshake: ClientHandshake) -> None:
        """Use :meth:`open`."""
        self.address = address
        self.client_id = client_id
        self._loop = asyncio.get_running_loop()
        self._handshake = handshake
        self._connection = Connection(handshake)
        self._transport = ControlTransport(self._connection, self._receive)
        self._requests = Requests(str(address), self._connection, self._transport.flush)
        self._answers = Answers(self._connection, self._transport.flush)
        self._opening: asyncio.Future[None] = self._loop.create_future()
        self._lost_callbacks: list[LostCallback] = []
        self._closing = False
        self._end: EzmsgError | None = None

    @classmethod
    async def open(
        cls,
        address: Address,
        *,
        token: bytes | None = None,
        client_id: UUID | None = None,
        timeout: float = DEFAULT_TIMEOUT,
    ) -> "ControlConnection":
        """Connect and shake hands; without a token, look for one as :func:`find_token` does.

        :param token: the empty one accepts a server that runs with ``--insecure``; if none is found, such a server
            is refused.
        :raises ServerUnreachable: if nothing listens there, or what does is no graph server.
        :raises AuthenticationFailed: if the two sides do not hold the same token, or there is none to hold.
        :raises VersionMismatch: if they share no protocol revision.
        :raises DeadlineExceeded: if it takes longer than ``timeout`` seconds.
        """
        address = parse_address(address)
        find = (lambda: find_token(address)) if token is None else (lambda: token)
        client_id = client_id or uuid4()
        nonce = os.urandom(NONCE_SIZE)
        self = cls(address, client_id, ClientHandshake(find, nonce, client_id, os.getpid(), socket.gethostname()))
        try:
            async with asyncio.timeout(timeout):
                await self._shake_hands()
        except TimeoutError:
            await self.close()
            raise DeadlineExceeded(operation=f"Opening a connection to {address}", seconds=timeout) from None
        except AuthenticationFailed as error:  # the handshake knows why, but not with whom
            await self.close()
            raise AuthenticationFailed(reason=f"at {address}, {error.reason}") from error
        except BaseException:
            await self.close()
            raise
        return self

    @property
    def closed(self) -> bool:
        """Whether the connection is over, by whichever side."""
        return self._connection.closed

    async def request(self, body: object, *, timeout: float | None = DEFAULT_TIMEOUT) -> Any:
        """Ask the server and return the body of its reply.

        :raises EzmsgError: the typed failure that the server answered with.
        :raises ConnectionLost: if the connection is over, or ends before the answer.
        :raises DeadlineExceeded: if there is no answer within ``timeout`` seconds; a late one is dropped.
        """
        self._require_open()
        return await self._requests.request(body, timeout)

    def stream(self, body: object, *, timeout: float | None = DEFAULT_TIMEOUT) -> AsyncGenerator[Any, None]:
        """Return the items of a stream, which opens at the first step; closing the iterator cancels it.

        :param timeout: seconds in which the stream must open; its items may take any time.
        :raises StreamOverrun: at a step, if it is read too slowly; what was kept is given out first.
        """
        self._require_open()
        return self._requests.stream(body, timeout)

    def answer(self, message_class: type, handler: Handler | None, *, abandonable: bool = False) -> None:
        """Let ``handler`` answer the server's requests of this class, each in a task; ``None`` takes it away.

        It returns the body of the reply, or ``None`` for ``Done``. What it raises becomes the typed failure of
        that request.

        :param abandonable: cancel the handler when the server no longer waits for its answer.
        """
        self._answers.register(message_class, handler, abandonable=abandonable)

    def on_lost(self, callback: LostCallback) -> Callable[[], None]:
        """Call back once when the connection ends other than by :meth:`close`; return what undoes this."""
        if self.closed and not self._closing:
            self._loop.call_soon(callback, self._loss())
        callbacks = self._lost_callbacks
        callbacks.append(callback)
        return lambda: callbacks.remove(callback) if callback in callbacks else None

    async def close(self) -> None:
        """End the connection and everything that waits for it. It is fine to call this again."""
        self._closing = self._closing or not self.closed
        await self._transport.close()
        await self._answers.close()

    # --- inside -----------------------------------------------------------------------------------------

    async def _shake_hands(self) -> None:
        await self._transport.connect(self.address)
        await self._opening
        if self._handshake.welcome is None:
            raise refusal(self.address, self._end, self._transport.cut_reason)
        self.epoch = self._handshake.welcome.epoch
        self.local_host = self._transport.local_host

    def _require_open(self) -> None:
        if self.closed:
            raise self._loss()

    def _receive(self, event: Event) -> None:
        match event:
            case RequestReceived(request_id, body):
                self._answers.start(request_id, body)
            case CancelReceived(request_id):
                self._answers.abandon(request_id)
            case Opened():
                self._settle_opening()
            case Closed(error):
                self._receive_end(error)
            case _:
                self._requests.receive(event)

    def _receive_end(self, error: EzmsgError | None) -> None:
        self._end = error
        was_open = self._handshake.welcome is not None
        self._settle_opening()
        self._requests.fail_all(self._loss)
        if was_open and not self._closing:
            for callback in tuple(self._lost_callbacks):
                self._loop.call_soon(callback, self._loss())

    def _settle_opening(self) -> None:
        if not self._opening.done():
            self._opening.set_result(None)

    def _loss(self) -> EzmsgError:
        reason = "this side closed it" if self._closing else self._transport.cut_reason
        return loss(self.address, self._end, reason)
