"""Objects as pickles whose buffers lie beside them; NumPy's objects in them as `arrays` takes them apart.

That module loads NumPy, so it is asked only where there is NumPy, or something that it took apart.
"""

import pickle
from collections.abc import Iterable
from typing import Any

from ezmsg.core.support.arrays import loaded_numpy

_TAKEN_APART = b"ezmsg.core.messages.arrays"


def dumps(value: object) -> tuple[bytes, list[pickle.PickleBuffer]]:
    """Return the pickle of an object, and the buffers that belong beside it.

    :raises Exception: whatever pickling the object raises.
    """
    if loaded_numpy() is None:
        buffers: list[pickle.PickleBuffer] = []
        return pickle.dumps(value, protocol=5, buffer_callback=buffers.append), buffers
    from ezmsg.core.messages import arrays

    return arrays.dumps(value)


def loads(pickled: Any, buffers: Iterable[memoryview], *, own: bool = False) -> Any:
    """Return the object that was taken apart by :func:`dumps`, or by pickle itself.

    :param own: the buffers are the reader's own, who may write to every array.
    """
    if loaded_numpy() is None and _TAKEN_APART not in bytes(pickled):
        return pickle.loads(pickled, buffers=buffers)
    from ezmsg.core.messages import arrays

    return arrays.loads(pickled, buffers, own=own)
