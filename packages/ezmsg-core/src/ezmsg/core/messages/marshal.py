"""A message in memory of one's own, and back: for tests that want to see what crosses between two processes.

::

    b"EZ" | 6 bytes | u64 number of the message | u64 size of the payload | ... | payload
                                                                          ^ at ALIGNMENT

The runtime does not use this; what a slot or a record holds besides the payload is told in `ezmsg.core.transports`.
"""

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ezmsg.core.errors import UndersizedMemory, UninitializedMemory
from ezmsg.core.messages.active import CODEC
from ezmsg.core.messages.payload import ALIGNMENT

_HEAD = struct.Struct("<2s6xQQ")
_MARK = b"EZ"


class Marshal:
    """Lays messages into memory, with the codec of this process."""

    @classmethod
    def to_mem(cls, msg_id: int, obj: Any, mem: memoryview) -> None:
        """Lay a message into memory, from its beginning.

        :raises UndersizedMemory: if it does not fit; then nothing was written.
        :raises Exception: whatever encoding the object raises.
        """
        payload = CODEC.encode(obj)
        needed = ALIGNMENT + payload.size
        if mem.nbytes < needed:
            raise UndersizedMemory(req_size=needed, size=mem.nbytes)
        payload.write(mem, ALIGNMENT)
        _HEAD.pack_into(mem, 0, _MARK, msg_id, payload.size)

    @classmethod
    @contextmanager
    def obj_from_mem(cls, mem: memoryview) -> Iterator[Any]:
        """Lend the message that memory holds; its arrays are read-only views of the memory, as over shared memory.

        :raises UninitializedMemory: if it holds none.
        """
        _, size = _head(mem)
        yield CODEC.decode(mem[ALIGNMENT : ALIGNMENT + size].toreadonly())

    @classmethod
    def msg_id(cls, raw: memoryview | bytes) -> int:
        """Return the number of the message that memory holds.

        :raises UninitializedMemory: if it holds none.
        """
        return _head(raw)[0]

    @classmethod
    def copy_obj(cls, from_mem: memoryview, to_mem: memoryview) -> None:
        """Copy a message from memory to other memory.

        :raises UndersizedMemory: if it does not fit; then nothing was written.
        :raises UninitializedMemory: if there is none.
        """
        _, size = _head(from_mem)
        needed = ALIGNMENT + size
        if to_mem.nbytes < needed:
            raise UndersizedMemory(req_size=needed, size=to_mem.nbytes)
        to_mem[:needed] = from_mem[:needed]


def _head(memory: memoryview | bytes) -> tuple[int, int]:
    """Return a message's number and its payload's size."""
    if len(memory) < ALIGNMENT:
        raise UninitializedMemory(size=len(memory))
    mark, msg_id, size = _HEAD.unpack_from(memory)
    if mark != _MARK or len(memory) < ALIGNMENT + size:
        raise UninitializedMemory(size=len(memory))
    return msg_id, size


MessageMarshal = Marshal
"""The name that ezmsg 3 had for it, too."""
