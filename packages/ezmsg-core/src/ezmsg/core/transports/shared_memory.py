"""Over shared memory, the publisher's end: the payload goes into a slot, a notice over the link says where.

A message larger than a slot makes a larger segment; the old one stays until its last message is released.
"""

import asyncio
import mmap
from collections import deque
from collections.abc import Callable
from typing import Any

from ezmsg.core.channels.backpressure import Window
from ezmsg.core.errors import SharedMemoryFull
from ezmsg.core.messages.payload import Array, ArrayPayload, Payload, unset_memory
from ezmsg.core.transports.link import Link
from ezmsg.core.transports.link_sender import LinkSender
from ezmsg.core.transports.repeated_arrays import REPEATED_BYTES, RepeatedArrays
from ezmsg.core.transports.segments import PAGE_BYTES, Segment, SegmentForm
from ezmsg.protocol.errors import EzmsgError
from ezmsg.protocol.messages.channels import MemoryNotShared

DESCRIPTION_BYTES = 512
"""Room beside ``buf_size`` for a message's description."""

RETRY_S = 0.01
"""Seconds until a segment is offered again to a process that could not take it."""

OBJECTION_S = 0.5
"""How long a closing publisher waits to hear that a process could not map what it was given, in seconds."""

NOT_SENT = -1
"""The number of a message that there is not yet."""

_Message = tuple[int, Segment | memoryview, int]
"""A message that somebody holds: its number, what it lies in, its size."""


class Slots:
    """A publisher's shared memory: one segment in use, perhaps older ones that still hold messages.

    ``apart`` says why this process can make no segment, once it has turned out that it cannot. Messages are then
    kept in memory of its own, until the channels have moved to TCP.
    """

    def __init__(self, slots: int, buf_size: int) -> None:
        self._form = SegmentForm(slots, _pages(buf_size + DESCRIPTION_BYTES))
        self._least = buf_size
        self._used = [0] * slots
        self._segment: Segment | None = None
        self._count = 0
        self._messages: list[_Message | None] = [None] * slots
        self._granted = [0] * slots  # the largest message of each slot since the last look
        self._again: RepeatedArrays | None = None
        self._last_head = b""
        self._heads: list[bytes] = [b""] * slots  # how the array begins that lies in each slot of the segment
        self._blanks: dict[int, tuple[Array, Segment, int]] = {}  # arrays that lie in slots to be filled, and sent
        self.apart = ""

    def write(self, token: int, payload: Payload, number: int = 0) -> Segment | None:
        """Lay a message into the slot of a token; return its segment, ``None`` if there can be none.

        :raises SharedMemoryFull: if there is no room for it.
        """
        segment = self._room(token, payload.size)
        if segment is None:
            body = unset_memory(payload.size)
            payload.write(body, 0)
            self._messages[token] = (number, body, payload.size)
            return None
        payload.write(segment.memory, token * segment.form.slot_bytes)
        self._messages[token] = (number, segment, payload.size)
        if type(payload) is ArrayPayload and payload.size < REPEATED_BYTES:
            self._remember(token, payload, segment)
        return segment

    def _room(self, token: int, size: int) -> Segment | None:
        """Return a segment whose slot for a token has room for a message; ``None`` if there can be none."""
        segment = self._segment
        if segment is None or size > segment.form.slot_bytes:
            segment = self._grow(size)
            if segment is None:
                return None
        if size > self._granted[token]:
            segment.claim(token, size)
            self._granted[token] = size
        self._heads[token] = b""  # before it is written, which may be interrupted half-way
        return segment

    def blank(self, token: int, payload: ArrayPayload) -> "Array | None":
        """Return an array like that of a payload, to be filled where it lies; ``None`` if there can be no segment.

        :raises SharedMemoryFull: if there is no room for it.
        """
        segment = self._room(token, payload.size)
        if segment is None:
            return None
        start = token * segment.form.slot_bytes
        place = start + len(payload.prefix)
        segment.memory[start:place] = payload.prefix
        array = type(payload.array)(payload.array.shape, payload.array.dtype, segment.memory, place)
        self._blanks[token] = (array, segment, payload.size)
        self._messages[token] = (NOT_SENT, segment, payload.size)  # its memory is in use
        return array

    def write_again(self, token: int, array: Array, number: int) -> int:
        """Lay an array of the same form as the last ones into the slot of a token, which begins as it must already.

        Return the size of the message, 0 if this is another case; nothing was written then.
        """
        if self._blanks and (blank := self._blanks.pop(token, None)) is not None:
            lying, segment, size = blank
            if lying is array and segment is self._segment:
                self._messages[token] = (number, segment, size)
                return size
        again = self._again
        if again is None or self._heads[token] is not again.head or not again.fits(array):
            return 0
        again.ring[token] = array
        size = again.size
        self._messages[token] = (number, again.segment, size)
        return size

    @property
    def segment(self) -> Segment | None:
        """Where the last message lies, if anywhere."""
        return self._segment

    def _remember(self, token: int, payload: ArrayPayload, segment: Segment) -> None:
        """Note how the array in a slot begins, and what is needed to lay another one there."""
        again, head = self._again, payload.prefix
        if again is None or again.segment is not segment or again.head is not head:
            if self._last_head is not head:  # forms that take turns are not worth it
                self._last_head = head
                return
            again = self._again = RepeatedArrays.of(payload, segment)
        if again is not None:
            self._heads[token] = head

    def copy_of(self, token: int) -> memoryview:
        """Return a copy of the message of a token that is taken."""
        message = self._messages[token]
        assert message is not None
        _, where, size = message
        if not isinstance(where, Segment):
            return where
        start = token * where.form.slot_bytes
        body = unset_memory(size)
        body[:] = where.memory[start : start + size]
        return body

    # --- memory that is not used any more -------------------------------------------------------------------

    @property
    def occupied(self) -> int:
        """How many bytes the slots occupy."""
        return 0 if self._segment is None else self._segment.claimed

    def end_period(self) -> None:
        """Begin to note anew how much of each slot is used."""
        self._used, self._granted = self._granted, [0] * self._form.slots
        self._heads = [b""] * self._form.slots  # what is given back is empty afterwards

    def give_back(self, most: int) -> bool:
        """Give memory back that no message used in the last period, or this one, about so much; return if any was.

        A segment that has a name is given up as a whole: a view that was kept must not meet a full file system.
        """
        segment = self._segment
        if segment is None or not hasattr(mmap, "MADV_REMOVE"):
            return False
        if segment.path is not None:
            return self._give_up(segment)
        for token, message in enumerate(self._messages):
            size = 0 if message is None or message[1] is not segment else message[2]
            if segment.give_back(token, max(self._used[token], self._granted[token], size), most):
                return True
        return False

    def _give_up(self, segment: Segment) -> bool:
        largest = max(*self._used, *self._granted, self._least)
        if 4 * largest >= segment.form.slot_bytes:
            return False
        self._form = SegmentForm(self._form.slots, _pages(2 * largest))
        self._let_go()
        return False

    def take_back(self, token: int) -> bool:
        """Declare the message of a token void, before its slot is used again while somebody may still read it.

        Return whether that could be done: the memory to say it in may be missing.
        """
        message = self._messages[token]
        if message is None:  # it went over TCP alone
            return True
        number, segment, _ = message
        return not isinstance(segment, Segment) or segment.declare_void(token, number)

    def free(self, token: int) -> None:
        """The message of a token is released; an old segment goes with its last one."""
        self._messages[token] = None
        if self._blanks:
            self._blanks.pop(token, None)

    def retire(self) -> None:
        """Write into this segment no more: who was cut off may read it later. It goes with the last who maps it."""
        self._let_go()

    def close(self) -> None:
        """Let go of all segments. Whoever maps them keeps what is in them."""
        self._let_go()
        self._messages = [None] * len(self._messages)
        self._blanks.clear()

    def _let_go(self) -> None:
        self._segment = None
        self._again = None

    def _grow(self, size: int) -> Segment | None:
        if self.apart:
            return None
        form = self._form if size <= self._form.slot_bytes else SegmentForm(self._form.slots, _pages(2 * size))
        try:
            segment = Segment(self._count, form)
        except SharedMemoryFull:
            raise
        except (OSError, EzmsgError) as error:
            self.apart = f"a segment of {form.size} bytes cannot be made ({error})"
            return None
        self._form = form
        self._segment = segment
        self._granted = [0] * form.slots
        self._heads = [b""] * form.slots
        self._again = None
        self._count += 1
        return segment


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
        self._apart = False
        self._waiting: deque[tuple[int, int, Segment, int]] = deque()

    def send(self, number: int, token: int, segment: Segment, size: int) -> None:
        """Say where a message lies."""
        self._held[token] = number
        if segment.number == self._handed_over and not (self._waiting or self._apart or self.leaky):
            self.link.notice(self.number, number, segment.number, token, size)
            return
        if self._apart:
            return
        if self.leaky and (self._waiting or not self.link.writable):
            self.postpone(token, lambda: self._notify(number, token, segment, size))
            return
        self.supersede()
        self._notify(number, token, segment, size)

    def _notify(self, number: int, token: int, segment: Segment, size: int) -> None:
        if self._waiting or (segment.number != self._handed_over and not self._give(segment)):
            self._wait(number, token, segment, size)
            return
        self.link.notice(self.number, number, segment.number, token, size)

    def keep(self, number: int, token: int, reason: str) -> None:
        """Hold a message that lies in no segment, and let the other end come for it over TCP."""
        self.hold(number, token)
        if not self._apart:
            self._apart = True
            self.link.control(MemoryNotShared(self.number, reason))

    def give_up(self, token: int) -> None:
        """Hold a message no more: the channel that takes over does."""
        del self._held[token]

    def moved_to(self, successor: LinkSender) -> None:
        """Send no more; what the other end has taken, it will still release."""
        self._apart = True
        self._waiting.clear()
        self._all_handed_over.set()
        self.successor = successor
        self.end_seen()
        self.closing = True

    async def end(self, next_message: int) -> int:
        """Wait until every notice is on its way, which is enough: it can still be read when we are gone.

        Whoever cannot map what it was given says so at once, if it does anything at all just now.
        """
        await self._all_handed_over.wait()
        if self._by_name or self._apart:  # a name goes with its publisher, so the other end must have mapped it
            return await super().end(next_message)
        ended = asyncio.ensure_future(super().end(next_message))
        await asyncio.sleep(0)  # it has said so by now
        await self.link.flushed()
        await asyncio.wait([ended], timeout=OBJECTION_S)
        if self.successor is None and not ended.done():
            ended.cancel()
            return 0
        undelivered = await ended
        return undelivered if self.successor is not None else 0

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
