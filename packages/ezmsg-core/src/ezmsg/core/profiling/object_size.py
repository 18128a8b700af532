"""How many bytes are counted of an object that is handed on inside the process: those of its arrays, at no cost."""

import numpy as np

_BYTES = (bytes, bytearray)


def object_size(obj: object) -> int:
    """Return the bytes of an array, of bytes, or of the array that an object has as its ``data``; else 0.

    Nothing of the object's own code is run, because whatever it did would be done for each message.
    """
    if type(obj) is np.ndarray:
        return obj.nbytes
    if type(obj) in _BYTES:
        return len(obj)  # type: ignore[arg-type]
    try:
        data = object.__getattribute__(obj, "__dict__").get("data")
    except AttributeError:  # it has slots
        return 0
    return data.nbytes if type(data) is np.ndarray else 0
