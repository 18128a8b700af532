"""What stands along a dimension of an array: a line of regular steps, or a coordinate for each index."""

import zlib
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from ezmsg.util.messages.axisarray.named_dims import PUBLIC_MODULE, ArrayWithNamedDims

__all__ = ["AxisBase", "CoordinateAxis", "LinearAxis"]


@dataclass
class AxisBase(ABC):
    """Says which value belongs to an index; ``unit`` is what the values are in."""

    __module__ = PUBLIC_MODULE

    unit: str = ""

    @abstractmethod
    def value(self, x: Any) -> Any:
        """Return the value at an index, or the values at an array of them."""


@dataclass
class LinearAxis(AxisBase):
    """Values in regular steps: ``offset`` at index 0, and ``gain`` more at each further one."""

    __module__ = PUBLIC_MODULE

    gain: float = 1.0
    offset: float = 0.0

    def value(self, x: Any) -> Any:
        """Return the value at an index, or the values at an array of them; between two indices, too."""
        return x * self.gain + self.offset

    def index(self, v: Any, fn: Callable[[Any], Any] = np.rint) -> Any:
        """Return the index of a value, or of an array of them, as integers that ``fn`` chose."""
        found = fn((v - self.offset) / self.gain)
        return found.astype(int) if isinstance(found, np.ndarray | np.generic) else np.int64(found)

    @classmethod
    def create_time_axis(cls, fs: float, offset: float = 0.0) -> Self:
        """Return an axis in seconds with ``fs`` samples in each, the first of them at ``offset``."""
        return cls(unit="s", gain=1.0 / fs, offset=offset)


@dataclass(eq=False)
class CoordinateAxis(AxisBase, ArrayWithNamedDims):
    """A coordinate for each index, such as the names of channels or irregular times.

    Its data mostly has the one dimension that it stands along; it may have others of the array besides.
    An axis that was published or looked at is not to be changed, but replaced.
    """

    __module__ = PUBLIC_MODULE

    def value(self, x: Any) -> Any:
        """Return the coordinate at an index, or those at an array or slice of them."""
        return self.data[x]

    @property
    def fingerprint(self) -> tuple[Any, ...]:
        """What tells this axis from others without a look at each value: equal axes have the same one.

        It is worked out once for each array that ``data`` is set to, so values that are changed in place go unseen.
        """
        state, named = self.__dict__, (self.unit, tuple(self.dims))
        if state.get("_fingerprint_of") is self.data:
            known: tuple[Any, ...] = state["_fingerprint"]
            if known[:2] == named:
                return known
        state["_fingerprint_of"] = self.data
        found = state["_fingerprint"] = (*named, *digest(self.data))
        return found

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, CoordinateAxis) or type(other) is not type(self):
            return NotImplemented
        return self.unit == other.unit and ArrayWithNamedDims.__eq__(self, other)

    __hash__ = None

    def __getstate__(self) -> dict[str, Any]:
        """Return the fields for a pickle, with the data in one piece, and the fingerprint if it is known."""
        state = super().__getstate__()
        if state.get("_fingerprint_of") is self.data:
            state["_fingerprint_of"] = state["data"]
        else:  # it would be of an array that nobody needs any more
            state.pop("_fingerprint_of", None)
            state.pop("_fingerprint", None)
        return state


def digest(data: Any) -> tuple[Any, ...]:
    """Return kind, shape and a checksum of the values; of objects, of what they look like."""
    array = np.asarray(data)
    if array.dtype.hasobject:
        array = np.asarray(list(map(repr, array.ravel())), dtype=np.str_).reshape(array.shape)
    memory = np.ascontiguousarray(array).tobytes()
    return array.dtype, array.shape, zlib.crc32(memory) << 32 | zlib.adler32(memory)
