"""NumPy's arrays and scalars as plain values; apart, because the protocol itself does without NumPy."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis.extra import numpy as npst

from ezmsg.protocol.wire.plain import PlainArray, foreign_part, pack, to_plain, unpack


def there_and_back(value: object) -> Any:
    return unpack(pack(to_plain(value)))


DTYPES = npst.boolean_dtypes() | npst.integer_dtypes() | npst.floating_dtypes() | npst.complex_number_dtypes()


@given(npst.arrays(DTYPES, npst.array_shapes(min_dims=0, min_side=0, max_side=4)))
def test_arrays_come_back_as_dtype_shape_and_elements(array: np.ndarray[Any, Any]) -> None:
    plain = there_and_back({"taps": (array,)})["taps"][0]
    assert isinstance(plain, PlainArray)
    again = np.frombuffer(plain.data, plain.dtype).reshape(plain.shape)
    assert again.dtype == array.dtype
    np.testing.assert_array_equal(again, array)


def test_arrays_of_any_layout_come_back_in_c_order() -> None:
    array = np.arange(24.0).reshape(2, 3, 4)
    for view in (array.T, array[:, ::-1, ::2], np.asfortranarray(array), array.astype(">f8")):
        plain = there_and_back(view)
        np.testing.assert_array_equal(np.frombuffer(plain.data, plain.dtype).reshape(plain.shape), view)


def test_an_array_of_objects_travels_as_its_repr() -> None:
    array = np.array([object], dtype=object)
    assert there_and_back(array) == repr(array)
    assert foreign_part([array]) == ("[0]", array)


def test_arrays_and_scalars_are_not_foreign() -> None:
    assert foreign_part([np.zeros(3), np.float32(1), np.int64(1), np.str_("a"), np.True_]) is None


@pytest.mark.parametrize(
    ("scalar", "plain"),
    [
        (np.float64(1.5), 1.5),
        (np.float32(0.5), 0.5),
        (np.int16(-3), -3),
        (np.uint64(2**63), 2**63),
        (np.bool_(True), True),
        (np.str_("text"), "text"),
        (np.bytes_(b"bytes"), b"bytes"),
    ],
)
def test_array_scalars_travel_as_the_number_they_are(scalar: object, plain: object) -> None:
    (key, [item]), *_ = there_and_back({scalar: [scalar]}).items()
    assert key == item == plain
    assert type(key) is type(item) is type(plain)
