"""One socket to a graph server, from its opening to its end: requests out, replies and streams in.

Everything here runs on the loop that opened it; nothing is thread-safe. It keeps nothing about sessions or
endpoints, and when it is lost it stays so: :class:`~ezmsg.control.connection.client.ControlConnection` opens
another one.
"""

import asyncio
import os
import socket
from collections.abc import AsyncGenerator, Callable, Coroutine
from typing import Any
from uuid import UUID

from ezmsg.control.connection.announcements import read_announcement
from ezmsg.control.connection.answering import Answers
from ezmsg.control.connection.beating import SYSTEM_NOTICES, Beating
from ezmsg.control.connection.discovery import find_tls, find_token
from ezmsg.control.connection.losses import loss, refusal
from ezmsg.control.connection.requesting import Requests
from ezmsg.control.connection.transport import ControlTransport
from ezmsg.protocol.addresses import Address
from ezmsg.protocol.errors import (
    AuthenticationFailed,
    CertificateRefused,
    DeadlineExceeded,
    EzmsgError,
    ServerUnreachable,
    TlsRequired,
)
from ezmsg.protocol.messages.presence import Beat
from ezmsg.protocol.revisions import Revision
from ezmsg.protocol.wire.auth import NONCE_SIZE
from ezmsg.protocol.wire.connection import (
    CancelReceived,
    Closed,
    Connection,
    Event,
    NoticeReceived,
    Opened,
    RequestReceived,
)
from ezmsg.protocol.wire.handshake import ClientHandshake
from ezmsg.protocol.wire.tls.files import TlsFiles

LostCallback = Callable[["Line", EzmsgError], None]


class Line:
    """One connection of the control plane, over one socket.

    ``epoch`` names the run of the server; ``local_host`` is the address by which the server sees this machine,
    ``server_host`` the one that the server is bound to, as far as it tells. ``revision`` is the protocol's that
    both sides speak, ``server_package`` the version of the server's ``ezmsg-protocol``. ``tls`` are the files by
    which the server has proved itself, if it goes by TLS.
    """

    epoch: UUID
    local_host: str
    revision: Revision
    server_package: str
    server_host: str

    def __init__(
        self,
        address: Address,
        handshake: ClientHandshake,
        answers: Answers,
        on_lost: LostCallback,
        find_token: Callable[[], bytes | None],
    ) -> None:
        """Use :meth:`open`."""
        self.address = address
        self._find_token = find_token
        self._loop = asyncio.get_running_loop()
        self._handshake = handshake
        self._connection = Connection(handshake)
        self._transport = ControlTransport(self._connection, self._receive)
        self._requests = Requests(str(address), self._connection, self._transport.flush_soon)
        self._answers = answers
        self._on_lost = on_lost
        self._beating = Beating(self._beat, self._transport.give_up)
        self._opening: asyncio.Future[None] = self._loop.create_future()
        self._closing = False
        self._end: EzmsgError | None = None
        self.tls: TlsFiles | None = None

    @classmethod
    async def open(
        cls,
        address: Address,
        client_id: UUID,
        answers: Answers,
        on_lost: LostCallback,
        *,
        token: bytes | None,
        timeout: float,
        name: str | None = None,
        incarnation: int = 0,
        connect_timeout: float | None = None,
        tls: TlsFiles | None = None,
    ) -> "Line":
        """Connect and shake hands; see :meth:`ControlConnection.open`.

        :param answers: answer what the server asks.
        :param name: what this client calls itself.
        :param incarnation: tells this line of a client from the ones before.
        :param connect_timeout: seconds in which its host must answer, where that may take less than all the rest.
        :param tls: by what the server is to prove itself, before the handshake; what is found if it is ``None``.
        :param on_lost: called when the line, once open, ends other than by :meth:`close`.
        """
        find = _looking_for(address) if token is None else (lambda: token)
        nonce = os.urandom(NONCE_SIZE)
        handshake = ClientHandshake(
            find, nonce, client_id, os.getpid(), socket.gethostname(), name=name, incarnation=incarnation
        )
        self = cls(address, handshake, answers, on_lost, find)
        self.tls = tls or find_tls(address)
        try:
            async with asyncio.timeout(timeout):
                await self._shake_hands(connect_timeout)
        except TimeoutError:
            await self.close()
            raise DeadlineExceeded(operation=f"Opening a connection to {address}", seconds=timeout) from None
        except AuthenticationFailed as error:  # the handshake knows why, but not with whom
            await self.close()
            raise AuthenticationFailed(reason=f"at {address}, {error.reason}") from error
        except TlsRequired:
            await self.close()
            raise TlsRequired(address=str(address)) from None  # as this side knows it
        except BaseException:
            await self.close()
            raise
        return self

    @property
    def closed(self) -> bool:
        """Whether the line is over, by whichever side."""
        return self._connection.closed

    def request(self, body: object, timeout: float | None) -> Coroutine[Any, Any, Any]:
        """Ask the server, at once; awaiting what is returned gives the body of its reply.

        :raises ConnectionLost: if the line is over; awaiting raises it, too, if that comes before the answer.
        """
        self._require_open()
        return self._requests.request(body, timeout)

    def stream(self, body: object, timeout: float | None) -> AsyncGenerator[Any, None]:
        """Return the items of a stream, see :meth:`ControlConnection.stream`."""
        self._require_open()
        return self._requests.stream(body, timeout)

    def beat(self, blocked_s: Callable[[], float]) -> None:
        """Tell the server again and again that this process is there, and for how long its units have not moved."""
        if not self.closed:
            self._beating.start(blocked_s)

    def reply(self, request_id: int, body: object) -> None:
        """Answer a request of the server; after the end, nobody waits for that any more."""
        if not self.closed:
            self._connection.reply(request_id, body)
            self._transport.flush()

    def fail(self, request_id: int, error: BaseException) -> None:
        """Answer a request of the server with a failure."""
        if not self.closed:
            self._connection.fail(request_id, error)
            self._transport.flush()

    async def close(self) -> None:
        """End the line and everything that waits for it. It is fine to call this again."""
        self._closing = self._closing or not self.closed
        self._beating.stop()
        await self._transport.close()

    def cut(self) -> None:
        """End the line at once, when its event loop has ended and can close nothing any more."""
        self._closing = True
        self._transport.cut()

    # --- inside -----------------------------------------------------------------------------------------

    async def _shake_hands(self, connect_timeout: float | None) -> None:
        try:
            async with asyncio.timeout(connect_timeout):
                await self._transport.connect(self.address, self.tls, self._find_token)
        except TimeoutError:
            reason = f"its host has not answered for {connect_timeout:g} s"
            raise ServerUnreachable(address=str(self.address), reason=reason) from None
        await self._opening
        if self._transport.refused is not None:
            raise await self._explained(self._transport.refused)
        if self._handshake.welcome is None or self.closed:
            raise refusal(self.address, self._end, self._transport.cut_reason)
        assert self._handshake.revision is not None  # they agreed before the welcome
        self.epoch = self._handshake.welcome.epoch
        self.revision = self._handshake.revision
        self.server_package = self._handshake.server_package
        self.local_host = self._transport.local_host
        self.server_host = self._handshake.welcome.listens_on

    async def _explained(self, error: EzmsgError) -> EzmsgError:
        if self.tls is None or not isinstance(error, CertificateRefused):
            return error
        from ezmsg.control.connection.tls import explained

        return await explained(error, self.address, self.tls)

    def _require_open(self) -> None:
        if self.closed:
            raise self._loss()

    def _beat(self, beat: Beat) -> None:
        if not self.closed:
            self._connection.notify(beat)
            self._transport.flush()

    def _receive(self, event: Event) -> None:
        self._beating.heard()
        match event:
            case RequestReceived(request_id, body):
                self._answers.start(self, request_id, body)
            case CancelReceived(request_id):
                self._answers.abandon(self, request_id)
            case NoticeReceived(Beat() as beat):
                self._beating.beaten(beat)
            case Opened():
                if not SYSTEM_NOTICES:
                    self._beating.start(float)
                self._settle_opening()
            case Closed(error):
                self._receive_end(error)
            case _:
                self._requests.receive(event)

    def _receive_end(self, error: EzmsgError | None) -> None:
        self._end = error
        self._beating.stop()
        was_open = self._handshake.welcome is not None
        self._settle_opening()
        self._requests.fail_all(self._loss)
        if was_open and not self._closing:
            self._on_lost(self, self._loss())

    def _settle_opening(self) -> None:
        if not self._opening.done():
            self._opening.set_result(None)

    def _loss(self) -> EzmsgError:
        reason = "this side closed it" if self._closing else self._transport.cut_reason
        return loss(self.address, self._end, reason)


def _looking_for(address: Address) -> Callable[[], bytes | None]:
    """Return what finds the token of the server at ``address``, when that has spoken.

    It looks then, as a server that has just started announces its token a moment after it listens; and here, before
    anybody connects, as one that ends takes the announcement away while its last words are still under way.
    """
    before = find_token(address)

    def find() -> bytes | None:
        now = find_token(address)
        is_gone = not now and read_announcement(address.port) is None
        return before if before and is_gone else now

    return find
