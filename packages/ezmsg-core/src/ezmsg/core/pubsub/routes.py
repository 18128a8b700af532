"""Which subscriber of this event loop hears which publisher, and the channel that brings it.

What the server wants is noted at once; channels follow, each in its own time. A route may be taken back while its
channel is still being opened.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from uuid import UUID

from attrs import define, field

from ezmsg.core.pubsub.channel import Channel, Receiver
from ezmsg.protocol.errors import EzmsgError
from ezmsg.protocol.messages.endpoints import Source

logger = logging.getLogger("ezmsg")


@define(eq=False)
class _Route:
    """One publisher, the subscribers that hear it, and the opening of its channel."""

    receivers: list[Receiver] = field(factory=list)
    opening: asyncio.Task[Channel] | None = None
    channel: Channel | None = None


class Routes:
    """One channel for each publisher that somebody here hears, made and ended by the two callables."""

    def __init__(
        self,
        open_channel: Callable[[Source, list[Receiver]], Awaitable[Channel]],
        close_channel: Callable[[Channel], None],
    ) -> None:
        self._open_channel = open_channel
        self._close_channel = close_channel
        self._routes: dict[UUID, _Route] = {}

    def add(self, source: Source, receiver: Receiver) -> Awaitable[Channel]:
        """Let a subscriber hear a publisher; what is returned ends when the publisher feeds it.

        It raises an :class:`EzmsgError` if the publisher refuses us, an ``OSError`` if it cannot be reached.
        """
        route = self._routes.get(source.publisher_id)
        if route is None:
            route = self._routes[source.publisher_id] = _Route()
            route.opening = asyncio.ensure_future(self._open(source, route))
        if receiver not in route.receivers:
            route.receivers.append(receiver)
        assert route.opening is not None
        return asyncio.shield(route.opening)

    async def _open(self, source: Source, route: _Route) -> Channel:
        try:
            # One list, shared with the channel: whoever joins or leaves later is heard of by it at once.
            channel = await self._open_channel(source, route.receivers)
        except (EzmsgError, OSError) as error:
            logger.warning("%s cannot be heard here: %s", source.topic, error)
            self._forget(route)
            raise
        route.channel = channel
        if not route.receivers:  # taken back while the channel was being opened
            self._forget(route)
            self._close_channel(channel)
        return channel

    def remove(self, publisher_id: UUID, receiver: Receiver) -> None:
        """Let a subscriber hear a publisher no more."""
        route = self._routes.get(publisher_id)
        if route is None or receiver not in route.receivers:
            return
        route.receivers.remove(receiver)
        if not route.receivers and route.channel is not None:
            self._forget(route)
            self._close_channel(route.channel)

    def drop_receiver(self, receiver: Receiver) -> None:
        """Let a subscriber hear nobody any more."""
        for publisher_id in list(self._routes):
            self.remove(publisher_id, receiver)

    def ended(self, channel: Channel) -> None:
        """A publisher is gone, and its channel with it."""
        for route in list(self._routes.values()):
            if route.channel is channel:
                self._forget(route)

    def _forget(self, route: _Route) -> None:
        for publisher_id, known in list(self._routes.items()):
            if known is route:
                del self._routes[publisher_id]
