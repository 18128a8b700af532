"""The page that a monitoring system reads, over HTTP: one request for each connection, bounded in size and time.

It gives nothing away but counts and the names of topics, and changes nothing; whoever can connect may read it,
which beyond loopback must be meant.
"""

import asyncio
import contextlib
import logging
import socket
from collections.abc import Callable

from ezmsg.graphserver.metrics.http_request import PATH, Refusal, check_request, response
from ezmsg.graphserver.metrics.open_metrics import CONTENT_TYPE
from ezmsg.graphserver.metrics.scraping import Scraping
from ezmsg.graphserver.sockets.binding import bound_address
from ezmsg.graphserver.sockets.listener import Listener
from ezmsg.protocol.wire.presence.strangers import PROOF_TIMEOUT_S, Strangers, origin_of

logger = logging.getLogger(__name__)

REQUEST_LIMIT = 8 * 1024
"""How many bytes a request may have."""

REQUEST_TIMEOUT_S = PROOF_TIMEOUT_S
"""How long a client may take to ask."""

READ_TIMEOUT_S = 5.0
"""How long a client may take to read."""

READERS_LIMIT = 16
"""How many clients are served at a time; more are told to come later."""

ASKING_LIMIT = 16
"""How many clients may not have asked yet; with more, the oldest of those from the same place is cut off."""

_READS_ON = 100
"""How often more is read and thrown away of a client that has its answer."""

_TOLD_LIMIT = 64
"""How many more are told so at a time; others are cut off, so that the graph's clients have sockets left."""

_TEXT = "text/plain; charset=utf-8"
_COME_LATER = response(503, _TEXT, f"{READERS_LIMIT} clients read this page already. Come again in a moment.\n")
_END = b"\r\n\r\n"


class MetricsPage:
    """Serves the page on a socket that is bound already.

    :param failed: is told why a reader could not be let in.
    """

    def __init__(self, sock: socket.socket, scraping: Scraping, failed: Callable[[OSError], None]) -> None:
        self.address = bound_address(sock)
        self._sock = sock
        self._scraping = scraping
        self._readers: set[asyncio.Task[None]] = set()
        self._asking: Strangers[asyncio.Task[None]] = Strangers(ASKING_LIMIT)
        self._failed = failed
        self._listener: Listener | None = None

    def start(self) -> None:
        """Listen."""
        self._listener = Listener(self._sock, self._make_protocol, self._failed)
        self._listener.start()
        logger.info("What is counted can be read at http://%s%s", self.address, PATH)
        if not self.address.is_loopback:
            logger.warning("Everybody who can reach %s can read there what is counted.", self.address)

    async def close(self) -> None:
        """Stop listening, and end every connection."""
        listener, self._listener = self._listener, None
        if listener is not None:
            await listener.close()
        self._sock.close()
        readers = list(self._readers)
        for reader in readers:
            reader.cancel()
        if readers:
            await asyncio.wait(readers)
        await self._scraping.close()

    def _make_protocol(self) -> asyncio.StreamReaderProtocol:
        return asyncio.StreamReaderProtocol(asyncio.StreamReader(REQUEST_LIMIT), self._connected)

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self._readers) >= READERS_LIMIT + ASKING_LIMIT + _TOLD_LIMIT:
            writer.transport.abort()
            return
        task = asyncio.create_task(self._serve(reader, writer))
        self._readers.add(task)
        task.add_done_callback(self._forget)
        peername = writer.get_extra_info("peername")
        oldest = self._asking.enter(task, origin_of(peername[0]) if peername else "?")
        if oldest is not None:
            oldest.cancel()

    def _forget(self, task: asyncio.Task[None]) -> None:
        self._readers.discard(task)
        self._asking.leave(task)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            answer = await self._answer(reader)
            if writer.transport.is_closing():  # the client is gone, for which uvloop would raise RuntimeError
                return
            writer.write(answer)
            async with asyncio.timeout(READ_TIMEOUT_S):
                await writer.drain()
                writer.write_eof()
                await _read_on(reader)
        except (OSError, TimeoutError):  # the client is gone, or does not read
            pass
        except Exception:
            # Protects the graph's clients from a fault in the page; its reader only finds the connection closed.
            logger.exception("The page of %s could not be served", self.address)
        finally:
            writer.transport.abort()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def _answer(self, reader: asyncio.StreamReader) -> bytes:
        try:
            head = await _head(reader)
            task = asyncio.current_task()
            assert task is not None
            self._asking.leave(task)
            if len(self._readers) - len(self._asking) > READERS_LIMIT:
                return _COME_LATER
            check_request(head)
            return response(200, CONTENT_TYPE, await self._scraping.page())
        except Refusal as refusal:
            return response(refusal.status, _TEXT, f"{refusal.sentence}\n")


async def _read_on(reader: asyncio.StreamReader) -> None:
    """Wait until the client closes, too: a socket that is closed with unread bytes takes its answer back."""
    for _ in range(_READS_ON):
        if not await reader.read(REQUEST_LIMIT):
            return


async def _head(reader: asyncio.StreamReader) -> bytes:
    try:
        async with asyncio.timeout(REQUEST_TIMEOUT_S):
            return await reader.readuntil(_END)
    except asyncio.LimitOverrunError:
        raise Refusal(400, f"A request may have {REQUEST_LIMIT} bytes at most.") from None
    except asyncio.IncompleteReadError:
        raise Refusal(400, "The request ended before its empty line.") from None
    except TimeoutError:
        raise Refusal(400, f"The request did not come within {REQUEST_TIMEOUT_S:g} s.") from None
