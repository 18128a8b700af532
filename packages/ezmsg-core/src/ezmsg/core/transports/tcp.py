"""Over TCP: the payload itself travels, laid out as it would be in a slot. One connection for each channel."""

from collections.abc import Iterable, Sequence
from typing import TypeGuard
from uuid import UUID

from ezmsg.core.channels.channel import Receiver
from ezmsg.core.channels.whole import WholeChannel
from ezmsg.core.messages.codec import Codec
from ezmsg.core.messages.payload import Buffer, BuffersPayload, Payload, unset_memory
from ezmsg.core.transports.link import Link
from ezmsg.core.transports.link_sender import LinkSender
from ezmsg.core.transports.sender import Body, WholeSender
from ezmsg.protocol.messages.channels import ChannelLeaky, CloseChannel

WHOLE_BYTES = 1024 * 1024
"""Payloads up to this size are copied; of larger ones, what cannot change is sent from where it is."""

PART_BYTES = 64 * 1024
"""Parts of those up to this size are copied all the same, with their neighbours."""


def kept(payload: Payload) -> Body:
    """Return a payload's bytes for all channels; what its owner may change at any time is copied, once."""
    if payload.size > WHOLE_BYTES and isinstance(payload, BuffersPayload):
        return _parts(payload.pieces())
    body = unset_memory(payload.size)
    payload.write(body, 0)
    return (body,)


def _parts(pieces: Iterable[Buffer]) -> Body:
    parts: list[bytes | memoryview] = []
    copied: list[Buffer] = []
    for piece in pieces:
        if len(piece) > PART_BYTES and _is_constant(piece):
            parts += _joined(copied)
            copied = []
            parts.append(piece)
        else:
            copied.append(piece)
    return [*parts, *_joined(copied)]


def _is_constant(piece: Buffer) -> TypeGuard[bytes | memoryview]:
    return isinstance(piece.obj if isinstance(piece, memoryview) else piece, bytes)


def _joined(pieces: list[Buffer]) -> list[memoryview]:
    size = sum(map(len, pieces))
    if not size:
        return []
    body, position = unset_memory(size), 0
    for piece in pieces:
        body[position : position + len(piece)] = piece
        position += len(piece)
    return [body]


class TcpSender(LinkSender, WholeSender):
    """Sends messages whole."""

    kind = "TCP"

    def send(self, number: int, token: int, body: Body) -> None:
        """Send a message; the connection keeps the body until the operating system has taken it."""
        self.hold(number, token)
        if self.leaky and not self.link.writable:
            self.postpone(token, lambda: self.link.data(self.number, number, token, body))
        else:
            self.supersede()
            self.link.data(self.number, number, token, body)


class TcpChannel(WholeChannel):
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
        super().__init__(publisher_id, topic, receivers, num_buffers, codec)
        self._link = link
        self._number = number

    def receive(self, message: int, segment: int, slot: int, size: int, body: bytes | memoryview) -> None:
        """Take a message.

        :raises ValueError: if its publisher cannot have such a token.
        """
        self.hear(message, slot, body)

    def receive_listed(self, first: int, segment: int, slots: Sequence[int], size: int) -> None:
        """Refuse messages that lie in shared memory.

        :raises ValueError: always.
        """
        raise ValueError(f"a notice on {self.topic}, which comes over TCP")

    def release(self, token: int) -> None:
        """Tell the publisher."""
        self._link.release(self._number, token, prompt=True)

    def _tell_leaky(self, leaky: bool) -> bool:
        self._link.control(ChannelLeaky(self._number, leaky))
        return True

    def leave(self) -> None:
        self._link.control(CloseChannel(self._number))
