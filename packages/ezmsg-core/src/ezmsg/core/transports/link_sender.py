"""The publisher's end of a channel over a socket: how it ends."""

import asyncio
from uuid import UUID

from ezmsg.core.channels.backpressure import Window
from ezmsg.core.transports.link import Link
from ezmsg.core.transports.sender import Sender
from ezmsg.protocol.messages.channels import ChannelEnded


class LinkSender(Sender):
    """Feeds channel ``number`` of a link. ``client_id`` says whose key opened it.

    ``successor`` is the channel over TCP that took over what this one could not bring.
    """

    def __init__(self, window: Window, link: Link, number: int) -> None:
        super().__init__(window)
        self.link = link
        self.number = number
        self.client_id: UUID | None = None
        self.successor: LinkSender | None = None
        self._end_seen: asyncio.Future[None] | None = None

    async def end(self, next_message: int) -> int:
        """Wait until the other end says that it has read everything."""
        if self.successor is not None:
            return await self.successor.end(next_message)
        if self.closing:
            return 0
        self._end_seen = asyncio.get_running_loop().create_future()
        self.link.control(ChannelEnded(self.number, next_message))
        await asyncio.wait({self._end_seen, self.link.closed}, return_when=asyncio.FIRST_COMPLETED)
        if self.successor is not None:
            return await self.successor.end(next_message)
        return 0 if self._end_seen.done() else self.held

    def end_seen(self) -> None:
        """The other end has read everything, or wants no more."""
        if self._end_seen is not None and not self._end_seen.done():
            self._end_seen.set_result(None)
