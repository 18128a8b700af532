"""The ring of samples against a plain list: what is read was written last, and the rest is counted as lost."""

import numpy as np

from ezmsg.core.profiling.ring import Ring, Rows


def target(data: bytes) -> None:
    """Write and read as the input says: its first byte is the capacity, each other one so many rows in or out."""
    if not data:
        return
    ring, waiting, lost, written = Ring(1 + data[0]), [], 0, 0
    for order in data[1:200]:
        count = order >> 1
        if order & 1:
            numbers = np.arange(written, written + count)
            ring.write(Rows(numbers, numbers, numbers, numbers.astype(np.uint16)))
            waiting += numbers.tolist()
            written += count
            lost += max(0, len(waiting) - ring.capacity)
            waiting = waiting[-ring.capacity :]
        else:
            assert (ring.waiting, ring.lost) == (len(waiting), lost)
            rows, missed = ring.read(count)
            assert (rows.message.tolist(), missed) == (waiting[:count], lost)
            waiting, lost = waiting[count:], 0
