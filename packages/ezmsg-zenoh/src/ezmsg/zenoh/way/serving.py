"""The server's end: it has a name, proves to who asks that it holds the token, and lets in who proves the same."""

import asyncio
import contextlib
import os
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import zenoh

from ezmsg.core.transports.mailbox import Mailbox
from ezmsg.protocol.errors import WayUnusable
from ezmsg.zenoh.keys import channel_of, server_keys
from ezmsg.zenoh.session import Sending, Session, acquired, called, drop, keep, put_in_order, put_now
from ezmsg.zenoh.way.search import Search
from ezmsg.zenoh.way.tunnel import Tunnel
from ezmsg.zenoh.way.words import NONCE_BYTES, StreamKeys, answer, asked, from_bytes, stream_keys

OTHERS_S = 1.0
"""How long another server of the same name has to say that it lives, in seconds."""

ASKING_LIMIT = 256
"""How many may be between question and first word; the oldest goes first."""

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
    except BaseException:
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
        self._mailbox = Mailbox(asyncio.get_running_loop())
        self._sending = Sending()
        self._asking: dict[str, tuple[bytes, StreamKeys]] = {}  # answers, and keys of streams that may begin
        self._tunnels: dict[str, Tunnel] = {}
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
        for tunnel in list(self._tunnels.values()):
            tunnel.abort()
        await self._sending.close(CLOSE_S)
        drop(self)
        entities, self._entities = self._entities, []

        def give_back() -> None:
            for entity in entities:
                entity.undeclare()
            self._session.release()

        with contextlib.suppress(TimeoutError):  # it may take its time; a thread waits for that
            async with asyncio.timeout(CLOSE_S):
                await asyncio.to_thread(give_back)

    async def _look_for_others(self) -> None:
        search = Search(self._session.zenoh, self._name, self._token, self._post)
        try:
            known = await asyncio.to_thread(self._known)
            if known:  # one that was killed is known for a while, and answers nothing
                await search.run(OTHERS_S)
        finally:
            search.close()
        if search.answers:
            reason = "another graph server answers to this name; end it, or choose another one"
            raise WayUnusable(address=f"zenoh:{self._name}", reason=reason)

    def _known(self) -> list[Any]:
        every = server_keys(self._name, "*").alive
        return list(self._session.zenoh.liveliness().get(every, timeout=OTHERS_S))

    # --- what comes ---------------------------------------------------------------------------------------

    def _on_word(self, sample: Any) -> None:
        stream, data = channel_of(str(sample.key_expr)), sample.payload.to_bytes()
        tunnel = self._tunnels.get(stream)
        if tunnel is None:
            self._post(self._hear, (stream, data))
        else:
            tunnel.came(data)

    def _hear(self, came: tuple[str, bytes]) -> None:
        """Take what came from nobody that is known, as it was posted."""
        stream, data = came
        if stream in self._tunnels:
            self._tunnels[stream].came(data)
            return
        question = asked(data, self._token)
        if question is not None:
            self._answer(stream, *question)
        elif stream in self._asking:
            _, keys = self._asking[stream]
            with contextlib.suppress(ValueError):  # it was not the one who has asked that has said it
                from_bytes(data, keys.client)
                self._begin(stream, keys).came(data)

    def _answer(self, stream: str, token: bytes, nonce: bytes) -> None:
        if stream not in self._asking:
            if len(self._asking) >= ASKING_LIMIT:
                del self._asking[next(iter(self._asking))]
            ours = os.urandom(NONCE_BYTES)
            keys = stream_keys(token, stream, nonce, ours)
            self._asking[stream] = answer(ours, keys), keys
        self._say(stream, self._asking[stream][0])

    def _begin(self, stream: str, keys: StreamKeys) -> Tunnel:
        """Let a client in that has proved to hold the token by what it said."""
        del self._asking[stream]
        protocol = self._make_protocol()
        outward = self._keys.outward(stream)
        tunnel = self._tunnels[stream] = Tunnel(
            protocol,
            peer=f"zenoh:{self._name}",
            sign=keys.server,
            check=keys.client,
            post=self._post,
            say=lambda data: self._say(stream, data),
            say_now=lambda data: put_now(self._session, outward, data),
            on_over=lambda _: self._forget(stream),
        )
        protocol.connection_made(tunnel)
        return tunnel

    def _forget(self, stream: str) -> None:
        self._tunnels.pop(stream, None)

    def _say(self, stream: str, data: bytes) -> None:
        put_in_order(self._session, self._sending, self._keys.outward(stream), data)

    def _on_presence(self, sample: Any) -> None:
        there = sample.kind == zenoh.SampleKind.PUT
        self._post(self._note_presence, (channel_of(str(sample.key_expr)), there))

    def _note_presence(self, came: tuple[str, bool]) -> None:
        tunnel = self._tunnels.get(came[0])
        if tunnel is not None:
            tunnel.note_presence(came[1])

    def _post(self, call: Callable[[Any], object], argument: Any) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed, and nobody there is to be told anything
            self._mailbox.post(call, argument)
