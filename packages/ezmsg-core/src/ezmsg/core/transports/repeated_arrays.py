"""Arrays of the form that the last one had: a place in each slot, made once and filled for each message."""

from typing import Any, Self

from ezmsg.core.messages.payload import Array, ArrayPayload
from ezmsg.core.transports.segments import Segment

REPEATED_BYTES = 128 * 1024
"""With larger ones it is the elements that cost."""


MOST_DIMENSIONS = 16
"""One more is needed for the slots, and NumPy has a limit."""


class RepeatedArrays:
    """The place of an array in each slot of a segment: ``ring[slot]``. ``head`` lies before it."""

    __slots__ = ("any_order", "dtype", "head", "ring", "segment", "shape", "size")

    def __init__(self, segment: Segment, head: bytes, size: int, ring: Array) -> None:
        self.segment = segment
        self.head = head
        self.size = size
        self.ring = ring
        self.dtype = ring.dtype
        self.shape = ring.shape[1:]
        self.any_order = len(self.shape) < 2

    @classmethod
    def of(cls, payload: ArrayPayload, segment: Segment) -> Self | None:
        """Return the places for arrays like that of a payload; ``None`` if they are better laid one by one."""
        array, head = payload.array, payload.prefix
        if not 0 < array.ndim <= MOST_DIMENSIONS or not array.nbytes or payload.order != "C":
            return None
        form = segment.form
        inner: list[int] = [array.itemsize]
        for length in reversed(array.shape[1:]):
            inner.insert(0, inner[0] * length)
        ring: Any = type(array)(
            (form.slots, *array.shape), array.dtype, segment.memory, len(head), (form.slot_bytes, *inner)
        )
        return cls(segment, head, payload.size, ring)

    def fits(self, array: Array) -> bool:
        """Whether an array is of this form. One of an equal dtype that is another object counts as another."""
        return (
            array.dtype is self.dtype
            and array.shape == self.shape
            and (self.any_order or bool(array.flags.c_contiguous))
        )
