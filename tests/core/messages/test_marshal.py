"""Messages in memory of one's own: what comes out is what went in, as a view, and nothing is written halfway."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as nps

from ezmsg.core.errors import UndersizedMemory, UninitializedMemory
from ezmsg.core.messages.marshal import Marshal


@dataclass
class Chunk:
    data: Any
    key: str = ""


def slot(size: int = 1 << 14) -> memoryview:
    return memoryview(bytearray(size))


@given(st.integers(0, 2**64 - 1), nps.arrays(nps.scalar_dtypes(), nps.array_shapes(max_side=5)))
def test_an_array_comes_out_as_it_went_in(number, array):
    memory = slot()
    Marshal.to_mem(number, array, memory)
    assert Marshal.msg_id(memory) == number
    with Marshal.obj_from_mem(memory) as message:
        assert message.dtype == array.dtype
        np.testing.assert_array_equal(message, array)


@given(st.recursive(st.none() | st.integers() | st.text() | st.binary(), st.lists, max_leaves=5))
def test_any_object_comes_out_as_it_went_in(value):
    memory = slot()
    Marshal.to_mem(1, value, memory)
    with Marshal.obj_from_mem(memory) as message:
        assert message == value


@pytest.mark.parametrize("wrap", [lambda array: array, Chunk])
def test_arrays_are_read_only_views_which_the_next_message_changes(wrap):
    memory = slot()
    Marshal.to_mem(0, wrap(np.zeros(100)), memory)
    with Marshal.obj_from_mem(memory) as message:
        kept = getattr(message, "data", message) if isinstance(message, Chunk) else message
    assert not kept.flags.writeable
    Marshal.to_mem(1, wrap(np.ones(100)), memory)
    np.testing.assert_array_equal(kept, np.ones(100))


def test_what_does_not_fit_says_how_much_it_needs_and_writes_nothing():
    memory = slot(128)
    with pytest.raises(UndersizedMemory, match=r"EZ-5009 .* bytes and was given 128\.") as caught:
        Marshal.to_mem(0, np.ones(100), memory)
    assert memory == bytes(128)
    enough = slot(caught.value.req_size)
    Marshal.to_mem(0, np.ones(100), enough)
    with pytest.raises(UndersizedMemory):
        Marshal.to_mem(0, np.ones(100), slot(caught.value.req_size - 1))
    with pytest.raises(UndersizedMemory):
        Marshal.copy_obj(enough, memory)
    assert memory == bytes(128)


def test_a_message_is_copied_to_other_memory():
    memory, other = slot(), slot()
    Marshal.to_mem(7, {"a": np.arange(4)}, memory)
    Marshal.copy_obj(memory, other)
    memory[:] = bytes(len(memory))
    assert Marshal.msg_id(other) == 7
    with Marshal.obj_from_mem(other) as message:
        np.testing.assert_array_equal(message["a"], np.arange(4))


@pytest.mark.parametrize("memory", [slot(), slot(3), memoryview(b""), memoryview(b"x" * 200)])
def test_memory_without_a_message_is_refused(memory):
    with pytest.raises(UninitializedMemory, match="EZ-5010"):
        Marshal.msg_id(memory)
    with pytest.raises(UninitializedMemory), Marshal.obj_from_mem(memory):
        pass
    with pytest.raises(UninitializedMemory):
        Marshal.copy_obj(memory, slot())


def test_half_a_message_is_refused():
    memory = slot(1 << 10)
    Marshal.to_mem(0, np.ones(50), memory)
    with pytest.raises(UninitializedMemory), Marshal.obj_from_mem(memory[:200]):
        pass
