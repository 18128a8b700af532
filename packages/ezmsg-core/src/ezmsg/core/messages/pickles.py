"""Objects as pickles whose buffers lie beside them; NumPy's objects in them as `arrays` takes them apart.

That module loads NumPy, so it is asked only where there is NumPy, or something that it took apart.
"""

import copyreg
import pickle
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from ezmsg.core.messages.owning import owning

FRAME_BYTES = 256 * 1024
"""More than the largest part of a pickle that names anything: longer texts and bytes are parts of their own."""

Part = bytes | bytearray

_modules = sys.modules
_registered = copyreg.dispatch_table

_table: dict[type[Any], Any] = {}
"""How each class is taken apart: NumPy's by us, those that the program has registered as it says."""

_learned = -1
"""How many classes the program had registered when the table was made."""

_with_numpy = False
"""Whether NumPy's are in it."""

_carefully: Callable[[], type[pickle.Pickler]]
"""Returns the pickler that finds what derives from NumPy's classes."""


class _Sink:
    """A file, as far as a pickler needs one."""

    __slots__ = ("write",)

    def __init__(self, write: Callable[[Part], object]) -> None:
        self.write = write


class _Press:
    """A pickler that is used again and again: making one takes longer than pickling a small message."""

    __slots__ = ("buffers", "clear", "dump", "parts")

    def __init__(self, kind: type[pickle.Pickler] = pickle.Pickler) -> None:
        self.parts: list[Part] = []
        self.buffers: list[pickle.PickleBuffer] = []
        pickler = kind(_Sink(self.parts.append), 5, buffer_callback=self.buffers.append)
        pickler.dispatch_table = _table
        self.dump = pickler.dump
        self.clear = pickler.clear_memo


_idle: list[_Press] = []
"""Presses that nobody uses just now; an object may have messages of its own encoded while it is taken apart."""


def dumps(value: object) -> tuple[list[Part], Sequence[pickle.PickleBuffer]]:
    """Return the pickle of an object, in parts, and the buffers that belong beside it.

    Long texts and bytes are parts of their own, and bytes and bytearrays are not copied.

    :raises Exception: whatever pickling the object raises.
    """
    if len(_registered) != _learned or (not _with_numpy and "numpy" in _modules):
        _learn()
    press = _idle.pop() if _idle else _Press()
    press.dump(value)  # a press that failed is not used again
    press.clear()  # it refers to all that was in the message
    parts = press.parts.copy()
    press.parts.clear()
    buffers: Sequence[pickle.PickleBuffer] = ()
    if press.buffers:
        buffers = press.buffers.copy()
        press.buffers.clear()
    _idle.append(press)
    if _with_numpy:
        for part in parts:
            if len(part) < FRAME_BYTES and b"numpy" in part and (b"numpy._core" in part or b"numpy.core" in part):
                return _dump_carefully(value)
    return parts, buffers


def _dump_carefully(value: object) -> tuple[list[Part], Sequence[pickle.PickleBuffer]]:
    press = _Press(_carefully())
    press.dump(value)
    return press.parts, press.buffers


def _learn() -> None:
    """Make the table anew, as the program has registered a class, or imported NumPy."""
    global _carefully, _learned, _with_numpy
    count = len(_registered)
    if "numpy" in _modules:
        from ezmsg.core.messages import arrays

        _table.update(arrays.TABLE)
        _carefully, _with_numpy = arrays.careful, True
    _table.update(_registered)
    _learned = count


def loads(pickled: Any, buffers: Iterable[memoryview] = (), own: bool = False) -> Any:
    """Return the object that was taken apart by :func:`dumps`, or by pickle itself.

    :param own: the buffers are the reader's own, who may write to every array.
    """
    if own:
        return _loads_own(pickled, buffers)
    try:
        return pickle.loads(pickled, buffers=buffers)
    except ImportError as error:
        if not str(error.name).startswith("numpy."):
            raise
        from ezmsg.core.messages import arrays

        return arrays.loads_of_another_version(pickled, buffers)


def _loads_own(pickled: Any, buffers: Iterable[memoryview]) -> Any:
    before, owning.now = owning.now, True
    try:
        return loads(pickled, buffers)
    finally:
        owning.now = before
