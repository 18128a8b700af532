"""A segment as its readers have it: the memory of each slot, and arrays over all of them that are made once.

Streams repeat their form, and making an array of memory costs more than all else that is done with a small message.
So when a form comes again, one array is made over all slots, and each message of that form is an element of it.
"""

from typing import Any

from ezmsg.core.messages.codec import Codec
from ezmsg.core.messages.forms import HeardForms
from ezmsg.core.messages.payload import LENGTH, LENGTH_BYTES, Array, first_buffer
from ezmsg.core.support import arrays
from ezmsg.core.transports.repeated_arrays import MOST_DIMENSIONS, REPEATED_BYTES
from ezmsg.core.transports.segments import WORD, SegmentForm, words_bytes


class MappedSlots:
    """The slots of a segment that is mapped read-only."""

    __slots__ = ("_arrays", "_last", "_last_size", "_memory", "_size", "_views", "_whole", "count", "slot_bytes")

    def __init__(self, memory: memoryview, form: SegmentForm) -> None:
        self.slot_bytes = form.slot_bytes
        self.count = form.slots
        self._memory = memory
        self._whole: Any = memory.obj  # the map: pieces of it are bytes, which are compared sooner than views
        self._views: list[memoryview | None] = []
        self._size = self._last_size = -1  # of the messages that the views are of, and of the last one
        self._last = b""
        # Of arrays that came again: the bytes of a message, how it begins, how many bytes that are, and the array
        # over all slots. Other threads decode, too, so it is one value.
        self._arrays: tuple[int, bytes, int, Array] | None = None

    def memory_of(self, slot: int, size: int) -> memoryview:
        """Return the memory of a message.

        :raises ValueError: if there is no such slot, or it is smaller.
        """
        if slot >= self.count:
            raise ValueError(f"slot {slot} of {self.count}")
        if size != self._size:
            if size > self.slot_bytes:
                raise ValueError(f"a message of {size} bytes in a slot of {self.slot_bytes}")
            if size != self._last_size:  # it is remembered when it comes again
                self._last_size = size
                return self._piece(slot, size)
            self._size = size
            self._views = [None] * self.count
        memory = self._views[slot]
        if memory is None:
            memory = self._views[slot] = self._piece(slot, size)
        return memory

    def _piece(self, slot: int, size: int) -> memoryview:
        start = slot * self.slot_bytes
        return self._memory[start : start + size]

    def decode(self, slot: int, memory: memoryview, codec: Codec, forms: HeardForms) -> Any:
        """Return the message that lies in a slot, as a view of it."""
        known = self._arrays
        if known is not None:
            size, head, head_bytes, ring = known
            start = slot * self.slot_bytes
            if len(memory) == size and self._whole[start : start + head_bytes] == head:
                return ring[slot]
        value = codec.decode(memory, forms)
        if type(value) is arrays.ndarray and len(memory) < REPEATED_BYTES:
            self._remember(memory, value)
        return value

    def is_void(self, slot: int, number: int) -> bool:
        """Whether the publisher has taken back a message."""
        (first_valid,) = WORD.unpack_from(
            self._whole, len(self._whole) - words_bytes(self.count) + slot * WORD.size
        )
        return bool(number < first_valid)

    def _remember(self, memory: memoryview, value: Array) -> None:
        """Make an array over all slots when a form comes the second time in a row."""
        (length,) = LENGTH.unpack_from(memory)
        description = bytes(memory[LENGTH_BYTES : LENGTH_BYTES + length])
        offset = first_buffer(description)
        head = bytes(memory[:offset])
        suits = description[:1] == b"a" and 0 < value.ndim <= MOST_DIMENSIONS and value.nbytes
        if head != self._last or not suits:
            self._last = head
            return
        shape, strides = (self.count, *value.shape), (self.slot_bytes, *value.strides)
        ring = type(value)(shape, value.dtype, self._memory, offset, strides)
        self._arrays = (len(memory), head, offset, ring)
