"""Any message in one short line, and as plain data for JSON; and a part of it by a path. Pure."""

import math
import re
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np

_ELEMENTS = 8
"""An array of more elements is told by its type, its shape and where its values lie."""

_ITEMS, _DEPTH, _TEXT = 6, 3, 120

_STEP = re.compile(r"\.?([^\W\d]\w*)|\[([^\]]*)\]")


class NoSuchPart(LookupError):
    """A path leads to nothing in a message; the text says where it ends."""


def line(value: Any, depth: int = 0) -> str:
    """Return a message as one short line."""
    match value:
        case None | bool() | int():
            return str(value)
        case float() | np.floating():
            return f"{float(value):g}"
        case np.generic():
            return str(value.item())
        case str():
            return _cut(repr(value))
        case bytes() | bytearray() | memoryview():
            return f"{len(value)} bytes{' ' if len(value) else ''}{_cut(bytes(value[:16]).hex())}"
        case np.ndarray():
            return _array(value)
    if depth >= _DEPTH:
        return f"{type(value).__name__}(...)"
    parts = _parts(value)
    if parts is not None:
        return f"{type(value).__name__}({', '.join(f'{name}={line(part, depth + 1)}' for name, part in parts)})"
    if isinstance(value, Mapping):
        shown = [f"{line(key, depth + 1)}: {line(item, depth + 1)}" for key, item in list(value.items())[:_ITEMS]]
        return f"{{{', '.join(shown)}{_more(len(value))}}}"
    if isinstance(value, list | tuple):
        shown = [line(item, depth + 1) for item in value[:_ITEMS]]
        return f"[{', '.join(shown)}{_more(len(value))}]"
    return _cut(repr(value))


def plain(value: Any, depth: int = 0) -> Any:
    """Return a message as what JSON has: small arrays as lists, large ones by their type, shape and range."""
    match value:
        case None | bool() | int() | str():
            return value
        case float():
            return value if math.isfinite(value) else {"$number": str(value)}
        case np.generic():
            return plain(value.item(), depth)
        case bytes() | bytearray() | memoryview():
            return {"bytes": len(value), "hex": bytes(value[:64]).hex()}
        case np.ndarray():
            return _array_form(value)
    if depth >= 2 * _DEPTH:
        return repr(value)
    parts = _parts(value)
    if parts is not None:
        return {name: plain(part, depth + 1) for name, part in parts}
    if isinstance(value, Mapping):
        return {str(key): plain(item, depth + 1) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item, depth + 1) for item in value]
    return repr(value)


def part_of(value: Any, path: str) -> Any:
    """Return what a path such as ``axes[time].gain`` or ``data[0]`` leads to.

    :raises NoSuchPart: if it leads to nothing.
    """
    end = 0
    while end < len(path):
        step = _STEP.match(path, end)
        if step is None:
            raise NoSuchPart(f"{path!r} is no path: write it like axes[time].gain or data[0]")
        try:
            value = getattr(value, step[1]) if step[1] else _item(value, step[2])
        except (AttributeError, LookupError, TypeError, ValueError):
            there = _names(value)
            has = f"; it has {', '.join(there)}" if there else ""
            where = f"{path[:end]} is {type(value).__name__}" if end else f"the message is {type(value).__name__}"
            raise NoSuchPart(f"{step[0]} is not there: {where}{has}") from None
        end = step.end()
    return value


def _item(value: Any, text: str) -> Any:
    index = int(text) if re.fullmatch(r"-?\d+", text.strip()) else text.strip()
    if isinstance(value, Mapping) and index not in value:
        return value[text.strip()]
    return value[index]


def _names(value: Any) -> list[str]:
    if isinstance(value, Mapping):
        return [f"[{key}]" for key in list(value)[:_ITEMS]]
    return [name for name, _ in _parts(value) or ()]


def _parts(value: Any) -> list[tuple[str, Any]] | None:
    """Return the fields of an object that has such."""
    if is_dataclass(value) and not isinstance(value, type):
        return [(field.name, getattr(value, field.name, None)) for field in fields(value)]
    names = getattr(type(value), "__match_args__", ()) or getattr(value, "_fields", ())
    if names and all(isinstance(name, str) and hasattr(value, name) for name in names):
        return [(name, getattr(value, name)) for name in names]
    return None


def _array(array: "np.ndarray[Any, Any]") -> str:
    if array.size <= _ELEMENTS:
        return f"{array.dtype} {line(array.tolist())}" if array.ndim else f"{array.dtype} {line(array.item())}"
    shape = " x ".join(map(str, array.shape))
    told = "".join(f"  {name} {line(value)}" for name, value in _range(array).items())
    return f"{array.dtype} ({shape}){told}"


def _array_form(array: "np.ndarray[Any, Any]") -> dict[str, Any]:
    form: dict[str, Any] = {"dtype": str(array.dtype), "shape": list(array.shape)}
    if array.size <= _ELEMENTS:
        return {**form, "values": plain(array.tolist())}
    return {**form, **{name: plain(value) for name, value in _range(array).items()}}


def _range(array: "np.ndarray[Any, Any]") -> dict[str, Any]:
    """Return where the values of an array of numbers lie."""
    if array.dtype.kind not in "biuf":
        return {}
    numbers = array[np.isfinite(array)] if array.dtype.kind == "f" else array
    missing = {"not_finite": int(array.size - numbers.size)} if numbers.size < array.size else {}
    if not numbers.size:
        return missing
    low, high, mean = numbers.min(), numbers.max(), numbers.mean(dtype=float)
    return {"min": low.item(), "mean": float(mean), "max": high.item(), **missing}


def _more(count: int) -> str:
    return f", ... {count} in all" if count > _ITEMS else ""


def _cut(text: str) -> str:
    return text if len(text) <= _TEXT else f"{text[: _TEXT - 3]}..."
