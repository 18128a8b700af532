"""Any message in one line, as JSON, and parts of it by a path."""

import json
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from ezmsg.core.commands.messages.showing import NoSuchPart, line, part_of, plain


@dataclass
class Axis:
    gain: float = 0.5


@dataclass
class Signal:
    data: Any = field(default_factory=lambda: np.arange(100.0).reshape(10, 10))
    axes: dict[str, Axis] = field(default_factory=lambda: {"time": Axis()})


class Pair(NamedTuple):
    left: int
    right: int


@pytest.mark.parametrize(
    ("message", "said"),
    [
        (None, "None"),
        (1.25, "1.25"),
        (np.float32(1.5), "1.5"),
        ("a\nb", r"'a\nb'"),
        (b"\x01\x02", "2 bytes 0102"),
        (np.array([1, 2], "int16"), "int16 [1, 2]"),
        (np.array(3), "int64 3"),
        (np.zeros((2, 50)), "float64 (2 x 50)  min 0  mean 0  max 0"),
        (np.array([1.0, np.nan] * 10), "float64 (20)  min 1  mean 1  max 1  not_finite 10"),
        (Signal(), "Signal(data=float64 (10 x 10)  min 0  mean 49.5  max 99, axes={'time': Axis(gain=0.5)})"),
        (Pair(1, 2), "Pair(left=1, right=2)"),
        (list(range(9)), "[0, 1, 2, 3, 4, 5, ... 9 in all]"),
        ([[[["deep"]]]], "[[[list(...)]]]"),
    ],
)
def test_a_line(message: Any, said: str) -> None:
    assert line(message) == said


def test_json_of_a_message_with_arrays() -> None:
    form = plain(Signal())
    assert form["data"] == {"dtype": "float64", "shape": [10, 10], "min": 0.0, "mean": 49.5, "max": 99.0}
    assert form["axes"] == {"time": {"gain": 0.5}}


@pytest.mark.parametrize(
    ("path", "value"),
    [("", None), ("axes[time].gain", 0.5), ("data[3][4]", 34.0), ("data.shape[0]", 10), ("data[-1][-1]", 99.0)],
)
def test_a_part(path: str, value: Any) -> None:
    message = Signal()
    assert part_of(message, path) == (value if path else message)


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("dta", "dta is not there: the message is Signal; it has data, axes"),
        ("axes[tme]", r"\[tme\] is not there: axes is dict; it has \[time\]"),
        ("data[11]", "data is ndarray"),
        ("data[x]", "data is ndarray"),
        ("..", "is no path"),
    ],
)
def test_a_part_that_is_not_there(path: str, said: str) -> None:
    with pytest.raises(NoSuchPart, match=said):
        part_of(Signal(), path)


MESSAGES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.binary()
    | st.builds(object)
    | arrays(st.sampled_from(["f4", "i2", "?", "U3", "c8"]), array_shapes(min_dims=0, min_side=0)),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.integers(), inner) | st.tuples(inner, inner),
    max_leaves=12,
)


@given(MESSAGES)
def test_whatever_comes_is_one_line_and_json(message: Any) -> None:
    assert "\n" not in line(message)
    json.dumps(plain(message), allow_nan=False)
