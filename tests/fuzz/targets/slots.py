"""Slots of shared memory that a peer names: a typed error, or memory inside the segment and no other."""

import mmap
import os
import struct

from ezmsg.core.errors import SegmentRefused
from ezmsg.core.support.platform import PASSES_DESCRIPTORS
from ezmsg.core.transports.mapped_slots import MappedSlots
from ezmsg.core.transports.segments import Segment, SegmentForm, map_descriptor

_HEAD = struct.Struct("<IQ")
_NOTICE = struct.Struct("<IIQ")
REAL = SegmentForm(4, 4096)


def target(data: bytes) -> None:
    """Map a real segment by a form that the input says, and look at the slots that it names."""
    if len(data) < _HEAD.size or not PASSES_DESCRIPTORS:
        return
    segment = Segment(1, REAL)
    try:
        for form in (SegmentForm(*_HEAD.unpack_from(data)), REAL):
            _look(segment.descriptor, form, data[_HEAD.size :])
    finally:
        segment.close()


def _look(descriptor: int, form: SegmentForm, notices: bytes) -> None:
    try:
        memory = map_descriptor(descriptor, form)
    except SegmentRefused:
        return
    assert isinstance(memory.obj, mmap.mmap)
    assert form.file_bytes <= os.fstat(descriptor).st_size
    slots = MappedSlots(memory, form)
    for at in range(0, len(notices) - _NOTICE.size + 1, _NOTICE.size):
        slot, size, number = _NOTICE.unpack_from(notices, at)
        try:
            message = slots.memory_of(slot, size)
        except ValueError:
            continue
        assert len(message) == size
        assert message.readonly
        assert sum(message[-1:]) == 0
        slots.is_void(slot, number)
