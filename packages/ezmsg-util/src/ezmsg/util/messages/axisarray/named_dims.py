"""An array and the names of its dimensions: what axes of coordinates and :class:`AxisArray` have in common."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ezmsg.util.errors import InvalidArray, NotAnArray
from ezmsg.util.messages.axisarray.namespaces import same_values

__all__ = ["PUBLIC_MODULE", "ArrayWithNamedDims"]

PUBLIC_MODULE = "ezmsg.util.messages.axisarray"
"""Where the classes of this room are imported from, and what pickles, logs and metadata call their module."""


@dataclass(eq=False)
class ArrayWithNamedDims:
    """An array of any library of the array API, with a name for each of its dimensions.

    :raises InvalidArray: if there are more or fewer names than dimensions, or one name is there twice.
    :raises NotAnArray: if the data has no dimensions.
    """

    __module__ = PUBLIC_MODULE

    data: npt.NDArray[Any]
    dims: list[str]

    def __post_init__(self) -> None:
        dims = self.dims
        try:
            if self.data.ndim == len(dims) == len(set(dims)):
                return
        except AttributeError:
            if hasattr(self.data, "ndim"):
                raise
            raise NotAnArray(owner=type(self).__name__, type_name=type(self.data).__name__) from None
        reason = f"dims {list(dims)} name {len(dims)} dimensions, and the data has {self.data.ndim}"
        if self.data.ndim == len(dims):
            reason = f"dims {list(dims)} name a dimension twice"
        raise InvalidArray(owner=type(self).__name__, reason=reason)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ArrayWithNamedDims) or type(other) is not type(self):
            return NotImplemented
        return list(self.dims) == list(other.dims) and same_values(self.data, other.data)

    # Arrays can be changed, so there is no hash that stays.
    __hash__ = None  # type: ignore[assignment]

    def __getstate__(self) -> dict[str, Any]:
        """Return the fields for a pickle, with the data in one piece: only such data travels beside the pickle."""
        state = self.__dict__.copy()
        data = state.get("data")
        if type(data) is np.ndarray and not (data.flags.c_contiguous or data.flags.f_contiguous):
            state["data"] = np.ascontiguousarray(data)
        return state
