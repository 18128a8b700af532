"""The transport: offers publishers in Zenoh's space of names, and opens channels to those offered there."""

import asyncio
import contextlib
import os
from uuid import UUID

from ezmsg.core.channels.channel import Receiver
from ezmsg.core.transports.plug import Fed, Home
from ezmsg.protocol.messages.endpoints import Source
from ezmsg.protocol.wire.presence.lease import LEASE_S
from ezmsg.zenoh.channels.feeding import Feed
from ezmsg.zenoh.channels.hearing import Hearing, ZenohChannel
from ezmsg.zenoh.keys import DEFAULT_GRAPH, GRAPH_VARIABLE, Keys, publisher_keys
from ezmsg.zenoh.session import Sending, Session, acquired, drop, in_thread, keep, posting

CLOSE_S = 1.0
"""How long the session may take to be closed, in seconds."""


class ZenohTransport:
    """Everything of one event loop that goes over Zenoh."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._post = posting()
        self._sending = Sending()
        self._opening: asyncio.Task[Session] | None = None
        self._closing: set[asyncio.Task[None]] = set()
        self._feeds: dict[UUID, Feed] = {}
        self._hearings: set[Hearing] = set()

    async def offer(self, publisher: Fed) -> bytes:
        """Declare a publisher's keys; return where they are.

        :raises ZenohUnusable: if there is no session to be had.
        """
        session = await self._open_session()
        named = self._home.server.way
        graph = os.environ.get(GRAPH_VARIABLE, "") or (DEFAULT_GRAPH if named is None else named[1])
        keys = publisher_keys(graph, publisher.topic, publisher.id)
        self._feeds[publisher.id] = Feed(session, publisher, keys, self._post, LEASE_S)
        return keys.base.encode()

    def withdraw(self, publisher: Fed) -> None:
        """Take a publisher's keys back."""
        feed = self._feeds.pop(publisher.id, None)
        if feed is not None:
            feed.close()
            closing = asyncio.ensure_future(feed.end(CLOSE_S))
            self._closing.add(closing)
            closing.add_done_callback(self._closing.discard)

    async def open(self, source: Source, contact: bytes, receivers: list[Receiver]) -> ZenohChannel:
        """Open a channel to a publisher.

        :raises ChannelRefused: if the publisher does not want us, or does not hold the channel's key.
        :raises ZenohUnusable: if there is no session to be had.
        """
        session = await self._open_session()
        hearing = Hearing(
            session.zenoh,
            self._sending,
            self._home,
            source,
            Keys(contact.decode()),
            receivers,
            self._post,
            LEASE_S,
            self._hearings.discard,
        )
        self._hearings.add(hearing)
        try:
            return await hearing.open()
        except BaseException:
            hearing.give_up()
            raise

    async def close(self) -> None:
        """End what is left, and give the session back."""
        for hearing in list(self._hearings):
            hearing.give_up()
        for feed in list(self._feeds.values()):
            self.withdraw(feed.publisher)
        ending = {*self._closing, asyncio.ensure_future(self._sending.close(CLOSE_S))}
        await asyncio.wait(ending, timeout=CLOSE_S)
        drop(self)
        if self._opening is None:
            return
        self._opening.cancel()  # a session that comes later is given back
        await asyncio.wait([self._opening])
        if not self._opening.cancelled() and self._opening.exception() is None:
            with contextlib.suppress(TimeoutError):  # it may take its time; a thread waits for that
                async with asyncio.timeout(CLOSE_S):
                    await in_thread(self._opening.result().release)

    async def _open_session(self) -> Session:
        if self._opening is None or (self._opening.done() and self._opening.exception() is not None):
            self._opening = asyncio.ensure_future(acquired())
            self._opening.add_done_callback(_look_at)
            keep(self)
        return await asyncio.shield(self._opening)


def _look_at(opening: "asyncio.Task[Session]") -> None:
    """Who waits for the session is told what is wrong with it; if nobody waits any more, nobody is."""
    if not opening.cancelled():
        opening.exception()
