"""Samples in a ring: whatever the writer and the reader do, each is read once, in order, or counted as lost."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ezmsg.core.profiling.ring import Ring, Rows


def rows(first: int, count: int) -> Rows:
    numbers = np.arange(first, first + count, dtype=np.int64)
    return Rows(numbers, 10 * numbers, numbers + 5, (numbers % 60_000).astype(np.uint16))


@given(
    capacity=st.integers(1, 9),
    steps=st.lists(st.tuples(st.booleans(), st.integers(0, 30)), max_size=30),
)
def test_what_is_read_and_what_is_lost_is_what_was_written(capacity: int, steps: list[tuple[bool, int]]) -> None:
    ring = Ring(capacity)
    written, told = 0, 0
    for is_write, count in steps:
        if is_write:
            ring.write(rows(written, count))
            written += count
        else:
            lost_before, waiting = ring.lost, ring.waiting
            taken, lost = ring.read(count)
            assert lost == lost_before == max(0, written - told - capacity)
            assert taken.number == min(count, waiting)
            told += lost
            for column, expected in zip(taken, rows(told, taken.number), strict=True):
                assert column.tolist() == expected.tolist()
            told += taken.number
    taken, lost = ring.read(capacity)
    assert told + taken.number + lost == written
    assert ring.waiting == ring.lost == 0


@pytest.mark.parametrize("count", [1, 3, 4, 11])
def test_a_ring_keeps_the_newest(count: int) -> None:
    ring = Ring(3)
    ring.write(rows(0, count))
    taken, lost = ring.read(100)
    assert (lost, taken.message.tolist()) == (max(0, count - 3), [n + 5 for n in range(count)][-3:])
