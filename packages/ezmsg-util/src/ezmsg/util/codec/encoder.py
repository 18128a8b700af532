"""Objects as JSON: dataclasses by their fields, arrays by their bytes, anything else as a pickle.

==========  ==================================================================================
dataclass   its fields, and its class as ``_type``
array       ``{"_type": "_ndarray", "dtype": ..., "data": base64, "shape": [...]}``
the rest    ``{"_type": "_pickle", "data": base64}``
==========  ==================================================================================
"""

import base64
import json
import pickle
from dataclasses import fields, is_dataclass
from typing import Any, Final

import numpy as np

from ezmsg.util.codec.types import type_str
from ezmsg.util.errors import UnloggableMessage

__all__ = ["MessageEncoder"]

TYPE: Final = "_type"
PICKLE_TYPE: Final = "_pickle"
PICKLE_DATA: Final = "data"
NDARRAY_TYPE: Final = "_ndarray"
NDARRAY_DTYPE: Final = "dtype"
NDARRAY_DATA: Final = "data"
NDARRAY_SHAPE: Final = "shape"


class MessageEncoder(json.JSONEncoder):
    """Encodes what JSON has no form for; give it to `json.dumps` as ``cls``."""

    def default(self, o: Any) -> Any:
        """Return an object in a form that JSON has.

        :raises UnloggableMessage: if it is none of those above, and cannot be pickled.
        """
        if is_dataclass(o) and not isinstance(o, type):
            return {field.name: getattr(o, field.name) for field in fields(o)} | {TYPE: type_str(o)}
        if type(o) is np.ndarray and not o.dtype.hasobject and o.dtype.metadata is None:
            return {
                TYPE: NDARRAY_TYPE,
                NDARRAY_DTYPE: o.dtype.descr if o.dtype.names else str(o.dtype),
                NDARRAY_DATA: base64.b64encode(o.tobytes()).decode("ascii"),
                NDARRAY_SHAPE: list(o.shape),
            }
        try:
            pickled = pickle.dumps(o)
        except Exception as error:  # objects raise what they like; who sent it wants to know which did
            raise UnloggableMessage(type_name=type(o).__qualname__, reason=str(error)) from error
        return {TYPE: PICKLE_TYPE, PICKLE_DATA: base64.b64encode(pickled).decode("ascii")}
