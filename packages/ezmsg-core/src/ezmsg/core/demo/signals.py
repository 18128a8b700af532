"""What the demo's units send each other; samples are counted from the beginning of the record."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from ezmsg.core.demo.detector import Beat

Samples = np.ndarray[Any, np.dtype[np.float64]]


@dataclass(frozen=True)
class Block:
    """Consecutive samples.

    ``start`` is the index of the first one, ``signal`` has shape (n,): millivolts, raw or filtered.
    ``count`` is how many samples of the record it stands for: filtered, the last block is longer than that.
    ``published_ns`` is when the source sent it, on the clock of ``time.monotonic_ns``, which all processes of a
    host share. ``last`` marks the end of what is played.
    """

    start: int
    count: int
    signal: Samples
    published_ns: int
    last: bool


@dataclass(frozen=True)
class Detection:
    """The beats found by the time that ``count`` samples from ``start`` on were seen."""

    start: int
    count: int
    beats: list[Beat]
    published_ns: int
    last: bool
