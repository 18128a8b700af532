"""Samples as columns in memory of a fixed size: new ones take the place of the oldest, and those are counted."""

from typing import Any, NamedTuple

import numpy as np

Column = np.ndarray[Any, np.dtype[Any]]


class Rows(NamedTuple):
    """Samples, one in each row: when it ended, how long it was, of which message, and the code of all the rest."""

    time_ns: Column
    value_ns: Column
    message: Column
    code: Column

    @property
    def number(self) -> int:
        """How many there are."""
        return len(self.time_ns)


class Ring:
    """``capacity`` rows. One writer, one reader, never at the same time."""

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.written = 0
        self._read = 0
        time_ns, value_ns, message = (np.empty(capacity, np.int64) for _ in range(3))
        self._columns = Rows(time_ns, value_ns, message, np.empty(capacity, np.uint16))

    @property
    def waiting(self) -> int:
        """How many rows can be read."""
        return min(self.written - self._read, self.capacity)

    @property
    def lost(self) -> int:
        """How many rows were overwritten before they were read, since the last time that rows were read."""
        return max(0, self.written - self._read - self.capacity)

    def write(self, rows: Rows) -> None:
        """Append rows."""
        count = rows.number
        kept = min(count, self.capacity)
        start = (self.written + count - kept) % self.capacity
        until_end = min(kept, self.capacity - start)
        for column, new in zip(self._columns, rows, strict=True):
            column[start : start + until_end] = new[count - kept : count - kept + until_end]
            column[: kept - until_end] = new[count - kept + until_end :]
        self.written += count

    def read(self, limit: int) -> tuple[Rows, int]:
        """Take the oldest rows, at most so many; return them, and how many before them were lost."""
        lost = self.lost
        oldest = self._read + lost
        count = min(limit, self.written - oldest)
        places = np.arange(oldest, oldest + count) % self.capacity
        self._read = oldest + count
        return Rows(*(column[places] for column in self._columns)), lost
