"""Arrays as a command line has them: what is shown can be written again, and is the array that it was."""

import json

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from ezmsg.control.rendering.arrays import array_text
from ezmsg.protocol.wire.plain import PlainArray

DTYPES = st.sampled_from(["<f8", "<f4", ">f8", "<i4", ">i2", "|u1", "|b1", "<i8"])
SHAPES = arrays.array_shapes(min_dims=0, max_dims=3, min_side=1, max_side=4)


def plain(array: np.ndarray) -> PlainArray:
    return PlainArray(array.dtype.str, array.shape, array.tobytes())


@given(DTYPES.flatmap(lambda dtype: arrays.arrays(dtype, SHAPES)))
def test_a_text_is_the_array_again(array: np.ndarray) -> None:
    text = array_text(plain(array))
    read = json.loads(text.replace("nan", "NaN").replace("inf", "Infinity"))
    np.testing.assert_array_equal(np.array(read, array.dtype).reshape(array.shape), array)


def test_what_is_large_or_no_numbers_is_told_by_what_it_is() -> None:
    assert array_text(plain(np.zeros((100, 3)))) == "(100 x 3 numbers, <f8)"
    assert array_text(plain(np.zeros(2, complex))) == "(2 complex numbers, <c16)"
    assert array_text(PlainArray("<f8", (2,), b"short")) == "(2 numbers, <f8)"
    assert array_text(plain(np.array([[1, 2], [3, 4]]))) == "[[1, 2], [3, 4]]"
    assert array_text(plain(np.zeros(0))) == "[]"
