"""Over TCP: the payload itself travels, laid out as it would be in a slot. One connection for each channel."""

from collections.abc import Iterable, Sequence
from typing import Any, TypeGuard
from uuid import UUID

from ezmsg.core.channels.channel import Channel, DetachedLease, EncodedLease, Receiver
from ezmsg.core.messages.codec import Codec
from ezmsg.core.messages.forms import HeardForms
from ezmsg.core.messages.payload import Array, Buffer, BuffersPayload, Payload, unset_memory
from ezmsg.core.transports.link import Link
from ezmsg.core.transports.link_sender import LinkSender
from ezmsg.protocol.messages.channels import ChannelLeaky, CloseChannel

WHOLE_BYTES = 1024 * 1024
"""Payloads up to this size are copied; of larger ones, what cannot change is sent from where it is."""

PART_BYTES = 64 * 1024
"""Parts of those up to this size are copied all the same, with their neighbours."""

Body = Sequence[bytes | memoryview]
"""A message's bytes in parts, none of which changes any more."""


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


class TcpSender(LinkSender):
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


class TcpLease(EncodedLease):
    """A message that arrived whole, in memory that is used for nothing else.

    So it can be given to one subscriber that wants it for itself, if no other one has seen it there.
    """

    __slots__ = ("_channel", "_unseen")

    def __init__(self, number: int, token: int, body: bytes | memoryview, channel: "TcpChannel") -> None:
        memory = memoryview(body)
        super().__init__(number, token, memory.toreadonly(), channel, channel.codec, channel.forms)
        self._channel = channel
        self._unseen = None if memory.readonly else memory

    @property
    def channel(self) -> Channel:
        return self._channel

    def private(self) -> Any:
        unseen, self._unseen = self._unseen, None
        if unseen is None or self.holders != 1:
            return super().private()
        return self._codec.decode(unseen, self._forms, copy=True, own=True)

    def detached(self) -> DetachedLease:
        self._unseen = None
        return DetachedLease(self.number, self._memory, self.source, self._codec, self._forms)

    def guarded(self) -> "tuple[Any, Array | None]":
        self._unseen = None
        return super().guarded()

    def _decode(self) -> Any:
        self._unseen = None
        return super()._decode()

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
        """Take a message.

        :raises ValueError: if its publisher cannot have such a token.
        """
        if slot >= self.num_buffers:
            raise ValueError(f"a message on {self.topic} with the token {slot} of {self.num_buffers}")
        lease = TcpLease(message, slot, body, self)
        if self.revocable:
            self.deliver_revocable(lease)
        else:
            self.deliver(lease)

    def receive_listed(self, first: int, segment: int, slots: Sequence[int], size: int) -> None:
        """Refuse messages that lie in shared memory.

        :raises ValueError: always.
        """
        raise ValueError(f"a notice on {self.topic}, which comes over TCP")

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
