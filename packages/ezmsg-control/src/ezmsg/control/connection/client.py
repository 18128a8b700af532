"""A graph server as one event loop sees it: a line to it, and another one whenever that is lost.

What was declared at the server, such as sessions and endpoints, belongs to its users; on every new line they say it
again, under the old ids. Everything here runs on the loop that opened the connection; nothing is thread-safe.
"""

import asyncio
import logging
import math
import random
import time
from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import aclosing
from functools import partial
from typing import Any
from uuid import UUID, uuid4

from ezmsg.control.connection.answering import Answers, Handler
from ezmsg.control.connection.known_metadata import KnownMetadata
from ezmsg.control.connection.line import Line
from ezmsg.protocol.addresses import Address, parse_address
from ezmsg.protocol.errors import (
    AuthenticationFailed,
    CertificateRefused,
    ConnectionLost,
    DeadlineExceeded,
    EzmsgError,
    ServerOverloaded,
    ServerUnreachable,
    TlsFailed,
    TlsNotSpoken,
    TlsRequired,
    VersionMismatch,
)
from ezmsg.protocol.revisions import Revision
from ezmsg.protocol.wire.tls.files import TlsFiles

DEFAULT_TIMEOUT = 5.0
"""Seconds that opening and each request get, unless told otherwise."""

RETRY_FIRST_S = 0.02
RETRY_LONGEST_S = 0.5
"""Seconds between two tries to reach a server that was lost: the first, and the longest."""

CONNECT_AGAIN_S = 1.0
"""How long the host of a server that was lost has to answer, in seconds; then it is asked anew. The operating
system itself asks ever more rarely, and a network that is whole again would wait for that."""

RETRY_FOREIGN_S = 5.0
RETRY_FOREIGN_LONGEST_S = 60.0
"""The same where another server has taken the place of the one that was lost, and does not let us in."""

FOREIGN_QUIET_S = (60.0, 600.0)
"""For how long nothing more is said of that: after the first word, doubling, and at the most."""

TELL_AGAIN_S = 1.0
"""Seconds in which the log of a process says the same about a server only once."""

_CHANCE = random.SystemRandom()
"""The system's own: neither a program's seed nor a fork decides anything here, nor are its numbers taken."""

LostCallback = Callable[[EzmsgError], None]
Declarations = Callable[[], Iterable[object]]
"""Returns the requests by which somebody says again what it has at the server."""

Heard = Callable[[object, object], None]
"""Takes one of these requests, and the answer to it."""

logger = logging.getLogger(__name__)


class ControlConnection:
    """A multiplexed connection to a graph server, for one event loop, that comes back when it was lost.

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
    tls: TlsFiles | None

    def __init__(
        self,
        address: Address,
        client_id: UUID,
        token: bytes | None,
        name: str | None = None,
        tls: TlsFiles | None = None,
    ) -> None:
        """Use :meth:`open`."""
        self.address = address
        self.name = name
        self.client_id = client_id
        self.known_metadata = KnownMetadata()
        self._token = token
        self._given_tls = tls
        self._loop = asyncio.get_running_loop()
        self._answers = Answers()
        self._declared: list[tuple[Declarations, Heard]] = []
        self._lost_callbacks: list[LostCallback] = []
        self._line: Line | None = None
        self._changed = asyncio.Event()  # set for a moment when the line is there, or this is closed
        self._why = "it was never open"
        self._reviving: asyncio.Task[None] | None = None
        self._restoring: asyncio.Task[None] | None = None
        self._closed = False
        self._tries = 0
        self.lines = 0
        """How many lines there have been."""
        self._blocked_s: Callable[[], float] | None = None

    @classmethod
    async def open(
        cls,
        address: Address,
        *,
        token: bytes | None = None,
        client_id: UUID | None = None,
        timeout: float = DEFAULT_TIMEOUT,
        name: str | None = None,
        tls: TlsFiles | None = None,
    ) -> "ControlConnection":
        """Connect and shake hands; without a token, look for one as :func:`find_token` does.

        :param token: the empty one accepts a server that runs with ``--insecure``; if none is found, such a server
            is refused.
        :param name: what this client calls itself, as others read it beside what it has changed: ``tui@lab3``.
        :param tls: by what the server has to prove itself before anything is said to it; if it is ``None``, what
            :func:`find_tls` finds.
        :raises ServerUnreachable: if nothing listens there, or what does is no graph server.
        :raises CertificateRefused: if the server does not prove itself by TLS.
        :raises TlsRequired: if the server speaks TLS and this side does not.
        :raises TlsNotSpoken: if it is the other way round.
        :raises AuthenticationFailed: if the two sides do not hold the same token, or there is none to hold.
        :raises VersionMismatch: if they share no protocol revision.
        :raises ServerOverloaded: if for ``timeout`` seconds too many others are in their handshake.
        :raises DeadlineExceeded: if it takes longer than ``timeout`` seconds.
        """
        self = cls(parse_address(address), client_id or uuid4(), token, name, tls)
        self._adopt(await self._open_first(timeout))
        return self

    @property
    def closed(self) -> bool:
        """Whether this side has closed it; one that was lost comes back."""
        return self._closed

    @property
    def connected(self) -> bool:
        """Whether the server can be asked at this moment."""
        return self._line is not None

    async def wait_connected(self, timeout: float | None = None) -> UUID:
        """Wait until the server can be asked, and return the run that it is in.

        :param timeout: in seconds, or ``None`` for as long as it takes.
        :raises ServerUnreachable: if it does not come back in time.
        :raises ConnectionLost: if this side closes the connection.
        """
        if self._line is not None:
            return self.epoch
        try:
            async with asyncio.timeout(timeout):
                await self._connected_line()
        except TimeoutError:
            raise ServerUnreachable(address=str(self.address), reason=self._why) from None
        return self.epoch

    async def request(self, body: object, *, timeout: float | None = DEFAULT_TIMEOUT, wait: bool = True) -> Any:
        """Ask the server and return the body of its reply.

        :param wait: whether to wait, within the time, for a server that was lost.
        :raises EzmsgError: the typed failure that the server answered with.
        :raises ConnectionLost: if the connection is closed, or the line is lost before the answer: nobody knows
            then whether the server has done it.
        :raises DeadlineExceeded: if there is no answer within ``timeout`` seconds; a late one is dropped.
        """
        line = self._line
        if line is None:
            if not wait:
                raise self._loss()
            line, timeout = await self._line_for(body, timeout)
        return await line.request(body, timeout)

    async def stream(self, body: object, *, timeout: float | None = DEFAULT_TIMEOUT) -> AsyncGenerator[Any, None]:
        """Return the items of a stream, which opens at the first step; closing the iterator cancels it.

        :param timeout: seconds in which the stream must open; its items may take any time.
        :raises StreamOverrun: at a step, if it is read too slowly; what was kept is given out first.
        :raises ConnectionLost: at a step, if the line is lost.
        """
        line, timeout = await self._line_for(body, timeout)
        async with aclosing(line.stream(body, timeout)) as items:
            async for item in items:
                yield item

    def answer(self, message_class: type, handler: Handler | None, *, abandonable: bool = False) -> None:
        """Let ``handler`` answer the server's requests of this class, each in a task; ``None`` takes it away.

        It returns the body of the reply, or ``None`` for ``Done``. What it raises becomes the typed failure of
        that request.

        :param abandonable: cancel the handler when the server no longer waits for its answer.
        """
        self._answers.register(message_class, handler, abandonable=abandonable)

    def declare(self, declarations: Declarations, heard: Heard = lambda *_: None) -> Callable[[], None]:
        """Say these requests first on every line to come; return what undoes this."""
        declared = declarations, heard
        self._declared.append(declared)
        return lambda: self._declared.remove(declared) if declared in self._declared else None

    def beat(self, blocked_s: Callable[[], float]) -> None:
        """Tell the server again and again that this process is there, on every line to come.

        :param blocked_s: tells for how long its units have not moved, in seconds.
        """
        self._blocked_s = blocked_s
        if self._line is not None:
            self._line.beat(blocked_s)

    def on_lost(self, callback: LostCallback) -> Callable[[], None]:
        """Call back whenever the line is lost; return what undoes this."""
        callbacks = self._lost_callbacks
        callbacks.append(callback)
        return lambda: callbacks.remove(callback) if callback in callbacks else None

    async def close(self) -> None:
        """End the connection and everything that waits for it. It is fine to call this again.

        Also from another event loop than the one that opened it, even if that has ended: the server must not take
        who has left for somebody who is silent.
        """
        if asyncio.get_running_loop() is not self._loop:
            await self._close_from_elsewhere()
            return
        if not self._closed:
            self._closed = True
            self._why = "this side closed it"
            self._changed.set()
        own = [task for task in (self._reviving, self._restoring) if task is not None]
        for task in own:
            task.cancel()
        if own:
            await asyncio.wait(own)
        line, self._line = self._line, None
        if line is not None:
            await line.close()
        await self._answers.close()

    async def _close_from_elsewhere(self) -> None:
        if self._loop.is_running():
            await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(self.close(), self._loop))
            return
        self._closed, self._why = True, "this side closed it"
        line, self._line = self._line, None
        if line is not None:
            line.cut()

    # --- the line -----------------------------------------------------------------------------------------

    async def _open_first(self, timeout: float) -> Line:
        """Open a line; who is turned away from a crowded door comes again, for as long as it may take."""
        left_s, ends_s = timeout, self._loop.time() + timeout
        while True:
            try:
                return await self._open_line(left_s)
            except ServerOverloaded:
                delay_s = RETRY_LONGEST_S * _CHANCE.random()
                left_s = ends_s - self._loop.time() - delay_s
                if left_s <= 0:
                    raise
                await asyncio.sleep(delay_s)

    async def _open_line(self, timeout: float) -> Line:
        self._tries += 1
        return await Line.open(
            self.address,
            self.client_id,
            self._answers,
            self._lose,
            token=self._token,
            timeout=timeout,
            name=self.name,
            incarnation=self._tries,
            connect_timeout=CONNECT_AGAIN_S if self.lines else None,
            tls=self._given_tls,
        )

    def _adopt(self, line: Line) -> None:
        """Use a line, from what was declared on."""
        self._line, self.epoch = line, line.epoch
        self.local_host, self.server_host = line.local_host, line.server_host
        self.revision, self.server_package, self.tls = line.revision, line.server_package, line.tls
        self.lines += 1
        _told.pop((_FOREIGN, self.address), None)
        if self._blocked_s is not None:
            line.beat(self._blocked_s)
        try:
            answers = self._say_again(line)
        finally:
            self._changed.set()
        if answers:
            self._restoring = self._loop.create_task(_see_restored(answers))

    def _lose(self, line: Line, error: EzmsgError) -> None:
        if line is not self._line or self._closed:
            return  # it was not in use yet, or is about to be closed
        self._line, self._why = None, _reason(error)
        self._changed.clear()
        for callback in tuple(self._lost_callbacks):
            self._loop.call_soon(callback, error)
        if self._declared and _is_news("lost", self.address):
            logger.warning("%s It is tried again.", error.sentence())
        self._reviving = self._loop.create_task(self._revive())

    async def _revive(self) -> None:
        """Open another line, however often that takes."""
        delay_s = RETRY_FIRST_S
        while self._line is None:
            longest_s = RETRY_LONGEST_S
            await asyncio.sleep(delay_s * _CHANCE.random())  # many clients may have lost the same server
            try:
                self._adopt(await self._open_line(DEFAULT_TIMEOUT))
            except EzmsgError as error:
                if isinstance(error, _FOREIGN_ERRORS):
                    longest_s = RETRY_FOREIGN_LONGEST_S
                    delay_s = max(delay_s, RETRY_FOREIGN_S / 2)
                    self._tell_foreign(error)
                elif not isinstance(error, ServerUnreachable | TlsFailed) and _is_news(
                    error.code, self.address, 60.0
                ):
                    logger.warning("The graph server at %s does not let us in again yet. %s", self.address, error)
                self._why = _reason(error)
            except Exception as error:  # protects who waits from a fault of ours, or of who declares
                logger.exception("The connection to the graph server at %s could not be restored", self.address)
                self._why = f"{type(error).__name__}: {error}"
            delay_s = min(2 * delay_s, longest_s)

    def _tell_foreign(self, error: EzmsgError) -> None:
        if _is_news(_FOREIGN, self.address, *FOREIGN_QUIET_S):
            logger.warning(
                "The graph server that is at %s now does not let this program in, as it may be another graph's. It "
                "is asked ever more rarely. If the lost one does not come back, end this program and start it "
                "again. %s",
                *(self.address, error),
            )

    def _say_again(self, line: Line) -> list[asyncio.Task[Any]]:
        answers: list[asyncio.Task[Any]] = []
        for declarations, heard in tuple(self._declared):
            for body in declarations():
                try:
                    answer = self._loop.create_task(line.request(body, DEFAULT_TIMEOUT))
                except ConnectionLost:
                    return answers  # the next line begins anew
                except EzmsgError as error:
                    _tell_unrestored(error)
                else:
                    answer.add_done_callback(partial(_hear, body, heard))
                    answers.append(answer)
        if answers and _is_news("back", self.address):
            logger.info("The graph server at %s is back, and is told again what is here.", self.address)
        return answers

    async def _line_for(self, body: object, timeout: float | None) -> tuple[Line, float | None]:
        """Wait for a line; return how much of the time is left, too."""
        began_s = self._loop.time()
        try:
            async with asyncio.timeout(timeout):
                line = await self._connected_line()
        except TimeoutError:
            what = f"{type(body).__name__} at the graph server {self.address}, which is lost ({self._why}),"
            raise DeadlineExceeded(operation=what, seconds=timeout or 0.0) from None
        return line, None if timeout is None else max(0.0, timeout - (self._loop.time() - began_s))

    async def _connected_line(self) -> Line:
        while self._line is None:
            if self._closed:
                raise self._loss()
            await self._changed.wait()
        return self._line

    def _loss(self) -> ConnectionLost:
        return ConnectionLost(address=str(self.address), reason=self._why)


def _hear(body: object, heard: Heard, answer: asyncio.Task[Any]) -> None:
    if not answer.cancelled() and answer.exception() is None:
        heard(body, answer.result())


async def _see_restored(answers: list[asyncio.Task[Any]]) -> None:
    for outcome in await asyncio.gather(*answers, return_exceptions=True):
        match outcome:
            case ConnectionLost():
                pass  # all is said again on the next line
            case EzmsgError():
                _tell_unrestored(outcome)
            case BaseException():
                raise outcome


_FOREIGN = "foreign"
_FOREIGN_ERRORS = (AuthenticationFailed, VersionMismatch, CertificateRefused, TlsRequired, TlsNotSpoken)

_told: dict[tuple[str, Address], tuple[float, float]] = {}
"""When something was told of a server, and for how many seconds it is not told again."""


def _is_news(what: str, address: Address, quiet_s: float = TELL_AGAIN_S, longest_s: float = 0.0) -> bool:
    """Whether this was not told a moment ago: a process has several connections, which lose the server together.

    :param longest_s: how long the quiet may become, which is twice as long after each word.
    """
    now_s = time.monotonic()
    told_s, before_s = _told.get((what, address), (-math.inf, 0.0))
    if now_s - told_s < before_s:
        return False
    _told[what, address] = now_s, max(quiet_s, min(2 * before_s, longest_s))
    return True


def _tell_unrestored(error: EzmsgError) -> None:
    logger.error("The graph server came back, and something of what was there could not be restored. %s", error)


def _reason(error: EzmsgError) -> str:
    reason = getattr(error, "reason", None)
    return reason if isinstance(reason, str) else error.sentence().rstrip(".")
