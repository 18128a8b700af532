"""JSON as the objects that :mod:`ezmsg.util.codec.encoder` made it of.

A log may hold pickles, and it names classes to be made. Read only logs that you would run as programs.
"""

import base64
import json
import math
import pickle
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np

from ezmsg.util.codec.encoder import (
    NDARRAY_DATA,
    NDARRAY_DTYPE,
    NDARRAY_SHAPE,
    NDARRAY_TYPE,
    PICKLE_DATA,
    PICKLE_TYPE,
    TYPE,
)
from ezmsg.util.codec.types import import_type

__all__ = ["MessageDecoder"]


class MessageDecoder(json.JSONDecoder):
    """Decodes what :class:`MessageEncoder` encoded; give it to `json.loads` as ``cls``."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"object_hook": from_object, **kwargs})


def from_object(obj: dict[str, Any]) -> Any:
    """Return what an object of JSON stands for; one without a type is itself.

    :raises UnknownType: if its class cannot be found.
    """
    match obj.get(TYPE):
        case None:
            return obj
        case name if name == NDARRAY_TYPE:
            return _array(obj) if {NDARRAY_DATA, NDARRAY_DTYPE, NDARRAY_SHAPE} <= obj.keys() else obj
        case name if name == PICKLE_TYPE:
            return pickle.loads(base64.b64decode(obj[PICKLE_DATA])) if PICKLE_DATA in obj else obj  # noqa: S301
        case name:
            return _instance(import_type(name), {key: value for key, value in obj.items() if key != TYPE})


def _array(obj: dict[str, Any]) -> Any:
    described = obj[NDARRAY_DTYPE]
    dtype = np.dtype(described if isinstance(described, str) else [_field(each) for each in described])
    shape = tuple(obj[NDARRAY_SHAPE])
    # The array is its own, as the one that was logged was; it is not to be a view of bytes.
    array = np.empty(shape, dtype)
    if math.prod(shape) and dtype.itemsize:
        array[...] = np.frombuffer(base64.b64decode(obj[NDARRAY_DATA]), dtype).reshape(shape)
    return array


def _field(described: Any) -> tuple[Any, ...]:
    """Return a field of a record as NumPy wants it, in which JSON turned every tuple into a list."""
    name, form, *shape = described
    nested = form if isinstance(form, str) else [_field(each) for each in form]
    return (tuple(name) if isinstance(name, list) else name, nested, *(tuple(each) for each in shape))


def _instance(cls: type, values: dict[str, Any]) -> Any:
    later = {field.name for field in fields(cls) if not field.init} if is_dataclass(cls) else set()
    instance = cls(**{name: value for name, value in values.items() if name not in later})
    for name in later & values.keys():
        object.__setattr__(instance, name, values[name])
    return instance
