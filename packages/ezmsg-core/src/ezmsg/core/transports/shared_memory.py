"""Over shared memory, the publisher's end: the payload goes into a slot, a notice over the link says where.

A message larger than a slot makes a larger segment; the old one stays until its last message is released.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any

from ezmsg.core.channels.backpressure import Window
from ezmsg.core.messages.payload import Payload
from ezmsg.core.transports.link import Link
from ezmsg.core.transports.link_sender import LinkSender
from ezmsg.core.transports.segments import Segment, SegmentForm
from ezmsg.protocol.messages.channels import ChannelEnded

PAGE_BYTES = 4096
DESCRIPTION_BYTES = 512
"""Room beside ``buf_size`` for a message's description."""

RETRY_S = 0.01
"""Seconds until a segment is offered again to a process that could not take it."""


class Slots:
    """A publisher's shared memory: one segment in use, perhaps older ones that still hold messages."""

    def __init__(self, slots: int, buf_size: int) -> None:
        self._form = SegmentForm(slots, _pages(buf_size + DESCRIPTION_BYTES))
        self._segment: Segment | None = None
        self._count = 0
        self._segment_of: list[Segment | None] = [None] * slots

    def write(self, token: int, payload: Payload) -> Segment:
        """Lay a payload into the slot of a token; return the segment that it is in.

        :raises OSError: if there is no memory for a larger segment.
        """
        segment = self._segment
        if segment is None or payload.size > segment.form.slot_bytes:
            segment = self._grow(payload.size)
        payload.write(segment.memory, token * segment.form.slot_bytes)
        self._segment_of[token] = segment
        return segment

    def free(self, token: int) -> None:
        """The message of a token is released; an old segment goes with its last one."""
        self._segment_of[token] = None

    def close(self) -> None:
        """Let go of all segments. Whoever maps them keeps what is in them."""
        self._segment = None
        self._segment_of = [None] * len(self._segment_of)

    def _grow(self, size: int) -> Segment:
        if size > self._form.slot_bytes:
            self._form = SegmentForm(self._form.slots, _pages(2 * size))
        self._segment = Segment(self._count, self._form)
        self._count += 1
        return self._segment


def _pages(size: int) -> int:
    return -(-size // PAGE_BYTES) * PAGE_BYTES


class SharedMemorySender(LinkSender):
    """Sends notices. ``hand_over`` gives the other process a segment, before its first notice."""

    kind = "SHM"

    def __init__(
        self,
        window: Window,
        link: Link,
        number: int,
        hand_over: Callable[[Segment], bool],
        retry: Callable[..., Any],
    ) -> None:
        super().__init__(window, link, number)
        self._hand_over = hand_over
        self._retry = retry
        self._handed_over = -1
        self._all_handed_over = asyncio.Event()
        self._all_handed_over.set()
        self._by_name = False
        self._waiting: deque[tuple[int, int, Segment, int]] = deque()

    def send(self, number: int, token: int, segment: Segment, size: int) -> None:
        """Say where a message lies."""
        self.hold(token)
        if self._waiting or (segment.number != self._handed_over and not self._give(segment)):
            self._wait(number, token, segment, size)
            return
        self.link.notice(self.number, number, segment.number, token, size)

    async def end(self, next_message: int) -> int:
        """Wait until every notice is on its way, which is enough: it can still be read when we are gone."""
        await self._all_handed_over.wait()
        if self._by_name:  # a name goes with its publisher, so the other end must have mapped what it names
            return await super().end(next_message)
        self.link.control(ChannelEnded(self.number, next_message))
        await self.link.flushed()
        return 0

    def _give(self, segment: Segment) -> bool:
        if self._hand_over(segment):
            self._handed_over = segment.number
            self._by_name = self._by_name or segment.path is not None
            return True
        return False

    def _wait(self, number: int, token: int, segment: Segment, size: int) -> None:
        """The other process takes no segment at this moment; its notices wait, in order, and nobody else does."""
        if not self._waiting:
            self._all_handed_over.clear()
            self._retry(RETRY_S, self._send_waiting)
        self._waiting.append((number, token, segment, size))

    def _send_waiting(self) -> None:
        while self._waiting:
            number, token, segment, size = self._waiting[0]
            if segment.number != self._handed_over and not self._give(segment):
                self._retry(RETRY_S, self._send_waiting)
                return
            self._waiting.popleft()
            self.link.notice(self.number, number, segment.number, token, size)
        self._all_handed_over.set()
