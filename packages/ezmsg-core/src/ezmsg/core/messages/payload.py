"""How a message lies in memory: a description, then its buffers, each on a cache line of its own.

::

    u32 length of the description | description | ... | buffer 0 | ... | buffer 1 | ...
                                                      ^ offsets are multiples of ALIGNMENT

The same layout is used in a shared-memory slot and in the body of a TCP record.
"""

import contextlib
import mmap
import struct
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from ezmsg.core.support.arrays import loaded_numpy

if TYPE_CHECKING:
    import numpy as np

    from ezmsg.core.messages.forms import Form

ALIGNMENT = 64
"""Buffers begin at multiples of this many bytes, which is a cache line and more than any dtype asks for."""

LARGE_BYTES = 4 * 1024 * 1024
"""From this size on, memory is asked for in large pages, as NumPy does: to fetch it page by page takes longer than
to copy into it."""

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
    if numpy is not None:
        memory: memoryview = numpy.empty(size, numpy.uint8).data
        return memory
    if size < LARGE_BYTES or not hasattr(mmap, "MADV_HUGEPAGE"):
        return memoryview(bytearray(size))
    pages = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    with contextlib.suppress(OSError):  # this system has no large pages, and many small ones to fetch
        pages.madvise(mmap.MADV_HUGEPAGE)
    return memoryview(pages)


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

    __slots__ = ("array", "order", "prefix", "size")

    form = None

    def __init__(self, prefix: bytes, array: Array, order: Any) -> None:
        self.prefix = prefix
        self.array = array
        self.order = order
        self.size = len(prefix) + array.nbytes

    def write(self, memory: memoryview, offset: int) -> None:
        start = offset + len(self.prefix)
        memory[offset:start] = self.prefix
        array = self.array
        type(array)(array.shape, array.dtype, memory, start, order=self.order)[...] = array


class BuffersPayload:
    """Any number of buffers of bytes.

    :param first: the parts of one more buffer, before the others.
    """

    __slots__ = ("_buffers", "_first", "_prefix", "size")

    form = None

    def __init__(self, description: bytes, buffers: Sequence[memoryview], first: Sequence[Buffer] = ()) -> None:
        self._prefix = prefix(description)
        self._first = first
        self._buffers = buffers
        size = len(self._prefix)
        for part in first:
            size += len(part)
        for buffer in buffers:
            size = align(size) + buffer.nbytes
        self.size = size

    def write(self, memory: memoryview, offset: int) -> None:
        position = offset + len(self._prefix)
        memory[offset:position] = self._prefix
        for part in self._first:
            end = position + len(part)
            memory[position:end] = part
            position = end
        for buffer in self._buffers:
            position = align(position - offset) + offset
            memory[position : position + buffer.nbytes] = buffer
            position += buffer.nbytes

    def pieces(self) -> Iterator[Buffer]:
        """Yield what :meth:`write` would lay one behind the other."""
        yield self._prefix
        yield from self._first
        position = len(self._prefix) + sum(map(len, self._first))
        for buffer in self._buffers:
            yield bytes(align(position) - position)
            yield buffer
            position = align(position) + buffer.nbytes


def split(memory: memoryview, description: bytes, sizes: tuple[int, ...]) -> list[memoryview]:
    """Return the buffers behind a description, given their sizes in bytes."""
    position = first_buffer(description)
    buffers = []
    for size in sizes:
        position = align(position)
        buffers.append(memory[position : position + size])
        position += size
    return buffers
