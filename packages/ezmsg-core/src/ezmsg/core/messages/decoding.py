"""Payloads as users' objects again; :mod:`ezmsg.core.messages.encoding` says how they are described.

Over shared memory the values returned here are views of memory that is not theirs: read-only, and good until the
lease ends. ``copy=True`` gives a private, writable value.
"""

import struct
from typing import TYPE_CHECKING, Any

from ezmsg.core.errors import PickleForbidden, UnknownEncoding
from ezmsg.core.messages.encoding import CACHE_LIMIT, SIZE
from ezmsg.core.messages.forms import HeardForms
from ezmsg.core.messages.payload import LENGTH, LENGTH_BYTES, Array, first_buffer, split, unset_memory
from ezmsg.core.messages.pickles import loads
from ezmsg.core.messages.registry import Registry
from ezmsg.core.support.arrays import PLAIN_KINDS
from ezmsg.protocol.declared import declared

if TYPE_CHECKING:
    import numpy as np

_NO_FORMS: HeardForms = {}

PAGE_BYTES = 4096
"""Less than that is copied in one step."""


@declared
class _ArrayForm:
    """What a description says about an array, and where its elements begin."""

    dtype: "np.dtype[Any]"
    shape: tuple[int, ...]
    order: Any
    offset: int
    array: "type[Array]"


class Decoder:
    """Turns the memory of payloads into objects."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._forms: dict[bytes, _ArrayForm] = {}

    def decode(
        self, memory: memoryview, forms: HeardForms = _NO_FORMS, *, copy: bool = False, own: bool = False
    ) -> Any:
        """Return the object that a payload's memory holds.

        :param memory: the payload's bytes, exactly.
        :param forms: what the channel was told that it came by.
        :param copy: return a private, writable value instead of a view.
        :param own: the memory is the reader's from now on: a private value may lie in it.
        :raises PickleForbidden: if the payload is a pickle, and pickle is forbidden.
        :raises UnknownEncoding: if only the sender has registered how it is encoded.
        """
        (length,) = LENGTH.unpack_from(memory)
        description = bytes(memory[LENGTH_BYTES : LENGTH_BYTES + length])
        form = self._forms.get(description)
        if form is not None or description[:1] == b"a":
            return _array_at(memory, form or self._learn_form(description), copy and not own)
        heard = forms.get(description)
        if heard is not None:
            return heard.join(_copied(memory) if copy and not own else memory, copy)
        match description[:1]:
            case b"b":
                (buffer,) = _buffers_of(memory, description, 1)
                return bytes(buffer)
            case b"x":
                name_end = 2 + description[1]
                name = description[2:name_end].decode()
                encoding = self._registry.of_name(name)
                if encoding is None:
                    raise UnknownEncoding(name=name)
                memory = _copied(memory) if copy and not own else memory
                return encoding.load(_buffers_of(memory, description, name_end))
            case b"f":
                raise UnknownEncoding(name="form that this channel was not told")
        if not self._registry.allow_pickle:
            raise PickleForbidden(type_name="(unknown, as it came pickled)")
        pickled, *rest = _buffers_of(memory, description, 1)
        if copy and not own:  # what is in the pickle itself is copied in any case
            rest = [_copied(buffer) for buffer in rest]
        return loads(pickled, rest, copy)

    def _learn_form(self, description: bytes) -> _ArrayForm:
        import numpy as np  # with the first array that comes, where none is sent

        end = 3 + description[2]
        dtype, dimensions = np.dtype(description[3:end].decode()), description[end:]
        if dtype.kind not in PLAIN_KINDS:  # numpy would take the bytes of an array of objects for their addresses
            raise UnknownEncoding(name=f"array of {dtype}")
        shape = struct.unpack(f"<{len(dimensions) // 8}Q", dimensions)
        form = _ArrayForm(dtype, shape, chr(description[1]), first_buffer(description), np.ndarray)
        if len(self._forms) >= CACHE_LIMIT:
            self._forms.clear()
        self._forms[description] = form
        return form


def _copied(memory: memoryview) -> memoryview:
    if len(memory) < PAGE_BYTES:
        return memoryview(bytearray(memory))
    copy = unset_memory(len(memory))
    copy[:] = memory
    return copy


def _array_at(memory: memoryview, form: _ArrayForm, copy: bool) -> Array:
    view: Array = form.array(form.shape, form.dtype, memory, form.offset, order=form.order)
    return view.copy(order=form.order) if copy else view


def _buffers_of(memory: memoryview, description: bytes, start: int) -> list[memoryview]:
    sizes = tuple(size for (size,) in SIZE.iter_unpack(description[start:]))
    return split(memory, description, sizes)
