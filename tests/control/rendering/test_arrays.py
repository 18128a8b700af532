"""Arrays as a command line has them: what is shown can be written again, and is the array that it was."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from ezmsg.control.rendering.arrays import array_of, array_text, dtype_of
from ezmsg.protocol.wire.plain import PlainArray

DTYPES = st.sampled_from(["<f8", "<f4", ">f8", "<i4", ">i2", "|u1", "|b1", "<i8"])
SHAPES = arrays.array_shapes(min_dims=0, max_dims=3, min_side=1, max_side=4)


def plain(array: np.ndarray) -> PlainArray:
    return PlainArray(array.dtype.str, array.shape, array.tobytes())


@given(DTYPES.flatmap(lambda dtype: arrays.arrays(dtype, SHAPES)))
def test_a_text_is_the_array_again(array: np.ndarray) -> None:
    text = array_text(plain(array))
    read = json.loads(text.replace("nan", "NaN").replace("inf", "Infinity"))
    again = array_of(read, array.dtype.str)
    assert again is not None
    assert (again.dtype, again.shape) == (array.dtype.str, array.shape)
    np.testing.assert_array_equal(np.frombuffer(again.data, again.dtype).reshape(again.shape), array)


def test_what_is_large_or_no_numbers_is_told_by_what_it_is() -> None:
    assert array_text(plain(np.zeros((100, 3)))) == "(100 x 3 numbers, <f8)"
    assert array_text(plain(np.zeros(2, complex))) == "(2 complex numbers, <c16)"
    assert array_text(PlainArray("<f8", (2,), b"short")) == "(2 numbers, <f8)"
    assert array_text(plain(np.array([[1, 2], [3, 4]]))) == "[[1, 2], [3, 4]]"
    assert array_text(plain(np.zeros(0))) == "[]"


@pytest.mark.parametrize("value", [[[1, 2], [3]], [[1], 2], ["a"], [None], [1.5], [True, 2], [2**70], 3.5, {}])
def test_what_does_not_fit_is_none(value: object) -> None:
    assert array_of(value, "<i4") is None


def test_the_smallest_type_that_loses_nothing() -> None:
    assert dtype_of([[1, 2]]) == "<i8"
    assert dtype_of([1, 2.5]) == "<f8"
    assert dtype_of([True, False]) == "|b1"
    assert dtype_of([]) == "<f8"
