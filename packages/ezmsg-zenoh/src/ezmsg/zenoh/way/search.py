"""Finds the graph servers of a name, and asks them for a stream."""

import asyncio
import os
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import zenoh

from ezmsg.zenoh.keys import Keys, server_keys, server_of
from ezmsg.zenoh.session import called, congestion
from ezmsg.zenoh.way.tunnel import Post
from ezmsg.zenoh.way.words import NONCE_BYTES, WORD_LIMIT, StreamKeys, answered, question

ASK_AGAIN_S = 0.2
"""After how many seconds an open question is put again."""

SETTLE_S = 0.3
"""How long others of the same name have to answer after the first, in seconds."""

REFUSED_S = 0.8
"""How long it is asked on, in seconds, where all that answers holds another token: anybody can answer so."""


class Search:
    """All servers that a name has; normally one.

    ``answers`` are the keys of the stream by the id of each server that has answered, and ``None`` for one that
    holds another token.

    :param heard: takes what a server says later; called from threads of Zenoh's.
    :param presence: takes whether a server is there; called on the event loop.
    """

    def __init__(
        self,
        session: "zenoh.Session",
        name: str,
        token: bytes,
        post: Post,
        heard: Callable[[str, bytes], None] = lambda *_: None,
        presence: Callable[[str, bool], None] = lambda *_: None,
    ) -> None:
        self.stream = uuid4().hex
        self.there: set[str] = set()
        self.answers: dict[str, StreamKeys | None] = {}
        self._name = name
        self._token = token
        self.nonce = os.urandom(NONCE_BYTES)
        self._session = session
        self._post = post
        self._heard = heard
        self._presence = presence
        self._changed = asyncio.Event()
        self.done = False  # the stream begins
        every = server_keys(name, "*")
        self._entities: list[Any] = [
            session.declare_subscriber(every.outward(self.stream), called(self._on_word)),
            session.liveliness().declare_subscriber(every.alive, called(self._on_presence), history=True),
        ]

    def keys_of(self, server: str) -> Keys:
        """Return the keys of one server."""
        return server_keys(self._name, server)

    async def run(self, limit_s: float) -> None:
        """Ask until all that are there have answered, and one of them holds our token; or for so long."""
        loop = asyncio.get_running_loop()
        end_s = loop.time() + limit_s
        settled_s = end_s
        while (now_s := loop.time()) < min(end_s, settled_s):
            open_ones = self.there - self.answers.keys()
            if self.answers and not open_ones:
                if any(self.answers.values()):
                    break
                settled_s = min(settled_s, now_s + REFUSED_S)
            elif any(self.answers.values()):
                settled_s = min(settled_s, now_s + SETTLE_S)
            for server in self.there if not any(self.answers.values()) else open_ones:
                data = question(self._token, self.nonce)
                self._session.put(
                    self.keys_of(server).inward(self.stream), data, congestion_control=congestion(waits=False)
                )
            self._changed.clear()
            try:
                async with asyncio.timeout(min(ASK_AGAIN_S, end_s - now_s)):
                    await self._changed.wait()
            except TimeoutError:
                continue

    def close(self) -> None:
        """Hear nothing any more."""
        for entity in self._entities:
            entity.undeclare()
        self._entities.clear()

    def _on_word(self, sample: Any) -> None:
        server, data = server_of(str(sample.key_expr)), sample.payload.to_bytes()
        if self.done:
            self._heard(server, data)
        elif len(data) < WORD_LIMIT:
            self._post(self._hear, (server, data))

    def _hear(self, came: tuple[str, bytes]) -> None:
        server, data = came
        if self.done:
            self._heard(server, data)
            return
        try:
            keys = answered(data, self._token, self.stream, self.nonce)
        except ValueError:
            return
        self.answers[server] = keys or self.answers.get(server)
        self._changed.set()

    def _on_presence(self, sample: Any) -> None:
        self._post(self._note_presence, (server_of(str(sample.key_expr)), sample.kind == zenoh.SampleKind.PUT))

    def _note_presence(self, came: tuple[str, bool]) -> None:
        server, there = came
        (self.there.add if there else self.there.discard)(server)
        self._changed.set()
        self._presence(server, there)
