"""Over shared memory, the subscribers' end: a notice becomes a lease on a slot that is mapped read-only."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from ezmsg.core.channels.channel import Channel, DetachedLease, EncodedLease, Receiver, patience
from ezmsg.core.errors import SegmentRefused
from ezmsg.core.messages.codec import Codec
from ezmsg.core.messages.forms import HeardForms
from ezmsg.core.transports.link import Link
from ezmsg.core.transports.segments import WORD, SegmentForm, words_bytes
from ezmsg.protocol.messages.channels import ChannelLeaky, CloseChannel

LARGE_BYTES = 32 * 1024
"""A message from this size on is released promptly, so that its slot is used again while it is in the cache."""


class SharedMemoryLease(EncodedLease):
    """A message in another process's slot, mapped read-only."""

    __slots__ = ("_channel",)

    def __init__(self, number: int, token: int, memory: memoryview, channel: "SharedMemoryChannel") -> None:
        super().__init__(number, token, memory, channel, channel.codec, channel.forms)
        self._channel = channel

    @property
    def channel(self) -> "SharedMemoryChannel":
        return self._channel

    def _free(self) -> None:
        self._channel.release(self._token, len(self._memory))


class RevocableLease(SharedMemoryLease):
    """The same, while the publisher may take the message back and use its slot again."""

    __slots__ = ()

    revocable = True

    def detached(self) -> DetachedLease | None:
        made = super().detached()
        return None if self._is_void() else made  # looked at after the copy: what was copied until then is whole

    def _is_void(self) -> bool:
        whole: Any = self._memory.obj
        slots = self._channel.num_buffers
        (first_valid,) = WORD.unpack_from(whole, len(whole) - words_bytes(slots) + self._token * WORD.size)
        return bool(self.number < first_valid)


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
        self._patience = patience(num_buffers)
        self._unsent = 0
        self._receive_segments = receive_segments
        self._on_unreadable = on_unreadable
        self._segments: dict[int, tuple[memoryview, SegmentForm]] = {}
        self._refusal = ""
        self._current = -1
        self._memory = memoryview(b"")
        self._slot_bytes = 0

    def add_segment(self, number: int, memory: memoryview, form: SegmentForm) -> None:
        """Take a segment that was handed over; it is used from its first notice on."""
        self._segments[number] = (memory, form)

    def refuse_segment(self, reason: str) -> None:
        """Learn why a segment that was handed over is not there, for when its first notice comes."""
        self._refusal = reason

    def receive(self, message: int, segment: int, slot: int, size: int, body: bytes | memoryview) -> None:
        """Take a notice."""
        if segment != self._current:
            try:
                self._use(segment)
            except SegmentRefused:
                if not self._refusal:
                    raise
                self._on_unreadable(self, self._refusal)
                return
        start = slot * self._slot_bytes
        if size > self._slot_bytes or start + size > len(self._memory):
            raise ValueError(f"a notice on {self.topic} points outside its segment")
        memory = self._memory[start : start + size]
        if self.revocable:
            self.deliver_revocable(RevocableLease(message, slot, memory, self))
        else:
            self.deliver(SharedMemoryLease(message, slot, memory, self))

    def release(self, token: int, size: int) -> None:
        """Tell the publisher, promptly if it may soon be waiting."""
        self._unsent += 1
        prompt = size >= LARGE_BYTES or self._unsent >= self._patience
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

    def _use(self, number: int) -> None:
        if number not in self._segments:
            self._receive_segments()  # it was handed over before its notice was written
        if number not in self._segments:
            raise SegmentRefused(reason=f"{self.topic} uses a segment that was never handed over")
        self._memory, form = self._segments.pop(number)
        self._slot_bytes = form.slot_bytes
        self._current = number
        self._segments = {n: segment for n, segment in self._segments.items() if n > number}
