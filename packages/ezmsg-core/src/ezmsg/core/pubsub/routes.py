"""Which subscriber of this event loop hears which publisher, and the channel that brings it.

What the server wants is noted at once; channels follow, each in its own time. A route may be taken back while its
channel is still being opened.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from time import monotonic
from typing import Any, Literal
from uuid import UUID

from attrs import field

from ezmsg.core.channels.channel import Channel, Receiver
from ezmsg.core.pubsub.peers import Peer
from ezmsg.protocol.declared import declared
from ezmsg.protocol.errors import EzmsgError
from ezmsg.protocol.messages.endpoints import Source

logger = logging.getLogger("ezmsg")

RETRY_FIRST_S = 0.2
RETRY_LONGEST_S = 5.0
"""Seconds between two tries to open a channel: the first, and the longest."""

QUIET_FIRST_S = 2.0
QUIET_LONGEST_S = 600.0
"""Seconds between two words about the same channel: the first, and the longest. It goes on while it is tried."""

TELL_LOST_FROM_S = 3.0
"""The same of a channel that broke off, which was told: if its publisher is dead, the server says so meanwhile."""


LOST_LIMIT = 256
"""Of how many publishers that are gone it is remembered which message would have come next."""


@declared(frozen=False, eq=False)
class _Route:
    """One publisher, the subscribers that hear it, and the opening of its channel."""

    source: Source
    receivers: list[Receiver] = field(factory=list)
    opening: asyncio.Task[Channel | None] | None = None
    channel: Channel | None = None
    next_message: int | None = None  # what an earlier channel would have brought next ...
    lost_by: list[Receiver] = field(factory=list)  # ... to these
    lost: bool = False  # the last channel broke off

    def peer(self) -> Peer:
        """Return how the publisher stands."""
        state: Literal["heard", "lost", "awaited"] = "lost" if self.lost else "awaited"
        if self.channel is not None:
            state = "heard"
        return Peer(self.source.publisher_id, self.source.topic, self.source.publisher_name, state)


class Routes:
    """One channel for each publisher that somebody here hears, made and ended by the two callables."""

    def __init__(
        self,
        open_channel: Callable[[Source, list[Receiver]], Awaitable[Channel]],
        close_channel: Callable[[Channel], None],
        drain_channel: Callable[[Channel], Awaitable[None]],
    ) -> None:
        self._open_channel = open_channel
        self._close_channel = close_channel
        self._drain_channel = drain_channel
        self._routes: dict[UUID, _Route] = {}
        self._heard: dict[Receiver, dict[UUID, None]] = {}  # the same the other way round, in order
        self._draining: dict[UUID, asyncio.Task[None]] = {}
        self._lost: dict[UUID, _Route] = {}  # the last is the one that was lost last
        self._hurry = asyncio.Event()

    def add(self, source: Source, receiver: Receiver) -> Awaitable[object]:
        """Let a subscriber hear a publisher; what is returned ends when the publisher feeds it.

        A publisher that cannot be reached is tried again and again, until nobody here is to hear it any more.
        """
        route = self._routes.get(source.publisher_id)
        if route is None:
            route = self._routes[source.publisher_id] = self._new_route(source)
            route.opening = asyncio.ensure_future(self._open(route))
        if receiver not in route.receivers:
            route.receivers.append(receiver)
            self._heard.setdefault(receiver, {})[source.publisher_id] = None
            if route.channel is not None:
                receiver.joined(route.channel)
                route.channel.receivers_changed()
                if route.channel.yet_to_agree:
                    return asyncio.ensure_future(route.channel.agreed())
        assert route.opening is not None
        return asyncio.shield(route.opening)

    async def _open(self, route: _Route, delay_s: float = 0.0, tell_from_s: float = 0.0) -> Channel | None:
        """Open the route's channel; ``None`` if the route was taken back before that was possible.

        :param tell_from_s: from which time between two tries on the log says that it is not possible yet.
        """
        draining = self._draining.get(route.source.publisher_id)
        if draining is not None:  # the old channel's messages come before the new one's, and none comes twice
            await asyncio.wait([draining])
            self._recall(route)
        told, tell_at_s, quiet_s = False, 0.0, QUIET_FIRST_S
        while True:
            if await self._pause(delay_s):
                delay_s = 0.0
            if not route.receivers:
                self._forget(route)
                return None
            try:
                # One list, shared with the channel: whoever joins or leaves later is heard of by it at once.
                channel = await self._open_channel(route.source, route.receivers)
                if not channel.over.is_set():
                    break
                self.given_up(channel)  # it has broken off already, and nobody knew whose it was
                delay_s = min(2 * delay_s or RETRY_FIRST_S, RETRY_LONGEST_S)
            except (EzmsgError, OSError) as error:
                if route.receivers and delay_s >= tell_from_s and monotonic() >= tell_at_s:
                    why = str(error) or type(error).__name__
                    logger.warning("%s cannot be heard here yet, and is tried again: %s", route.source.topic, why)
                    tell_at_s, quiet_s = monotonic() + quiet_s, min(2 * quiet_s, QUIET_LONGEST_S)
                    told = True
                delay_s = min(2 * delay_s or RETRY_FIRST_S, RETRY_LONGEST_S)
        if told:
            logger.info("%s is heard here now.", route.source.topic)
        route.channel, route.lost = channel, False
        if not route.receivers:  # taken back while the channel was being opened
            self._forget(route)
            self._close_channel(channel)
        for receiver in route.receivers:
            receiver.joined(channel)
        self._tell_missed(route, channel)
        channel.receivers_changed()
        return channel

    def _tell_missed(self, route: _Route, channel: Channel) -> None:
        """Tell those who heard an earlier channel how many messages came on neither."""
        missed = 0 if route.next_message is None else channel.first_message - route.next_message
        if missed > 0:
            for receiver in route.receivers:
                if receiver in route.lost_by:
                    receiver.missed(route.source.topic, missed)

    def hurry(self) -> None:
        """Try at once what waits to be tried again: the network may be whole now."""
        hurry, self._hurry = self._hurry, asyncio.Event()
        hurry.set()

    async def _pause(self, delay_s: float) -> bool:
        """Wait for some time; return whether somebody was in a hurry."""
        if not delay_s:
            await asyncio.sleep(0)
            return False
        try:
            async with asyncio.timeout(delay_s):
                return await self._hurry.wait()
        except TimeoutError:
            return False

    def remove(self, publisher_id: UUID, receivers: list[Receiver], *, away: bool = False) -> list[Awaitable[None]]:
        """Let subscribers hear a publisher no more; what is returned ends when what it sent before has come.

        If nobody here is to hear it any more, that may be because it is gone: what it sent last still counts.

        :param away: the server only misses it: what it sends until it is back is missed here.
        """
        route = self._routes.get(publisher_id)
        if route is None:
            return []
        staying = [receiver for receiver in route.receivers if receiver not in receivers]
        if staying or route.channel is None:
            if not staying and route.next_message is not None:
                self._remember(route)
            for receiver in receivers:
                self._hear_no_more(receiver, publisher_id)
                receiver.left(publisher_id)
            route.receivers[:] = staying
            if route.channel is not None:
                route.channel.receivers_changed()
            return []
        self._forget(route)
        draining = asyncio.ensure_future(self._drain(route, route.channel, away))
        self._draining[publisher_id] = draining
        return [draining]

    async def _drain(self, route: _Route, channel: Channel, away: bool) -> None:
        publisher_id = channel.publisher_id
        try:
            await self._drain_channel(channel)
            if away:
                self._note_loss(route, channel)
                self._remember(route)
        finally:
            del self._draining[publisher_id]
            for receiver in channel.receivers:
                receiver.left(publisher_id)

    def drop_receiver(self, receiver: Receiver) -> None:
        """Let a subscriber that closes hear nobody any more."""
        for publisher_id in self.heard_by(receiver):
            route = self._routes[publisher_id]
            route.receivers.remove(receiver)
            self._hear_no_more(receiver, publisher_id)
            if route.receivers and route.channel is not None:
                route.channel.receivers_changed()
            if not route.receivers and route.channel is not None:
                self._forget(route)
                self._close_channel(route.channel)

    def heard_by(self, receiver: Receiver) -> list[UUID]:
        """Return the ids of the publishers that a subscriber hears, or is about to; any thread may ask."""
        return list(self._heard.get(receiver, ()))

    def peers_of(self, receiver: Receiver) -> list[Peer]:
        """Return the publishers that a subscriber hears, or is about to, and how that stands."""
        return [self._routes[publisher_id].peer() for publisher_id in self.heard_by(receiver)]

    def ended(self, channel: Channel) -> None:
        """A publisher is gone, and its channel with it."""
        route = self._route_of(channel)
        if route is not None:
            self._forget(route)
            for receiver in route.receivers:
                receiver.left(channel.publisher_id)

    def lost(self, channel: Channel) -> None:
        """A channel broke off. Its publisher may be alive all the same, so another one is tried."""
        route = self._route_of(channel)
        if route is not None:
            self._note_loss(route, channel)
            route.lost = True
            route.opening = asyncio.ensure_future(self._open(route, RETRY_FIRST_S, TELL_LOST_FROM_S))

    def given_up(self, channel: Channel) -> None:
        """A channel was given up before it was the route's: what it brought is not missed, what follows may be."""
        route = self._routes.get(channel.publisher_id)
        if route is not None and route.channel is None and channel.next_message:
            self._tell_missed(route, channel)
            self._note_loss(route, channel)

    def move(self, channel: Channel) -> None:
        """A channel cannot bring what its publisher sends; another one, by another way, takes over."""
        route = self._route_of(channel)
        if route is not None:
            self._note_loss(route, channel)
            route.opening = asyncio.ensure_future(self._open(route))

    async def close(self) -> None:
        """Open and drain no more."""
        openings = [route.opening for route in self._routes.values() if route.opening is not None]
        tasks: list[asyncio.Task[Any]] = [*openings, *self._draining.values()]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    def _note_loss(self, route: _Route, channel: Channel) -> None:
        route.channel = None
        route.next_message = channel.next_message
        route.lost_by = list(route.receivers)

    def _remember(self, route: _Route) -> None:
        """Its channel broke off, and the server knows its publisher no more, which may be back all the same."""
        self._lost[route.source.publisher_id] = route
        if len(self._lost) > LOST_LIMIT:
            del self._lost[next(iter(self._lost))]

    def _new_route(self, source: Source) -> _Route:
        route = _Route(source)
        self._recall(route)
        return route

    def _recall(self, route: _Route) -> None:
        """Go on where an earlier route to the same publisher ended, if that is remembered."""
        before = self._lost.pop(route.source.publisher_id, None)
        if before is not None:
            route.next_message, route.lost_by = before.next_message, before.lost_by

    def _route_of(self, channel: Channel) -> _Route | None:
        return next((route for route in self._routes.values() if route.channel is channel), None)

    def _forget(self, route: _Route) -> None:
        publisher_id = route.source.publisher_id
        if self._routes.get(publisher_id) is route:
            del self._routes[publisher_id]
            for receiver in route.receivers:
                self._hear_no_more(receiver, publisher_id)

    def _hear_no_more(self, receiver: Receiver, publisher_id: UUID) -> None:
        heard = self._heard.get(receiver, {})
        heard.pop(publisher_id, None)
        if not heard:
            self._heard.pop(receiver, None)
