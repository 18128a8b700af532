"""An array with named axes crosses between processes as it was, by its own encoding or as a pickle."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.util.conftest import Run
from tests.util.messages.axisarray.arrays import arrays
from tests.util.messages.axisarray.test_axis_array import Marked

from ezmsg.core.errors import PickleForbidden
from ezmsg.core.messages.codec import Codec
from ezmsg.core.messages.payload import unset_memory
from ezmsg.util.messages.axisarray import AxisArray, CoordinateAxis, LinearAxis, replace

ATTRS = st.dictionaries(
    st.text() | st.integers(),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
        max_leaves=5,
    ),
    max_size=3,
)


def crossed(value: Any, *, copy: bool = False, codec: Codec | None = None) -> tuple[Any, bytes]:
    """Return what another process gets, and what its memory says of how it came."""
    codec = codec or Codec()
    payload = codec.encode(value)
    memory = unset_memory(payload.size)
    payload.write(memory, 0)
    return codec.decode(memory.toreadonly(), copy=copy), bytes(memory[4:5])


def check(got: AxisArray, sent: AxisArray) -> None:
    assert type(got) is type(sent)
    assert got == sent
    assert (got.data.dtype, got.stream_dim, list(got.axes)) == (sent.data.dtype, sent.stream_dim, list(sent.axes))
    assert got.data.flags.f_contiguous or not sent.data.flags.f_contiguous


@given(arrays(min_length=0), ATTRS, st.booleans(), st.data())
def test_it_arrives_as_it_was(array: AxisArray, attrs: dict[Any, Any], copy: bool, data: st.DataObject) -> None:
    array = replace(array, attrs=attrs)
    change = data.draw(st.sampled_from(["none", "turned", "strided", "first"]))
    if change == "turned":
        array = AxisArray.transpose(array)
    elif change == "strided":
        array = array.isel({array.dims[0]: slice(None, None, 2)})
    elif change == "first" and len(array.dims) > 1 and array.shape[0]:
        array = next(array.iter_over_axis(array.dims[0]))
    got, how = crossed(array, copy=copy)
    check(got, array)
    big = any(isinstance(each, int) and not -(2**63) <= each < 2**64 for each in _leaves(attrs))
    assert how == (b"p" if big else b"x")
    assert got.data.size == 0 or got.data.flags.writeable == copy


def _leaves(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return [leaf for name, each in value.items() for leaf in [name, *_leaves(each)]]
    return [leaf for each in value for leaf in _leaves(each)] if isinstance(value, list) else [value]


PICKLED: list[AxisArray] = [
    AxisArray(np.array([1, "a", None], dtype=object), ["a"]),
    AxisArray(np.zeros(2, dtype=[("x", "f4"), ("lab", "U3")]), ["a"]),
    AxisArray(np.zeros(2), ["a"], attrs={"n": np.arange(2)}),
    AxisArray(np.zeros(2), ["a"], attrs={"n": (1, 2)}),
    AxisArray(np.zeros(2), ["a"], attrs={"n": bytearray(b"a")}),
    AxisArray(np.zeros(2), ["a"], attrs={"n": 2**70}),
    AxisArray(np.zeros(2), ("a",)),  # type: ignore[arg-type]
    AxisArray(np.zeros(2), ["a"], axes={"a": LinearAxis(gain=np.float32(0.5))}),  # type: ignore[arg-type]
    AxisArray(np.zeros(2), ["a"], axes={"a": CoordinateAxis(np.array(["a", 1], dtype=object), ["a"])}),
    Marked(np.zeros(2), ["a"], mark=3),
]


@pytest.mark.parametrize("array", PICKLED, ids=range(len(PICKLED)))
def test_what_is_not_plain_is_pickled(array: AxisArray) -> None:
    got, how = crossed(array)
    check(got, array)
    assert how == b"p"
    assert type(got.dims) is type(array.dims)
    with pytest.raises(PickleForbidden):
        crossed(array, codec=Codec(allow_pickle=False))


def test_a_mask_stays() -> None:
    got, how = crossed(AxisArray(np.ma.masked_array([1, 2], [True, False]), ["a"]))
    assert (got.data.mask.tolist(), how) == ([True, False], b"p")


def test_what_was_changed_after_it_was_made_arrives_so() -> None:
    array = AxisArray(np.zeros((2, 3)), ["a", "b"])
    array.dims = ["a"]
    array.data = np.zeros(5)
    got, _ = crossed(array)
    assert (got.dims, got.shape) == (["a"], (5,))
    axis = CoordinateAxis(np.arange(3), ["a"])
    array.axes = {"a": axis}
    _ = axis.fingerprint
    for value in (7, 8):
        axis.data[0] = value
        assert crossed(array)[0].axes["a"].data.tolist() == [value, 1, 2]


def test_a_fingerprint_that_is_known_is_known_there(monkeypatch: pytest.MonkeyPatch) -> None:
    axis = CoordinateAxis(np.array(["a", "b"]), ["ch"], unit="u")
    array = AxisArray(np.zeros(2), ["ch"], {"ch": axis})
    known = axis.fingerprint
    got, how = crossed(array)
    monkeypatch.setattr("ezmsg.util.messages.axisarray.axes.digest", None)
    assert got.axes["ch"].fingerprint == known
    assert how == b"x"


def test_an_array_of_objects_cannot_be_smuggled_in() -> None:
    import msgpack

    from ezmsg.util.messages.axisarray.encoding import load

    head = msgpack.packb([["|O", [1], "C"], ["a"], [], {}, "", None])
    with pytest.raises(ValueError, match="nothing that is sent in this way"):
        load([memoryview(head), memoryview(bytes(8))])


def test_it_crosses_between_processes_without_pickle(run_program: Run) -> None:
    (got,) = run_program(
        """
        class Source(ez.Unit):
            OUTPUT = ez.OutputStream(AxisArray)

            @ez.publisher(OUTPUT)
            async def send(self) -> AsyncIterator[Any]:
                channels = AxisArray.CoordinateAxis(np.array(["a", "b"]), ["ch"])
                axes = {"time": AxisArray.TimeAxis(fs=10.0), "ch": channels}
                for number in range(5):
                    yield self.OUTPUT, AxisArray(np.full((3, 2), number), ["time", "ch"], axes, {"n": number}, "k")

        if __name__ == "__main__":
            source, keep, end = Source(), MessageCollector(), TerminateOnTotal(5)
            edges = [(source.OUTPUT, keep.INPUT_MESSAGE), (keep.OUTPUT_MESSAGE, end.INPUT_MESSAGE)]
            ez.run(SOURCE=source, KEEP=keep, END=end, connections=edges, process_components=[source])
            got = keep.messages
            tell([[int(each.data[2, 1]), each.attrs, each.key, list(each.ax("ch").values)] for each in got])
        """,
        EZMSG_FORBID_PICKLE="1",
    )
    assert got == [[number, {"n": number}, "k", ["a", "b"]] for number in range(5)]
