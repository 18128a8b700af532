"""What a subscriber of the same process gets under ``strict_views``: what one in another process would get.

An array becomes a read-only view. Anything else is taken apart and put together anew, as it is for another process,
except that the memory of its arrays and buffers is used where it lies, read-only.
"""

from typing import Any

from ezmsg.core.messages.payload import Array
from ezmsg.core.messages.pickles import dumps, loads
from ezmsg.core.messages.registry import Registry
from ezmsg.core.support.arrays import ndarray_class

IMMUTABLE = frozenset((type(None), bool, int, float, complex, str, bytes))


class ReadOnly:
    """Makes read-only counterparts of objects, with the encodings of a registry."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    def view(self, value: object) -> Any:
        """Return an object of the same content through which ``value`` cannot be changed.

        :raises Exception: whatever pickling the object raises, if nothing else can take it apart.
        """
        cls = type(value)
        if cls in IMMUTABLE:
            return value
        if isinstance(value, ndarray_class()) and not value.dtype.hasobject:
            return _view_of_array(value)
        encoding = self._registry.of_class(cls)
        dumped = None if encoding is None else encoding.dump(value)
        if encoding is not None and dumped is not None:
            return encoding.load([_bytes_of(buffer) for buffer in dumped])
        # Nothing from outside is unpickled here, so this is not for the registry to allow.
        parts, out_of_band = dumps(value)
        return loads(b"".join(parts), [buffer.raw().toreadonly() for buffer in out_of_band])


def _view_of_array(array: Array) -> Array:
    view = array.view()
    view.flags.writeable = False
    return view


def _bytes_of(buffer: bytes | bytearray | memoryview) -> memoryview:
    memory = memoryview(buffer).toreadonly()
    return memory.cast("B") if memory.nbytes else memoryview(b"")  # an empty one cannot be cast
