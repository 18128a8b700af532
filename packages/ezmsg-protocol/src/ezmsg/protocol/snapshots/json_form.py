"""Snapshots and what is in them as plain JSON values, for programs that do not speak the protocol.

Objects of a family (components, streams, topics) say which of it they are under ``"kind"``; edges are
``[from, to]`` and their owners ``[from, to, [owners]]``; ids are text. What JSON cannot hold has a form of its own:
``{"$bytes": base64}``, ``{"$array": dtype, "shape": [...], "data": base64}``, and ``{"$number": "nan"}``, with
``"inf"`` and ``"-inf"`` likewise. :func:`from_json_form` reads these back.
"""

import math
from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import Any
from uuid import UUID

from ezmsg.protocol.model.metadata import ComponentMetadata, StreamMetadata, TopicMetadata
from ezmsg.protocol.model.snapshot import Edge
from ezmsg.protocol.wire.plain import PlainArray

_FAMILIES = (ComponentMetadata, StreamMetadata, TopicMetadata)


def to_json_form(value: object) -> Any:
    """Return what ``json.dumps`` takes and any JSON parser reads back."""
    match value:
        case None | bool() | int() | str():
            return value
        case float():
            return value if math.isfinite(value) else {"$number": str(value)}
        case UUID():
            return str(value)
        case Enum():
            return value.name
        case bytes():
            return {"$bytes": b64encode(value).decode()}
        case PlainArray(dtype, shape, data):
            return {"$array": dtype, "shape": list(shape), "data": b64encode(data).decode()}
        case Mapping():
            return _mapping(value)
        case list() | tuple():
            return [to_json_form(item) for item in value]
        case set() | frozenset():
            return sorted((to_json_form(item) for item in value), key=repr)
    if is_dataclass(value) and not isinstance(value, type):
        return _object(value)
    return repr(value)


def from_json_form(form: Any) -> Any:
    """Return a plain value as it was, of what :func:`to_json_form` made of it and JSON has carried.

    What stands for bytes, an array or a number that JSON has not becomes that; tuples and sets stay lists.
    """
    match form:
        case {"$number": ("nan" | "inf" | "-inf") as name} if len(form) == 1:
            return float(name)
        case {"$bytes": str(text)} if len(form) == 1:
            return b64decode(text)
        case {"$array": str(dtype), "shape": [*shape], "data": str(text)} if len(form) == 3:
            return PlainArray(dtype, tuple(shape), b64decode(text))
        case dict():
            return {key: from_json_form(item) for key, item in form.items()}
        case list():
            return [from_json_form(item) for item in form]
    return form


def _object(value: Any) -> dict[str, Any]:
    form = {field.name: to_json_form(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, _FAMILIES):
        form = {"kind": type(value).__name__.removesuffix("Metadata"), **form}
    return form


def _mapping(value: Mapping[Any, Any]) -> Any:
    if value and all(isinstance(key, Edge) for key in value):
        return [[*edge, to_json_form(item)] for edge, item in value.items()]
    return {key if isinstance(key, str) else str(key): to_json_form(item) for key, item in value.items()}
