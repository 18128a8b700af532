"""Users' objects as payloads and back: arrays and bytes as they are, the rest as pickle protocol 5.

A description begins with one byte that names the encoding:

====  =====================================================================================
``a``  array: byte order and kind (``dtype.str``), memory order, shape; one buffer
``b``  bytes: one buffer
``p``  pickle, its out-of-band buffers behind it
``x``  an encoding that the application registered, under its name
====  =====================================================================================

The values that :func:`decode` returns over shared memory are views of memory that is not theirs: read-only, and
good until the lease ends. ``copy=True`` gives a private, writable value.
"""

import pickle
import struct
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from attrs import frozen

from ezmsg.core.errors import PickleForbidden
from ezmsg.core.messages.payload import (
    Array,
    ArrayPayload,
    Buffer,
    BuffersPayload,
    Payload,
    description_at,
    first_buffer,
    prefix,
    split,
)

Dump = Callable[[Any], Sequence[Buffer]]
Load = Callable[[Sequence[memoryview]], Any]

_CACHE_LIMIT = 1024
_SIZES = struct.Struct("<Q")
_PLAIN_KINDS = "biufcSUmM"


@frozen
class Encoding:
    """An application's own way to send objects of one class.

    ``dump`` returns buffers of bytes; ``load`` gets views of the same buffers and returns the object.
    """

    name: str
    cls: type
    dump: Dump
    load: Load


@frozen
class _ArrayForm:
    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    order: Any
    offset: int


class Codec:
    """The encodings in use; one process needs only the one that :func:`encode` and :func:`decode` share."""

    def __init__(self, *, allow_pickle: bool = True) -> None:
        self.allow_pickle = allow_pickle
        self._by_class: dict[type, Encoding] = {}
        self._by_name: dict[str, Encoding] = {}
        # Streams repeat their form: these two caches make the repeated case one lookup each.
        self._prefixes: dict[tuple[Any, ...], bytes] = {}
        self._forms: dict[bytes, _ArrayForm] = {}

    def register(self, name: str, cls: type, dump: Dump, load: Load) -> None:
        """Send objects of exactly this class in this way; both processes must register the same name."""
        encoding = Encoding(name, cls, dump, load)
        self._by_class[cls] = encoding
        self._by_name[name] = encoding

    def encode(self, value: object) -> Payload:
        """Return a payload for any object.

        :raises PickleForbidden: if only pickle could carry the object, and pickle is forbidden.
        :raises Exception: whatever pickling the object raises.
        """
        cls = type(value)
        if cls is np.ndarray and value.dtype.kind in _PLAIN_KINDS and value.dtype.metadata is None:  # type: ignore[attr-defined]
            return self._encode_array(value)  # type: ignore[arg-type]
        if cls is bytes:
            return BuffersPayload(b"b" + _SIZES.pack(len(value)), [memoryview(value)])  # type: ignore[arg-type]
        encoding = self._by_class.get(cls)
        if encoding is not None:
            buffers = [memoryview(buffer).cast("B") for buffer in encoding.dump(value)]
            return BuffersPayload(_with_sizes(b"x", buffers, encoding.name.encode()), buffers)
        return self._encode_pickle(value)

    def decode(self, memory: memoryview, *, copy: bool = False) -> Any:
        """Return the object that a payload's memory holds.

        :param memory: the payload's bytes, exactly.
        :param copy: return a private, writable value instead of a view.
        :raises PickleForbidden: if the payload is a pickle, and pickle is forbidden.
        """
        description = description_at(memory)
        form = self._forms.get(description)
        if form is not None or description[:1] == b"a":
            return _array_at(memory, form or self._learn_form(description), copy)
        if copy:
            memory = memoryview(bytearray(memory))
        match description[:1]:
            case b"b":
                (buffer,) = _buffers_of(memory, description, 1)
                return bytes(buffer)
            case b"x":
                name_end = 2 + description[1]
                encoding = self._by_name[description[2:name_end].decode()]
                return encoding.load(_buffers_of(memory, description, name_end))
        if not self.allow_pickle:
            raise PickleForbidden(type_name="(unknown, as it came pickled)")
        pickled, *rest = _buffers_of(memory, description, 1)
        return pickle.loads(pickled, buffers=rest)

    def _encode_array(self, array: Array) -> ArrayPayload:
        order = "F" if array.flags.f_contiguous and not array.flags.c_contiguous else "C"
        key = (array.dtype, array.shape, order)
        head = self._prefixes.get(key)
        if head is None:
            head = prefix(_describe_array(array, order))
            if len(self._prefixes) >= _CACHE_LIMIT:
                self._prefixes.clear()
            self._prefixes[key] = head
        return ArrayPayload(head, array, order)

    def _encode_pickle(self, value: object) -> BuffersPayload:
        if not self.allow_pickle:
            raise PickleForbidden(type_name=type(value).__qualname__)
        out_of_band: list[pickle.PickleBuffer] = []
        pickled = pickle.dumps(value, protocol=5, buffer_callback=out_of_band.append)
        buffers = [memoryview(pickled), *(buffer.raw() for buffer in out_of_band)]
        return BuffersPayload(_with_sizes(b"p", buffers), buffers)

    def _learn_form(self, description: bytes) -> _ArrayForm:
        end = 3 + description[2]
        dtype, dimensions = np.dtype(description[3:end].decode()), description[end:]
        shape = struct.unpack(f"<{len(dimensions) // 8}Q", dimensions)
        form = _ArrayForm(dtype, shape, chr(description[1]), first_buffer(description))
        if len(self._forms) >= _CACHE_LIMIT:
            self._forms.clear()
        self._forms[description] = form
        return form


def _describe_array(array: Array, order: str) -> bytes:
    dtype = array.dtype.str.encode()
    return b"a" + order.encode() + bytes([len(dtype)]) + dtype + struct.pack(f"<{array.ndim}Q", *array.shape)


def _array_at(memory: memoryview, form: _ArrayForm, copy: bool) -> Array:
    view: Array = np.ndarray(form.shape, form.dtype, memory, form.offset, order=form.order)
    return view.copy(order=form.order) if copy else view


def _with_sizes(kind: bytes, buffers: Sequence[memoryview], name: bytes = b"") -> bytes:
    head = kind + (bytes([len(name)]) + name if name else b"")
    return head + b"".join(_SIZES.pack(buffer.nbytes) for buffer in buffers)


def _buffers_of(memory: memoryview, description: bytes, start: int) -> list[memoryview]:
    sizes = tuple(size for (size,) in _SIZES.iter_unpack(description[start:]))
    return split(memory, description, sizes)
