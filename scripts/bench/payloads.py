"""What is sent, in the interpreters under test: arrays, dataclasses of arrays, and AxisArray where there is one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


@dataclass
class Recording:
    """A dataclass of arrays, as programs have them."""

    data: Array
    times: Array
    marks: Array
    number: int = 0
    name: str = "bench"


def array(size: int) -> Array:
    return np.arange(size, dtype=np.uint8)


def dataclass_of_arrays(size: int) -> Recording:
    """Return one whose arrays have so many bytes together: six eighths of them data."""
    eighth = size // 8
    return Recording(
        np.arange(eighth * 6 // 4, dtype=np.float32),
        np.arange(eighth // 8, dtype=np.float64),
        np.arange(eighth // 8, dtype=np.int64),
    )


def axis_array(size: int) -> Any:
    """Return 30 channels of float32, with a time axis and the names of the channels."""
    from ezmsg.util.messages.axisarray import AxisArray

    data = np.arange(size // 4, dtype=np.float32).reshape(-1, 30)
    names = np.array([f"channel-{number}" for number in range(30)])
    axes = {
        "time": AxisArray.TimeAxis(fs=1000.0, offset=0.5),
        "ch": AxisArray.CoordinateAxis(data=names, dims=["ch"]),
    }
    return AxisArray(data, dims=["time", "ch"], axes=axes, key="bench")


KINDS: dict[str, Callable[[int], Any]] = {
    "array": array,
    "dataclass": dataclass_of_arrays,
    "axisarray": axis_array,
}


def payload_of(parameters: dict[str, Any]) -> Any:
    return KINDS[parameters.get("payload", "array")](parameters["size"])


def same(sent: Any, received: Any) -> bool:
    """Whether the data of one message is that of another."""
    return bool(np.array_equal(getattr(sent, "data", sent), getattr(received, "data", received)))
