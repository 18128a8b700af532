"""Arrays whose form comes again take a shorter way, at both ends; what arrives is the same."""

import mmap
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ezmsg.core.messages.codec import Codec
from ezmsg.core.transports.mapped_slots import MappedSlots
from ezmsg.core.transports.segments import Segment, SegmentForm
from ezmsg.core.transports.shared_memory import Slots

SLOTS = 4
FORMS = [
    lambda n: np.array([n, n + 1.0]),
    lambda n: np.array([n, n + 2], ">i4"),
    lambda n: np.full((2, 3), n),
    lambda n: np.asfortranarray(np.arange(6.0).reshape(2, 3) + n),
    lambda n: np.arange(12.0).reshape(3, 4)[:, ::2] + n,
    lambda n: (np.arange(12.0).reshape(3, 4) + n)[:, ::2],
    lambda n: np.array(n),
    lambda n: np.zeros((0, 3)),
    lambda n: np.array(["a", f"{n % 10}"]),
    lambda n: np.array([n], "M8[s]"),
    lambda n: np.full(5000, n, np.int16),
    lambda n: {"not": "an array", "n": n},
    lambda n: np.array([n, None]),
]


class Ends:
    """A publisher's slots and a reader's map of them."""

    def __init__(self) -> None:
        self.codec = Codec()
        self.slots = Slots(SLOTS, 512)
        self.mapped: dict[Segment, MappedSlots] = {}
        self.again = 0

    def send(self, token: int, value: Any, number: int) -> tuple[MappedSlots, int, int]:
        size = self.slots.write_again(token, value, number) if type(value) is np.ndarray else 0
        if size:
            self.again += 1
            segment = self.slots.segment
        else:
            payload = self.codec.encode(value)
            segment = self.slots.write(token, payload, number)
            size = payload.size
        assert segment is not None
        if segment not in self.mapped:
            read_only = mmap.mmap(segment.descriptor, segment.form.file_bytes, access=mmap.ACCESS_READ)
            self.mapped[segment] = MappedSlots(memoryview(read_only)[: segment.form.size], segment.form)
        return self.mapped[segment], token, size

    def read(self, mapped: MappedSlots, token: int, size: int) -> Any:
        return mapped.decode(token, mapped.memory_of(token, size), self.codec, {})


def alike(sent: Any, came: Any) -> bool:
    if type(sent) is not np.ndarray:
        return bool(sent == came)
    return type(came) is np.ndarray and sent.dtype == came.dtype and sent.shape == came.shape and bool(
        (sent == came).all()
    )  # fmt: skip


@given(st.lists(st.tuples(st.integers(0, len(FORMS) - 1), st.integers(0, SLOTS - 1), st.booleans()), max_size=30))
def test_what_is_read_is_what_was_sent(steps: list[tuple[int, int, bool]]) -> None:
    ends = Ends()
    held: dict[int, tuple[Any, Any]] = {}
    for number, (form, token, quiet) in enumerate(steps):
        if quiet:  # a period without messages, after which memory is given back
            ends.slots.end_period()
            ends.slots.end_period()
            held.clear()
            while ends.slots.give_back(1 << 20):
                pass
        value = FORMS[form](number)
        held[token] = value, ends.read(*ends.send(token, value, number))
        for sent, came in held.values():
            assert alike(sent, came)


def test_a_form_that_comes_again_takes_the_short_way() -> None:
    ends = Ends()
    for number in range(40):
        value = np.array([number, -number])
        came = ends.read(*ends.send(number % SLOTS, value, number))
        assert came.tolist() == value.tolist()
        assert not came.flags.writeable
    assert ends.again == 40 - SLOTS - 1  # once in each slot, and once to see that it comes again
    assert came.base is not None


def test_every_view_is_an_object_of_its_own() -> None:
    ends = Ends()
    sent = [ends.send(0, np.array([[1.0, 2.0], [3.0, 4.0]]), number) for number in range(5)]
    views = [ends.read(*each) for each in sent]
    assert len({id(view) for view in views}) == len(views)
    assert all(view.base is views[-1].base for view in views[3:])  # and yet they lie in the same


def test_what_was_interrupted_half_way_leaves_no_slot_that_lies() -> None:
    ends = Ends()
    for number in range(3):
        ends.send(0, np.array([1.0, 2.0]), number)
    payload = ends.codec.encode(["something", "else"])

    class Interrupted:
        size, form = payload.size, None

        def write(self, memory: memoryview, offset: int) -> None:
            payload.write(memory, offset)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ends.slots.write(0, Interrupted(), 3)
    assert ends.read(*ends.send(0, np.array([3.0, 4.0]), 4)).tolist() == [3.0, 4.0]


@pytest.mark.parametrize("dimensions", [16, 17, 32, 64])
def test_arrays_of_many_dimensions(dimensions: int) -> None:
    try:
        value = np.arange(2.0).reshape((2, *[1] * (dimensions - 1)))
    except ValueError:
        pytest.skip("this NumPy has fewer")
    ends = Ends()
    for number in range(3):
        assert alike(value, ends.read(*ends.send(0, value, number)))


def test_sizes_that_take_turns_cost_no_list_of_all_slots() -> None:
    mapped = MappedSlots(memoryview(mmap.mmap(-1, SLOTS * 4096)), SegmentForm(SLOTS, 4096))
    for _ in range(3):
        for size in (64, 128):
            assert len(mapped.memory_of(1, size)) == size
    assert mapped._views == []
    mapped.memory_of(1, 128)
    assert mapped.memory_of(1, 128) is mapped.memory_of(1, 128)


@pytest.mark.parametrize(("slot", "size"), [(SLOTS, 64), (2**32 - 1, 64), (0, 4097), (0, 2**64 - 1)])
def test_nothing_outside_the_segment_is_read(slot: int, size: int) -> None:
    mapped = MappedSlots(memoryview(mmap.mmap(-1, SLOTS * 4096)), SegmentForm(SLOTS, 4096))
    mapped.memory_of(SLOTS - 1, 4096)
    with pytest.raises(ValueError, match="slot"):
        mapped.memory_of(slot, size)
