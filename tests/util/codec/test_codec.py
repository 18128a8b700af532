"""Messages as JSON come back as they were, whatever they are; logs say which line is none."""

import dataclasses
import json
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.util.messages.axisarray.arrays import arrays

from ezmsg.util import errors
from ezmsg.util.codec.log import log_object
from ezmsg.util.messagecodec import (
    LogStart,
    MessageDecoder,
    MessageEncoder,
    StampedMessage,
    import_type,
    message_log,
    type_str,
)
from ezmsg.util.messages.axisarray import AxisArray


@dataclass
class Outer:
    value: Any
    worked_out: int = field(init=False, default=0)

    @dataclass(frozen=True)
    class Inner:
        x: Any = None

    def __post_init__(self) -> None:
        self.worked_out = 1


def again(value: Any) -> Any:
    return json.loads(json.dumps(value, cls=MessageEncoder), cls=MessageDecoder)


PLAIN = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
NUMBERS = st.complex_numbers(allow_nan=False) | st.frozensets(st.integers())
PICKLED = NUMBERS | st.binary() | st.builds(Path, st.just("/x"))
VALUES = st.recursive(
    PLAIN | PICKLED,
    lambda inner: (
        st.lists(inner)
        | st.dictionaries(st.text().filter(lambda name: name != "_type"), inner)
        | st.builds(Outer, inner)
        | st.builds(Outer.Inner, inner)
    ),
    max_leaves=8,
)


@given(VALUES)
def test_values_come_back(value: Any) -> None:
    assert again(value) == value


@given(arrays(min_length=0))
def test_arrays_come_back(array: AxisArray) -> None:
    copy = again({"it": [array]})["it"][0]
    assert copy == array
    assert (copy.data.dtype, copy.stream_dim) == (array.data.dtype, array.stream_dim)
    assert copy.data.flags.writeable


@pytest.mark.parametrize(
    "array",
    [
        np.array(5),
        np.zeros((0, 3), "f4"),
        np.array([1, "a", None], dtype=object),
        np.zeros(2, dtype=[("x", "f4"), ("labels", "U3", (2,)), ("in", [("y", ">i2")])]),
        np.arange(6).reshape(2, 3).T,
        np.float32(2.5),
        np.bool_(True),
    ],
    ids=repr,
)
def test_every_kind_of_array_comes_back(array: Any) -> None:
    copy = again(array)
    assert type(copy) is type(array)
    assert copy.dtype == array.dtype
    np.testing.assert_array_equal(copy, array)


def test_a_mask_stays() -> None:
    copy = again(np.ma.masked_array([1, 2], [True, False]))
    assert copy.mask.tolist() == [True, False]


def test_what_json_says_of_an_array() -> None:
    assert json.loads(json.dumps(np.arange(2, dtype="u1"), cls=MessageEncoder)) == {
        "_type": "_ndarray",
        "dtype": "uint8",
        "data": "AAE=",
        "shape": [2],
    }
    assert json.loads(json.dumps(LogStart(), cls=MessageEncoder)) == {"_type": "ezmsg.util.messagecodec:LogStart"}
    array = json.loads(json.dumps(AxisArray(np.zeros(0), ["a"]), cls=MessageEncoder))
    assert array["_type"] == "ezmsg.util.messages.axisarray:AxisArray"
    assert list(array)[:2] == ["data", "dims"]


def test_what_has_no_form_says_which() -> None:
    with pytest.raises(errors.UnloggableMessage, match="EZ-7103  A message with function in it"):
        log_object([lambda: None])
    assert math.isnan(again(math.nan))


def test_classes_by_name() -> None:
    assert import_type(type_str(Outer.Inner())) is Outer.Inner
    for name in ("", "json", "json:", "json:dumps", "json:Nothing", "nowhere.at.all:X", "a:b:c"):
        with pytest.raises(errors.UnknownType, match="EZ-7101"):
            import_type(name)
    with pytest.raises(errors.UnknownType, match="nowhere"):
        json.loads('{"_type": "nowhere:X"}', cls=MessageDecoder)
    assert StampedMessage(1, 2.0)._fields == ("msg", "timestamp")
    assert dataclasses.fields(LogStart) == ()


@pytest.mark.parametrize(
    ("line", "reason"),
    [("no JSON", "no JSON"), ("3", "has no 'ts'"), ('{"obj": 1}', "has no 'ts'"), ('{"ts": 1, "o', "no JSON")],
)
def test_a_log_says_which_line_is_none(tmp_path: Path, line: str, reason: str) -> None:
    path = tmp_path / "log.txt"
    path.write_text("\n".join([log_object(LogStart()), log_object(1), "", log_object({"a": 2}), line]))
    messages = message_log(path)
    assert [next(messages), next(messages)] == [1, {"a": 2}]
    with pytest.raises(errors.InvalidLine, match=rf"Line 5 of .*log.txt is no logged message: it (is )?{reason}"):
        next(messages)
