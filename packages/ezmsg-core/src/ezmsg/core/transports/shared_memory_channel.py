"""Over shared memory, the subscribers' end: a notice becomes a lease on a slot that is mapped read-only."""

from collections.abc import Callable, Sequence
from typing import Any
from uuid import UUID

from ezmsg.core.channels.channel import Channel, DetachedLease, EncodedLease, Receiver
from ezmsg.core.errors import SegmentRefused
from ezmsg.core.messages.codec import Codec
from ezmsg.core.messages.forms import HeardForms
from ezmsg.core.transports.link import Link
from ezmsg.core.transports.mapped_slots import MappedSlots
from ezmsg.core.transports.segments import SegmentForm
from ezmsg.protocol.messages.channels import ChannelLeaky, CloseChannel

LARGE_BYTES = 32 * 1024
"""A message from this size on is released promptly, so that its slot is used again while it is in the cache."""


class SharedMemoryLease(EncodedLease):
    """A message in another process's slot, mapped read-only."""

    __slots__ = ("_channel", "_slots")

    def __init__(
        self, number: int, token: int, memory: memoryview, channel: "SharedMemoryChannel", slots: MappedSlots
    ) -> None:
        # All that the classes above set, in one step: this is done for each message.
        self.number = number
        self.size = len(memory)
        self.source = self._channel = channel
        self.holders = 0
        self._missing = True
        self._value = None
        self._token = token
        self._memory = memory
        self._codec = channel.codec
        self._forms = channel.forms
        self._slots = slots

    @property
    def channel(self) -> "SharedMemoryChannel":
        return self._channel

    def _decode(self) -> Any:
        return self._slots.decode(self._token, self._memory, self._codec, self._forms)

    def _free(self) -> None:
        self._channel.release(self._token, self.size)


class RevocableLease(SharedMemoryLease):
    """The same, while the publisher may take the message back and use its slot again."""

    __slots__ = ()

    revocable = True

    def detached(self) -> DetachedLease | None:
        made = super().detached()
        # Looked at after the copy: what was copied until then is whole.
        return None if self._slots.is_void(self._token, self.number) else made


class SharedMemoryChannel(Channel):
    """A publisher of another process on this host."""

    kind = "SHM"

    def __init__(
        self,
        publisher_id: UUID,
        topic: str,
        receivers: list[Receiver],
        link: Link,
        number: int,
        num_buffers: int,
        codec: Codec,
        receive_segments: Callable[[], None],
        on_unreadable: Callable[["SharedMemoryChannel", str], None],
    ) -> None:
        super().__init__(publisher_id, topic, receivers, num_buffers)
        self.codec = codec
        self.forms: HeardForms = {}
        self._link = link
        self._number = number
        self._unsent = 0
        self._receive_segments = receive_segments
        self._on_unreadable = on_unreadable
        self._segments: dict[int, MappedSlots] = {}
        self._refusal = ""
        self._current = -1
        self._slots = MappedSlots(memoryview(b""), SegmentForm(0, 0))

    def add_segment(self, number: int, memory: memoryview, form: SegmentForm) -> None:
        """Take a segment that was handed over; it is used from its first notice on."""
        self._segments[number] = MappedSlots(memory, form)

    def refuse_segment(self, reason: str) -> None:
        """Learn why a segment that was handed over is not there, for when its first notice comes."""
        self._refusal = reason

    def receive(self, message: int, segment: int, slot: int, size: int, body: bytes | memoryview) -> None:
        """Take a notice."""
        if segment != self._current and not self._use_if_readable(segment):
            return
        memory = self._memory_of(slot, size)
        if self.revocable:
            self.deliver_revocable(RevocableLease(message, slot, memory, self, self._slots))
        else:
            self.deliver(SharedMemoryLease(message, slot, memory, self, self._slots))

    def receive_listed(self, first: int, segment: int, slots: Sequence[int], size: int) -> None:
        """Take several notices."""
        if segment != self._current and not self._use_if_readable(segment):
            return
        if self.revocable:
            for number, slot in enumerate(slots, first):
                self.receive(number, segment, slot, size, b"")
            return
        memory_of, mapped = self._memory_of, self._slots
        self.deliver_all(
            [
                SharedMemoryLease(number, slot, memory_of(slot, size), self, mapped)
                for number, slot in enumerate(slots, first)
            ]
        )

    def _memory_of(self, slot: int, size: int) -> memoryview:
        try:
            return self._slots.memory_of(slot, size)
        except ValueError as error:
            raise ValueError(f"a notice on {self.topic} points outside its segment: {error}") from error

    def release(self, token: int, size: int) -> None:
        """Tell the publisher, promptly if it may soon be waiting."""
        self._unsent += 1
        prompt = size >= LARGE_BYTES or self._unsent >= self.patience
        if prompt:
            self._unsent = 0
        self._link.release(self._number, token, prompt=prompt)

    def hear_form(self, number: int, content: bytes) -> None:
        """Learn what messages have in common, before the first of them."""
        self.forms = self.codec.heard(self.forms, number, content)

    def _tell_leaky(self, leaky: bool) -> bool:
        self._link.control(ChannelLeaky(self._number, leaky))
        return True

    def leave(self) -> None:
        self._link.control(CloseChannel(self._number))

    def _use_if_readable(self, number: int) -> bool:
        """Use another segment from now on, or say that messages in it cannot be read here."""
        try:
            self._use(number)
        except SegmentRefused:
            if not self._refusal:
                raise
            self._on_unreadable(self, self._refusal)
            return False
        return True

    def _use(self, number: int) -> None:
        if number not in self._segments:
            self._receive_segments()  # it was handed over before its notice was written
        if number not in self._segments:
            raise SegmentRefused(reason=f"{self.topic} uses a segment that was never handed over")
        slots = self._segments.pop(number)
        if slots.count > self.num_buffers:
            raise SegmentRefused(reason=f"{self.topic} has {self.num_buffers} slots, and handed over {slots.count}")
        self._slots = slots
        self._current = number
        self._segments = {n: segment for n, segment in self._segments.items() if n > number}
