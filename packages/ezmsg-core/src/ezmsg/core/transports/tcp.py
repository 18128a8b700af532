"""Over TCP: the payload itself travels, laid out as it would be in a slot. One connection for each channel."""

from uuid import UUID

from ezmsg.core.channels.channel import Channel, DetachedLease, EncodedLease, Receiver
from ezmsg.core.messages.codec import Codec
from ezmsg.core.messages.forms import HeardForms
from ezmsg.core.messages.payload import Payload, unset_memory
from ezmsg.core.transports.link import Link
from ezmsg.core.transports.link_sender import LinkSender
from ezmsg.protocol.messages.channels import ChannelLeaky, CloseChannel


def joined(payload: Payload) -> memoryview:
    """Return a payload's bytes, copied once for all channels: its owner may change the original at any time."""
    body = unset_memory(payload.size)
    payload.write(body, 0)
    return body


class TcpSender(LinkSender):
    """Sends messages whole."""

    kind = "TCP"

    def send(self, number: int, token: int, body: memoryview) -> None:
        """Send a message; the connection keeps the body until the operating system has taken it."""
        self.hold(number, token)
        if self.leaky and not self.link.writable:
            self.postpone(token, lambda: self.link.data(self.number, number, token, body))
        else:
            self.link.data(self.number, number, token, body)


class TcpLease(EncodedLease):
    """A message that arrived whole."""

    __slots__ = ("_channel",)

    def __init__(self, number: int, token: int, body: bytes | memoryview, channel: "TcpChannel") -> None:
        super().__init__(number, token, memoryview(body).toreadonly(), channel, channel.codec, channel.forms)
        self._channel = channel

    @property
    def channel(self) -> Channel:
        return self._channel

    def detached(self) -> DetachedLease:
        # Its memory is used for nothing else.
        return DetachedLease(self.number, self._memory, self.source, self._codec, self._forms)

    def _free(self) -> None:
        self._channel.release(self._token)


class TcpChannel(Channel):
    """A publisher that only TCP reaches."""

    kind = "TCP"

    def __init__(
        self,
        publisher_id: UUID,
        topic: str,
        receivers: list[Receiver],
        link: Link,
        number: int,
        num_buffers: int,
        codec: Codec,
    ) -> None:
        super().__init__(publisher_id, topic, receivers, num_buffers)
        self.codec = codec
        self.forms: HeardForms = {}
        self._link = link
        self._number = number

    def receive(self, message: int, segment: int, slot: int, size: int, body: bytes | memoryview) -> None:
        """Take a message."""
        lease = TcpLease(message, slot, body, self)
        if self.revocable:
            self.deliver_revocable(lease)
        else:
            self.deliver(lease)

    def release(self, token: int) -> None:
        """Tell the publisher."""
        self._link.release(self._number, token, prompt=True)

    def hear_form(self, number: int, content: bytes) -> None:
        """Learn what messages have in common, before the first of them."""
        self.forms = self.codec.heard(self.forms, number, content)

    def _tell_leaky(self, leaky: bool) -> bool:
        self._link.control(ChannelLeaky(self._number, leaky))
        return True

    def leave(self) -> None:
        self._link.control(CloseChannel(self._number))
