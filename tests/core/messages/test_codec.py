"""What goes in comes out: values, types, shapes, memory order; as a view that nobody can write, or as one's own."""

import collections
import contextlib
import pickle
import struct
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from ezmsg.core.errors import InvalidOption, PickleForbidden, UnknownEncoding
from ezmsg.core.messages.codec import Codec
from ezmsg.core.messages.payload import ALIGNMENT, prefix

OFFSET = 3 * ALIGNMENT
GUARD = 0xA5


def laid_out(payload: Any) -> memoryview:
    """A payload's bytes, from the middle of memory that must not change round it."""
    memory = np.full(OFFSET + payload.size + 64, GUARD, np.uint8)
    payload.write(memoryview(memory).cast("B"), OFFSET)
    assert (memory[:OFFSET] == GUARD).all()
    assert (memory[OFFSET + payload.size :] == GUARD).all()
    return memoryview(memory[OFFSET : OFFSET + payload.size].tobytes()).toreadonly()


def there_and_back(value: Any, *, copy: bool, codec: Codec | None = None) -> Any:
    codec = codec or Codec()
    return codec.decode(laid_out(codec.encode(value)), copy=copy)


def assert_same_array(ours: Any, theirs: Any) -> None:
    assert type(ours) is type(theirs)
    assert ours.dtype == theirs.dtype
    assert ours.dtype.str == theirs.dtype.str
    assert ours.shape == theirs.shape
    np.testing.assert_array_equal(ours, theirs)


DTYPES = st.one_of(
    hnp.boolean_dtypes(),
    hnp.integer_dtypes(endianness="?"),
    hnp.unsigned_integer_dtypes(endianness="?"),
    hnp.floating_dtypes(endianness="?"),
    hnp.complex_number_dtypes(endianness="?"),
    hnp.datetime64_dtypes(endianness="?"),
    hnp.timedelta64_dtypes(endianness="?"),
    hnp.byte_string_dtypes(),
    hnp.unicode_string_dtypes(endianness="?"),
)
SHAPES = hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=5)


@st.composite
def arrays(draw: st.DrawFn) -> np.ndarray[Any, Any]:
    """Arrays of any plain dtype, in any memory order, also with strange strides."""
    array = draw(hnp.arrays(draw(DTYPES), draw(SHAPES)))
    match draw(st.sampled_from(["C", "F", "transposed", "strided", "reversed", "broadcast", "read-only"])):
        case "F":
            array = np.asfortranarray(array) if array.ndim else array
        case "transposed":
            array = array.transpose(draw(st.permutations(range(array.ndim))))
        case "strided" if array.ndim:
            array = array[..., ::2]
        case "reversed" if array.ndim:
            array = array[::-1]
        case "broadcast":
            array = np.broadcast_to(array, (3, *array.shape))
        case "read-only":
            array.flags.writeable = False
    return array


@given(arrays())
def test_arrays_come_back_as_they_were(array: np.ndarray[Any, Any]) -> None:
    view, copy = there_and_back(array, copy=False), there_and_back(array, copy=True)
    for result in view, copy:
        assert_same_array(result, array)
        if array.flags.f_contiguous and not array.flags.c_contiguous:
            assert result.flags.f_contiguous
            assert not result.flags.c_contiguous
        else:
            assert result.flags.c_contiguous
    assert not view.flags.writeable
    assert copy.flags.writeable
    assert copy.flags.owndata


@given(hnp.arrays(hnp.array_dtypes(allow_subarrays=True), SHAPES))
def test_structured_arrays_come_back_too(array: np.ndarray[Any, Any]) -> None:
    for copy in True, False:
        result = there_and_back(array, copy=copy)
        assert result.dtype == array.dtype
        assert result.tobytes() == array.tobytes()
        assert result.shape == array.shape


@given(st.lists(arrays(), min_size=2, max_size=8))
def test_one_codec_keeps_the_forms_of_arrays_apart(many: list[np.ndarray[Any, Any]]) -> None:
    codec = Codec()
    for array in many + many:
        assert_same_array(there_and_back(array, copy=True, codec=codec), array)


def test_more_forms_than_are_remembered() -> None:
    codec = Codec()
    for length in [*range(1100), *range(1100)]:
        array = np.zeros(length, np.uint8)
        assert there_and_back(array, copy=False, codec=codec).shape == (length,)


@pytest.mark.parametrize(
    "dtype", ["O", "V5", "U0", "S0", np.longdouble, np.clongdouble, np.float16, "m8", "M8[us]"]
)
def test_rare_dtypes(dtype: Any) -> None:
    array = np.zeros((2, 3), dtype)
    for copy in True, False:
        assert_same_array(there_and_back(array, copy=copy), array)


def test_metadata_of_a_dtype_is_kept() -> None:
    array = np.zeros(3, np.dtype("f8", metadata={"unit": "uV"}))
    result = there_and_back(array, copy=True)
    assert result.dtype.metadata == {"unit": "uV"}


class Signal(np.ndarray):
    """An array with something more."""

    rate_hz: float = 0.0

    def __array_finalize__(self, of: Any) -> None:
        self.rate_hz = getattr(of, "rate_hz", 0.0)

    def __reduce__(self) -> Any:
        constructor, arguments, state = super().__reduce__()
        return constructor, arguments, (state, self.rate_hz)

    def __setstate__(self, state: Any) -> None:
        super().__setstate__(state[0])
        self.rate_hz = state[1]


def test_a_subclass_of_array_is_not_cut_down_to_an_array() -> None:
    signal = np.arange(5).view(Signal)
    signal.rate_hz = 500.0
    result = there_and_back(signal, copy=True)
    assert type(result) is Signal
    assert result.rate_hz == 500.0
    np.testing.assert_array_equal(result, np.arange(5))
    masked = np.ma.array([1, 2, 3], mask=[0, 1, 0])
    assert there_and_back(masked, copy=False).mask.tolist() == [False, True, False]


@given(st.binary(max_size=300))
def test_bytes(value: bytes) -> None:
    for copy in True, False:
        result = there_and_back(value, copy=copy)
        assert type(result) is bytes
        assert result == value


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary(),
    lambda inside: (
        st.lists(inside, max_size=4) | st.dictionaries(st.text(), inside, max_size=4) | st.tuples(inside)
    ),
    max_leaves=10,
)


@given(PLAIN)
def test_everything_else_is_pickled(value: Any) -> None:
    for copy in True, False:
        result = there_and_back(value, copy=copy)
        assert result == value
        assert type(result) is type(value)


@given(st.lists(arrays(), max_size=4), st.booleans())
def test_buffers_of_what_is_pickled_stay_out_of_the_pickle(many: list[np.ndarray[Any, Any]], copy: bool) -> None:
    result = there_and_back({"arrays": many, "more": bytearray(b"x")}, copy=copy)
    assert result["more"] == bytearray(b"x")
    # Of times in a foreign order the bytes are turned, as numpy's pickle does; all else arrives as it was sent.
    expected = [pickle.loads(pickle.dumps(each, protocol=5)) if each.dtype.kind in "mM" else each for each in many]
    for ours, theirs in zip(result["arrays"], expected, strict=True):
        assert_same_array(ours, theirs)
        assert ours.ctypes.data % ours.dtype.alignment == 0 or ours.size == 0


def test_views_inside_a_pickle_cannot_be_written_and_copies_can() -> None:
    value = [np.arange(1000), np.zeros((10, 10), order="F")]
    for array in there_and_back(value, copy=False):
        assert not array.flags.writeable
    for array in there_and_back(value, copy=True):
        array[...] = 7


def test_a_pickle_of_much_stays_small() -> None:
    description_and_pickle = Codec().encode([np.zeros(10_000)]).size - 80_000
    assert description_and_pickle < 1000


def test_memory_is_aligned_for_every_buffer() -> None:
    parts = [b"1", b"", b"x" * 64, b"y" * 65]
    codec = Codec()
    seen: list[memoryview] = []
    codec.register("parts", collections.deque, list, lambda views: seen.extend(views) or 1)
    memory = laid_out(codec.encode(collections.deque(parts)))
    assert codec.decode(memory) == 1
    assert [bytes(view) for view in seen] == parts
    base = np.frombuffer(memory, np.uint8).ctypes.data
    for view in seen:
        if view.nbytes:
            assert (np.frombuffer(view, np.uint8).ctypes.data - base) % ALIGNMENT == 0


# --- encodings of an application ----------------------------------------------------------------------------------


class Sample:
    def __init__(self, values: Any) -> None:
        self.values = values


def registered(codec: Codec, name: str = "sample") -> Codec:
    codec.register(
        name, Sample, lambda sample: [memoryview(sample.values)], lambda views: np.frombuffer(views[0], "f8")
    )
    return codec


@given(hnp.arrays("f8", hnp.array_shapes(min_dims=1, min_side=0)))
def test_a_registered_encoding_is_used_for_its_class(values: np.ndarray[Any, Any]) -> None:
    codec = registered(Codec(allow_pickle=False))
    for copy in True, False:
        result = there_and_back(Sample(values), copy=copy, codec=codec)
        assert result.tobytes() == values.tobytes()
        assert result.flags.writeable == copy or not result.size


class FinerSample(Sample):
    pass


def test_a_registered_encoding_is_not_used_for_a_subclass() -> None:
    with pytest.raises(PickleForbidden, match="FinerSample"):
        registered(Codec(allow_pickle=False)).encode(FinerSample(np.zeros(1)))


def test_an_encoding_that_only_the_sender_knows() -> None:
    memory = laid_out(registered(Codec()).encode(Sample(np.zeros(3))))
    with pytest.raises(UnknownEncoding, match="sample"):
        Codec().decode(memory)


@pytest.mark.parametrize("name", ["", "x" * 256, "\N{SNOWMAN}" * 86])
def test_names_that_do_not_fit(name: str) -> None:
    with pytest.raises(InvalidOption, match="name"):
        registered(Codec(), name)


@pytest.mark.parametrize("name", ["x", "x" * 255, "\N{SNOWMAN}" * 85])
def test_names_that_do(name: str) -> None:
    result = there_and_back(Sample(np.arange(3.0)), copy=False, codec=registered(Codec(), name))
    assert result.tolist() == [0, 1, 2]


# --- no pickle --------------------------------------------------------------------------------------------------


class Harm:
    done = False

    def __reduce__(self) -> Any:
        return setattr, (Harm, "done", True)


def test_forbidden_pickle_is_neither_made_nor_read() -> None:
    memory = laid_out(Codec().encode(Harm()))
    strict = Codec(allow_pickle=False)
    for copy in True, False:
        with pytest.raises(PickleForbidden):
            strict.decode(memory, copy=copy)
    assert not Harm.done
    for value in [1], np.zeros(2, "O"), np.zeros(2, "i4,f8"), np.arange(3).view(Signal):
        with pytest.raises(PickleForbidden):
            strict.encode(value)
    for value in np.arange(3), b"bytes":
        np.testing.assert_array_equal(there_and_back(value, copy=True, codec=strict), value)


@pytest.mark.parametrize("dtype", [b"|O", b"O", b"O8", b"O,i4", b"i4,i4"])
def test_no_array_of_objects_is_made_of_bytes(dtype: bytes) -> None:
    """Its elements would be addresses that the sender chose."""
    description = b"aC" + bytes([len(dtype)]) + dtype + struct.pack("<Q", 1)
    memory = memoryview(prefix(description) + b"\1" * 64)
    for copy in True, False:
        with pytest.raises(UnknownEncoding):
            Codec(allow_pickle=False).decode(memory, copy=copy)


@given(st.binary(max_size=200))
def test_nonsense_raises_and_nothing_worse(description: bytes) -> None:
    codec = Codec(allow_pickle=False)
    for copy in True, False:
        with contextlib.suppress(Exception):  # whatever it is, the process lives
            codec.decode(memoryview(prefix(description) + bytes(64)), copy=copy)
