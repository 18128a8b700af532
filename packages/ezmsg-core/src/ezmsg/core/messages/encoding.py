"""Users' objects as payloads: arrays and bytes as they are, the rest as pickle protocol 5.

A description begins with one byte that names the encoding:

====  =====================================================================================
``a``  array: memory order, byte order and kind (``dtype.str``), shape; one buffer
``b``  bytes: one buffer
``p``  pickle, its out-of-band buffers behind it; NumPy's objects in it as `arrays` takes them apart
``x``  an encoding that the application registered or has installed, under its name
``f``  the number of a form that the channel was told before; see `forms`
====  =====================================================================================

``b``, ``p`` and ``x`` end with the size of each buffer, as u64.
"""

import struct
from collections.abc import Sequence
from typing import Any, cast

from ezmsg.core.errors import PickleForbidden
from ezmsg.core.messages.forms import Forms
from ezmsg.core.messages.payload import Array, ArrayPayload, Buffer, BuffersPayload, Payload, prefix
from ezmsg.core.messages.pickles import dumps
from ezmsg.core.messages.registry import Registry
from ezmsg.core.support import arrays

CACHE_LIMIT = 1024
"""How many forms of arrays are remembered, here and in decoding."""

SIZE = struct.Struct("<Q")


class Encoder:
    """Turns objects into payloads."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        # Streams repeat their form, which makes the repeated case one lookup.
        self._prefixes: dict[tuple[Any, ...], bytes] = {}

    def encode(self, value: object, forms: Forms | None = None) -> Payload:
        """Return a payload for any object.

        :param forms: those of the stream that it belongs to; without, the payload stands by itself.
        :raises PickleForbidden: if only pickle could carry the object, and pickle is forbidden.
        :raises Exception: whatever pickling the object raises.
        """
        cls = type(value)
        if cls is arrays.ndarray:
            array = cast(Array, value)
            if array.dtype.kind in arrays.PLAIN_KINDS and array.dtype.metadata is None:
                return self._encode_array(array)
        elif cls is bytes:
            buffers = [memoryview(cast(bytes, value))]
            return BuffersPayload(_with_sizes(b"b", buffers), buffers)
        elif arrays.ndarray is arrays.NoArray and cls is arrays.ndarray_class():  # the first array of the program
            return self.encode(value)
        if forms is not None:
            payload = forms.payload(value)
            if payload is not None:
                return payload
        encoding = self._registry.of_class(cls)
        dumped = None if encoding is None else encoding.dump(value)
        if encoding is None or dumped is None:
            return self._encode_pickle(value)
        name = encoding.name.encode()
        buffers = [_as_bytes(buffer) for buffer in dumped]
        return BuffersPayload(_with_sizes(b"x" + bytes([len(name)]) + name, buffers), buffers)

    def _encode_array(self, array: Array) -> ArrayPayload:
        order = "F" if array.flags.f_contiguous and not array.flags.c_contiguous else "C"
        key = (array.dtype, array.shape, order)
        head = self._prefixes.get(key)
        if head is None:
            head = prefix(_describe_array(array, order))
            if len(self._prefixes) >= CACHE_LIMIT:
                self._prefixes.clear()
            self._prefixes[key] = head
        return ArrayPayload(head, array, order)

    def _encode_pickle(self, value: object) -> BuffersPayload:
        if not self._registry.allow_pickle:
            raise PickleForbidden(type_name=type(value).__qualname__)
        parts, out_of_band = dumps(value)
        head = b"p" + SIZE.pack(len(parts[0]) if len(parts) == 1 else sum(map(len, parts)))
        if not out_of_band:
            return BuffersPayload(head, (), parts)
        buffers = [buffer.raw() for buffer in out_of_band]
        return BuffersPayload(_with_sizes(head, buffers), buffers, parts)


def _describe_array(array: Array, order: str) -> bytes:
    dtype = array.dtype.str.encode()
    return b"a" + order.encode() + bytes([len(dtype)]) + dtype + struct.pack(f"<{array.ndim}Q", *array.shape)


def _as_bytes(buffer: Buffer) -> memoryview:
    memory = memoryview(buffer)
    return memory.cast("B") if memory.nbytes else memoryview(b"")  # an empty one cannot be cast


def _with_sizes(head: bytes, buffers: Sequence[memoryview]) -> bytes:
    return head + b"".join(SIZE.pack(buffer.nbytes) for buffer in buffers)
