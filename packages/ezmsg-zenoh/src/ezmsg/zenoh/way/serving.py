"""The server's end: it has a name, proves to who asks that it holds the token, and lets in who proves the same."""

import asyncio
import contextlib
import os
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import zenoh

from ezmsg.protocol.errors import WayUnusable
from ezmsg.protocol.wire.presence.lease import LEASE_S
from ezmsg.zenoh.keys import channel_of, server_keys
from ezmsg.zenoh.session import (
    Sending,
    Session,
    acquired,
    called,
    drop,
    in_thread,
    keep,
    posting,
    put_in_order,
    put_now,
)
from ezmsg.zenoh.signing import derived
from ezmsg.zenoh.way.search import Search
from ezmsg.zenoh.way.tunnel import Tunnel
from ezmsg.zenoh.way.words import (
    NONCE_BYTES,
    WORD_LIMIT,
    Kind,
    StreamKeys,
    answer,
    asked,
    from_bytes,
    stream_keys,
)

KNOWN_S = 1.0
"""How long Zenoh has to say which servers of a name it knows, in seconds."""

OTHERS_S = LEASE_S
"""How long another server of the same name has to say that it lives, in seconds."""

ENDED_LIMIT = 4096
"""Of how many streams that have ended it is known that they do not begin again."""

CLOSE_S = 1.0
"""How long what was said last may take to leave, in seconds."""

MakeProtocol = Callable[[], asyncio.BaseProtocol]


async def serve(name: str, make_protocol: MakeProtocol, token: bytes) -> "Serving":
    """Let clients find a graph server by a name.

    :param token: the server's own.
    :raises WayUnusable: if another server has the name.
    :raises ZenohUnusable: if there is no session to be had.
    """
    session = await acquired()
    serving = Serving(session, name, make_protocol, token)
    try:
        await serving.start()
    except BaseException:  # whatever interrupts it: the name and the session are given back
        await serving.close()
        raise
    return serving


class Serving:
    """What a server has in Zenoh, and its clients there."""

    def __init__(self, session: Session, name: str, make_protocol: MakeProtocol, token: bytes) -> None:
        self._session = session
        self._name = name
        self._make_protocol = make_protocol
        self._token = token
        self._keys = server_keys(name, uuid4().hex)
        self._post = posting()
        self._secret = os.urandom(NONCE_BYTES)
        self._tunnels: dict[str, Tunnel] = {}
        self._ended: dict[str, None] = {}
        self._closing: set[asyncio.Task[None]] = set()
        self._closed = False
        self._entities: list[Any] = []
        keep(self)

    async def start(self) -> None:
        """Take the name, if no other server has it."""
        await self._look_for_others()
        session = self._session.zenoh
        liveliness = session.liveliness()
        presence = called(self._on_presence)
        self._entities += [
            session.declare_subscriber(self._keys.inward("*"), called(self._on_word)),
            liveliness.declare_subscriber(self._keys.token("*"), presence, history=True),
            liveliness.declare_token(self._keys.alive),
        ]

    async def close(self) -> None:
        """Give the name back, and end what is left. Bounded."""
        self._closed = True
        for tunnel in list(self._tunnels.values()):
            tunnel.abort()
        if self._closing:
            await asyncio.wait(self._closing, timeout=CLOSE_S)
        entities, self._entities = self._entities, []

        def give_back() -> None:
            with contextlib.ExitStack() as stack:
                stack.callback(self._session.release)
                stack.callback(drop, self)
                for entity in entities:
                    stack.callback(entity.undeclare)

        with contextlib.suppress(TimeoutError):  # it may take its time; a thread waits for that
            async with asyncio.timeout(CLOSE_S):
                await in_thread(give_back)

    async def _look_for_others(self) -> None:
        search = Search(self._session.zenoh, self._name, self._token, self._post)
        try:
            known = await in_thread(self._known)
            if known:  # one that was killed is known for a while, and answers nothing
                await search.run(OTHERS_S)
        finally:
            search.close()
        if any(search.answers.values()):  # who holds another token has other clients, or says so only
            reason = "another graph server answers to this name; end it, or choose another one"
            raise WayUnusable(address=f"zenoh:{self._name}", reason=reason)

    def _known(self) -> list[Any]:
        every = server_keys(self._name, "*").alive
        return list(self._session.zenoh.liveliness().get(every, timeout=KNOWN_S))

    # --- what comes ---------------------------------------------------------------------------------------

    def _on_word(self, sample: Any) -> None:
        if len(sample.payload) > WORD_LIMIT:
            return
        stream, data = channel_of(str(sample.key_expr)), sample.payload.to_bytes()
        tunnel = self._tunnels.get(stream)
        if tunnel is None:
            self._post(self._hear, (stream, data))
        else:
            tunnel.came(data)

    def _hear(self, came: tuple[str, bytes]) -> None:
        """Take what came from nobody that is known, as it was posted; nothing is kept until it is believed."""
        stream, data = came
        if stream in self._tunnels:
            self._tunnels[stream].came(data)
            return
        said = asked(data, self._token)
        if said is None or self._closed or stream in self._ended:
            return
        kind, token, nonce = said
        ours = derived(self._secret, stream.encode(), token, nonce)
        keys = stream_keys(token, stream, nonce, ours)
        if kind is Kind.ASK:
            put_now(self._session, self._keys.outward(stream), answer(ours, keys))
            return
        with contextlib.suppress(ValueError):  # it holds another token than it says
            from_bytes(data, keys.client)
            self._begin(stream, keys)

    def _begin(self, stream: str, keys: StreamKeys) -> None:
        """Let a client in that has proved to hold the token by what it said."""
        protocol = self._make_protocol()
        outward = self._keys.outward(stream)
        sending = Sending()  # of its own: a client that reads nothing holds up no other
        tunnel = self._tunnels[stream] = Tunnel(
            protocol,
            peer=f"zenoh:{self._name}",
            sign=keys.server,
            check=keys.client,
            post=self._post,
            say=lambda data: put_in_order(self._session, sending, outward, data),
            say_now=lambda data: put_now(self._session, outward, data),
            is_busy=lambda: sending.is_busy,
            on_over=lambda _: self._forget(stream, sending),
        )
        protocol.connection_made(tunnel)

    def _forget(self, stream: str, sending: Sending) -> None:
        if self._tunnels.pop(stream, None) is None:
            return
        self._ended[stream] = None
        if len(self._ended) > ENDED_LIMIT:
            del self._ended[next(iter(self._ended))]
        closing = asyncio.ensure_future(sending.close(CLOSE_S))
        self._closing.add(closing)
        closing.add_done_callback(self._closing.discard)

    def _on_presence(self, sample: Any) -> None:
        there = sample.kind == zenoh.SampleKind.PUT
        self._post(self._note_presence, (channel_of(str(sample.key_expr)), there))

    def _note_presence(self, came: tuple[str, bool]) -> None:
        tunnel = self._tunnels.get(came[0])
        if tunnel is not None:
            tunnel.note_presence(came[1])
