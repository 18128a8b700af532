"""The subscribers' end of a channel whose messages arrive whole, in memory of their own."""

from abc import ABC, abstractmethod
from typing import Any
from uuid import UUID

from ezmsg.core.channels.channel import Channel, DetachedLease, EncodedLease, Receiver
from ezmsg.core.messages.codec import Codec
from ezmsg.core.messages.forms import HeardForms
from ezmsg.core.messages.payload import Array


class WholeLease(EncodedLease):
    """A message that arrived whole, in memory that is used for nothing else.

    So it can be given to one subscriber that wants it for itself, if no other one has seen it there.
    """

    __slots__ = ("_channel", "_unseen")

    def __init__(self, number: int, token: int, body: bytes | memoryview, channel: "WholeChannel") -> None:
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


class WholeChannel(Channel, ABC):
    """A publisher from which messages arrive whole."""

    def __init__(
        self, publisher_id: UUID, topic: str, receivers: list[Receiver], num_buffers: int, codec: Codec
    ) -> None:
        super().__init__(publisher_id, topic, receivers, num_buffers)
        self.codec = codec
        self.forms: HeardForms = {}

    def hear(self, number: int, token: int, body: bytes | memoryview) -> None:
        """Deliver a message, whose memory is used for nothing else.

        :raises ValueError: if its publisher cannot have such a token.
        """
        if token >= self.num_buffers:
            raise ValueError(f"a message on {self.topic} with the token {token} of {self.num_buffers}")
        lease = WholeLease(number, token, body, self)
        if self.revocable:
            self.deliver_revocable(lease)
        else:
            self.deliver(lease)

    def hear_form(self, number: int, content: bytes) -> None:
        """Learn what messages have in common, before the first of them."""
        self.forms = self.codec.heard(self.forms, number, content)

    @abstractmethod
    def release(self, token: int) -> None:
        """Tell the publisher that nobody here holds a message any more."""
