"""NumPy, if it is loaded: whoever looks for arrays need not load it, because where it is not there are none.

Its import takes as long as that of everything else together, so that a program without arrays does not pay for it,
in none of its processes. What makes an array imports NumPy itself, in the function that does.
"""

import sys
from types import ModuleType
from typing import Any

PLAIN_KINDS = "biufcSUmM"
"""Kinds of dtypes whose elements are nothing but their bytes."""


class NoArray:
    """Stands in for the class of arrays while there is none: nothing is of this class."""


ndarray: type[Any] = NoArray
"""NumPy's class of arrays, once :func:`ndarray_class` has met it; for those who look at every message.

They ask :func:`ndarray_class` where a message is of a class that they do not know.
"""


def loaded_numpy() -> ModuleType | None:
    """Return NumPy, if the program has imported it."""
    return sys.modules.get("numpy")


def ndarray_class() -> type[Any]:
    """Return NumPy's class of arrays, if the program has imported NumPy, else one that nothing is of."""
    global ndarray
    if ndarray is NoArray:
        ndarray = getattr(loaded_numpy(), "ndarray", NoArray)
    return ndarray
