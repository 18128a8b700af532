"""Over TCP: the payload itself travels, laid out as it would be in a slot. One connection for each channel."""

import asyncio
from typing import Any
from uuid import UUID

from ezmsg.core.messages.codec import Codec
from ezmsg.core.messages.payload import Payload
from ezmsg.core.pubsub.backpressure import Window
from ezmsg.core.pubsub.channel import Channel, Lease, Receiver
from ezmsg.core.transports.link import Link
from ezmsg.core.transports.sender import Sender
from ezmsg.protocol.messages.channels import ChannelEnded, CloseChannel


def joined(payload: Payload) -> bytearray:
    """Return a payload's bytes, copied once for all channels: its owner may change the original at any time."""
    body = bytearray(payload.size)
    payload.write(memoryview(body), 0)
    return body


class TcpSender(Sender):
    """Sends messages whole."""

    kind = "TCP"

    def __init__(self, window: Window, link: Link, number: int) -> None:
        super().__init__(window)
        self.link = link
        self.number = number
        self._end_seen: asyncio.Future[None] | None = None

    def send(self, number: int, token: int, body: bytearray) -> None:
        """Send a message; the connection keeps the body until the operating system has taken it."""
        self.hold(token)
        self.link.data(self.number, number, token, body)

    async def end(self, next_message: int) -> int:
        """Wait until the other end says that it has read everything."""
        self._end_seen = asyncio.get_running_loop().create_future()
        self.link.control(ChannelEnded(self.number, next_message))
        await asyncio.wait({self._end_seen, self.link.closed}, return_when=asyncio.FIRST_COMPLETED)
        return 0 if self._end_seen.done() else self.held

    def end_seen(self) -> None:
        """The other end has read everything."""
        if self._end_seen is not None and not self._end_seen.done():
            self._end_seen.set_result(None)


class TcpLease(Lease):
    """A message that arrived as bytes."""

    __slots__ = ("_body", "_channel", "_token")

    def __init__(self, number: int, token: int, body: bytes | bytearray, channel: "TcpChannel") -> None:
        super().__init__(number)
        self._token = token
        self._body = memoryview(body).toreadonly()
        self._channel = channel

    def private(self) -> Any:
        return self._channel.codec.decode(self._body, copy=True)

    def _decode(self) -> Any:
        return self._channel.codec.decode(self._body)

    def _free(self) -> None:
        self._channel.release(self._token)


class TcpChannel(Channel):
    """A publisher that only TCP reaches."""

    kind = "TCP"

    def __init__(
        self, publisher_id: UUID, topic: str, receivers: list[Receiver], link: Link, number: int, codec: Codec
    ) -> None:
        super().__init__(publisher_id, topic, receivers)
        self.codec = codec
        self._link = link
        self._number = number

    def receive(self, message: int, segment: int, slot: int, size: int, body: bytes | bytearray) -> None:
        """Take a message."""
        self.deliver(TcpLease(message, slot, body, self))

    def release(self, token: int) -> None:
        """Tell the publisher."""
        self._link.release(self._number, token, prompt=True)

    def close(self) -> None:
        self._link.heard.pop(self._number, None)
        self._link.control(CloseChannel(self._number))
