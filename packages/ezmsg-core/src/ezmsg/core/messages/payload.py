"""How a message lies in memory: a description, then its buffers, each on a cache line of its own.

::

    u32 length of the description | description | ... | buffer 0 | ... | buffer 1 | ...
                                                      ^ offsets are multiples of ALIGNMENT

The same layout is used in a shared-memory slot and in the body of a TCP record.
"""

import struct
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from ezmsg.core.support.arrays import loaded_numpy

if TYPE_CHECKING:
    import numpy as np

    from ezmsg.core.messages.forms import Form

ALIGNMENT = 64
"""Buffers begin at multiples of this many bytes, which is a cache line and more than any dtype asks for."""

LENGTH = struct.Struct("<I")
LENGTH_BYTES = LENGTH.size

Buffer = bytes | bytearray | memoryview
Array: TypeAlias = "np.ndarray[Any, np.dtype[Any]]"


class Payload(Protocol):
    """A message ready to be laid into memory of at least ``size`` bytes."""

    size: int

    @property
    def form(self) -> "Form | None":
        """What a channel has to be told before the message, once."""

    def write(self, memory: memoryview, offset: int) -> None:
        """Lay the message into ``memory`` from ``offset``, which is a multiple of ``ALIGNMENT``."""


def unset_memory(size: int) -> memoryview:
    """Return new memory of ``size`` bytes whose content is about to be written; setting it to zero takes long."""
    numpy = loaded_numpy()
    if numpy is None:  # only large messages are worth its import, and they are arrays
        return memoryview(bytearray(size))
    memory: memoryview = numpy.empty(size, numpy.uint8).data
    return memory


def align(offset: int) -> int:
    """Return the next multiple of ``ALIGNMENT``."""
    return (offset + ALIGNMENT - 1) & -ALIGNMENT


def first_buffer(description: bytes) -> int:
    """Return the offset of the first buffer behind a description."""
    return align(LENGTH_BYTES + len(description))


def prefix(description: bytes) -> bytes:
    """Return a description as it lies in memory, padded up to its first buffer."""
    head = LENGTH.pack(len(description)) + description
    return head.ljust(align(len(head)), b"\0")


class ArrayPayload:
    """One array, of no subclass, copied straight to where it goes; its shape may have any strides."""

    __slots__ = ("_array", "_order", "_prefix", "size")

    form = None

    def __init__(self, prefix: bytes, array: Array, order: Any) -> None:
        self._prefix = prefix
        self._array = array
        self._order = order
        self.size = len(prefix) + array.nbytes

    def write(self, memory: memoryview, offset: int) -> None:
        start = offset + len(self._prefix)
        memory[offset:start] = self._prefix
        array = self._array
        type(array)(array.shape, array.dtype, memory, start, order=self._order)[...] = array


class BuffersPayload:
    """Any number of buffers of bytes."""

    __slots__ = ("_buffers", "_prefix", "size")

    form = None

    def __init__(self, description: bytes, buffers: list[memoryview]) -> None:
        self._prefix = prefix(description)
        self._buffers = buffers
        size = len(self._prefix)
        for buffer in buffers:
            size = align(size) + buffer.nbytes
        self.size = size

    def write(self, memory: memoryview, offset: int) -> None:
        memory[offset : offset + len(self._prefix)] = self._prefix
        position = len(self._prefix)
        for buffer in self._buffers:
            position = align(position)
            memory[offset + position : offset + position + buffer.nbytes] = buffer
            position += buffer.nbytes


def split(memory: memoryview, description: bytes, sizes: tuple[int, ...]) -> list[memoryview]:
    """Return the buffers behind a description, given their sizes in bytes."""
    position = first_buffer(description)
    buffers = []
    for size in sizes:
        position = align(position)
        buffers.append(memory[position : position + size])
        position += size
    return buffers
