"""NumPy's objects in messages, and a program that reads them with one NumPy and writes them again with another.

    numpy_objects.py FOLDER

It answers each file ``*.there`` with a file ``*.back``.
"""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ezmsg.core.messages.codec import Codec
from ezmsg.core.messages.payload import unset_memory

CODEC = Codec()


@dataclass
class Holder:
    """A message with something in it."""

    content: Any
    name: str = "holder"


class Tagged(np.ndarray):
    """A subclass of a user's, with an attribute that its pickle keeps."""

    tag: str

    def __reduce__(self) -> Any:
        function, arguments, state = super().__reduce__()  # type: ignore[misc]
        return function, arguments, (state, self.tag)

    def __setstate__(self, state: Any) -> None:
        super().__setstate__(state[0])
        self.tag = state[1]


def tagged() -> Tagged:
    array = np.arange(4.0).view(Tagged)
    array.tag = "mine"
    return array


def circular() -> Any:
    array = np.empty(2, object)
    array[:] = [[1, 2], None]
    array[1] = array
    return array


CASES: dict[str, Any] = {
    "array": np.arange(12.0).reshape(3, 4),
    "Fortran's order": np.asfortranarray(np.arange(12).reshape(3, 4)),
    "strides": np.arange(24)[::2].reshape(3, 4)[:, ::-1],
    "no dimensions": np.array(1.5),
    "no elements": np.zeros((0, 3), np.float32),
    "big-endian": np.arange(3, dtype=">f4"),
    "booleans": np.array([True, False]),
    "halves": np.ones(3, np.float16),
    "complex": np.ones(2, np.complex64),
    "text": np.array(["a", "bcd"]),
    "bytes": np.array([b"a", b"bcd"]),
    "dates": np.array(["2020-01-01", "2021-02-03"], "M8[D]"),
    "dates, Fortran": np.asfortranarray(np.arange(6).astype("M8[s]").reshape(2, 3)),
    "durations": np.arange(3).astype("m8[ms]"),
    "structured": np.array([(1.5, 2), (3.5, 4)], [("x", "f4"), ("y", ">i2")]),
    "structured dates": np.array([("2020", 2)], [("x", "M8[D]"), ("y", "i2")]),
    "structured objects": np.array([("a", 2), ([1], 3)], [("x", object), ("y", "i2")]),
    "no bytes": np.zeros(3, "V0"),
    "objects": np.array([[1, "x"], [None, [2, 3]]], object),
    "objects without dimensions": np.array({"a": 1}, object),
    "metadata": np.zeros(2, np.dtype("f8", metadata={"unit": "uV"})),
    "records": np.array([(1.5, 2)], [("x", "f4"), ("y", "i2")]).view(np.recarray),
    "matrix": np.ones((1, 2)).view(np.matrix),
    "masked": np.ma.array([1.5, 2.5], mask=[False, True]),
    "float64": np.float64(1.5),
    "int16": np.int16(-3),
    "bool": np.bool_(True),
    "longdouble": np.longdouble(1.25),
    "str_": np.str_("abc"),
    "bytes_": np.bytes_(b"abc"),
    "datetime64": np.datetime64("2020-01-01"),
    "void": np.array([(1.5, 2)], [("x", "f4"), ("y", "i2")])[0],
    "dtype": np.dtype([("x", "f4"), ("y", ">i2")]),
    "types and functions": (np.float64, np.add, np.mean, np.linalg.norm),
}
RANDOM = {
    "generator": lambda: np.random.default_rng(7),
    "Philox": lambda: np.random.Generator(np.random.Philox(7)),
    "MT19937": lambda: np.random.MT19937(7),
    "random state": lambda: np.random.RandomState(7),
}


def encoded(value: object) -> memoryview:
    payload = CODEC.encode(value)
    memory = unset_memory(payload.size)
    payload.write(memory, 0)
    return memory.toreadonly()


def same(first: Any, second: Any) -> bool:
    if type(first) is not type(second):
        return False
    if isinstance(first, np.ndarray):
        kinds = first.dtype == second.dtype and first.dtype.metadata == second.dtype.metadata
        return kinds and first.shape == second.shape and first.tolist() == second.tolist()
    return bool(first == second)


def decoded(memory: bytes | memoryview, *, copy: bool = False) -> Any:
    return CODEC.decode(memoryview(memory), copy=copy)


def main(folder: Path) -> None:
    for path in sorted(folder.glob("*.there")):
        came = decoded(path.read_bytes()).content
        if path.stem in CASES:
            assert same(CASES[path.stem], came), (path.stem, came)
        path.with_suffix(".back").write_bytes(encoded(Holder(came)))


if __name__ == "__main__":
    import numpy_objects  # under the name by which the other side knows it

    numpy_objects.main(Path(sys.argv[1]))
