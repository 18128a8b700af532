"""A client's end: from a graph's name to a stream to its server."""

import asyncio
import contextlib
import threading
from typing import Any

from ezmsg.protocol.errors import AuthenticationFailed, ServerUnreachable
from ezmsg.protocol.wire.presence.lease import LEASE_S
from ezmsg.zenoh.errors import NameShared
from ezmsg.zenoh.session import Sending, Session, acquired, drop, keep, posting, put_in_order, put_now
from ezmsg.zenoh.way.search import Search
from ezmsg.zenoh.way.tunnel import Tunnel
from ezmsg.zenoh.way.words import StreamKeys, begin

FIND_S = 1.5
"""How long it may take until a server is found, in seconds: less than the commands wait."""

ANSWER_S = LEASE_S
"""How long one that is there may take to answer, in seconds: its event loop may be busy."""

CLOSE_S = 1.0
"""How long the last words may take to leave, in seconds."""


async def reach(name: str, protocol: asyncio.BaseProtocol, token: bytes | None) -> None:
    """Give a protocol a stream to the graph server that has a name.

    :raises ServerUnreachable: if none is found, or it does not answer.
    :raises AuthenticationFailed: if it holds another token.
    :raises NameShared: if several servers have the name and the token.
    :raises ZenohUnusable: if there is no session to be had.
    """
    reached = _Reached(await acquired(), token, name)
    try:
        reached.open(protocol, *await reached.found())
    except BaseException:  # whatever interrupts it: the session is given back
        reached.close()
        raise


class _Reached:
    """What one stream has in Zenoh."""

    def __init__(self, session: Session, token: bytes | None, name: str) -> None:
        self._session = session
        self._token = token or b""
        self._name = name
        self._has_token = token is not None
        self._post = posting()
        self._sending = Sending()
        self._tunnel: Tunnel | None = None
        self._server = ""
        self._closed = False
        self._lock = threading.Lock()
        self._entities: list[Any] = []
        keep(self)
        self._search: Search | None = None

    async def found(self) -> tuple[str, StreamKeys]:
        """Find the one server that is meant."""
        search = Search(self._session.zenoh, self._name, self._token, self._post, self._heard, self._note_presence)
        self._search = search
        await search.run(FIND_S)
        if search.there and not search.answers:
            await search.run(ANSWER_S - FIND_S)
        ours = [(server, keys) for server, keys in search.answers.items() if keys is not None]
        if len(ours) > 1:
            raise NameShared(name=self._name, servers=len(ours))
        if ours:
            return ours[0]
        if search.answers:
            why = "another token than this client" if self._has_token else "a token, and this client has none"
            raise AuthenticationFailed(reason=f"the graph server holds {why}")
        reason = "it is there and does not answer" if search.there else "Zenoh knows no graph server of that name"
        raise ServerUnreachable(address=f"zenoh:{self._name}", reason=reason)

    def open(self, protocol: asyncio.BaseProtocol, server: str, keys: StreamKeys) -> None:
        """Begin the stream."""
        search = self._search
        assert search is not None
        search.done = True
        self._server, at = server, search.keys_of(server)
        inward = at.inward(search.stream)
        self._entities.append(self._session.zenoh.liveliness().declare_token(at.token(search.stream)))
        tunnel = self._tunnel = Tunnel(
            protocol,
            peer=f"zenoh:{self._name}",
            sign=keys.client,
            check=keys.server,
            post=self._post,
            say=lambda data: put_in_order(self._session, self._sending, inward, data),
            say_now=lambda data: put_now(self._session, inward, data),
            is_busy=lambda: self._sending.is_busy,
            begins=begin(self._token, search.nonce, keys),
            on_over=lambda _: self.close(),
        )
        protocol.connection_made(tunnel)

    def close(self) -> None:
        """Give everything back, in a thread: Zenoh takes its time, and the event loop may have ended."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
        # No daemon, as our own thread may be: the end of the interpreter would break off a call of Zenoh's, and
        # abort the process.
        threading.Thread(target=self._give_back, name="ezmsg-zenoh-closing", daemon=False).start()

    def _give_back(self) -> None:
        self._sending.finish(CLOSE_S)
        with contextlib.ExitStack() as stack:
            stack.callback(self._session.release)
            stack.callback(drop, self)
            for entity in self._entities:
                stack.callback(entity.undeclare)
            if self._search is not None:
                stack.callback(self._search.close)

    def _heard(self, server: str, data: bytes) -> None:
        if self._tunnel is not None and server == self._server:
            self._tunnel.came(data)

    def _note_presence(self, server: str, there: bool) -> None:
        if self._tunnel is not None and server == self._server:
            self._tunnel.note_presence(there)
