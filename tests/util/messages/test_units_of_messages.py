"""Chunks, other names and keys, by function and in graphs that run."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.util.conftest import Run
from tests.util.messages.axisarray.arrays import arrays

from ezmsg.core.errors import InvalidOption
from ezmsg.util import errors
from ezmsg.util.messages.axisarray import AxisArray, CoordinateAxis, LinearAxis
from ezmsg.util.messages.chunker import array_chunker
from ezmsg.util.messages.key import set_key
from ezmsg.util.messages.modify import ModifyAxisSettings, ModifyAxisTransformer, modify_axis


@given(arrays(min_length=0), st.integers(1, 7), st.data())
def test_chunks_are_the_whole_in_pieces(array: AxisArray, chunk_len: int, data: st.DataObject) -> None:
    axis = data.draw(st.integers(-array.data.ndim, array.data.ndim - 1))
    chunks = list(array_chunker(array.data, chunk_len, axis=axis, fs=100.0, tzero=5.0))
    if array.data.shape[axis] == 0:
        assert chunks == []
        return
    whole = AxisArray.concatenate(*chunks, dim="time")
    np.testing.assert_array_equal(whole.data, array.data)
    assert [whole.dims[axis], whole.axes["time"]] == ["time", AxisArray.TimeAxis(100.0, offset=5.0)]
    assert all(name == f"d{position}" for position, name in enumerate(whole.dims) if name != "time")
    for number, chunk in enumerate(chunks):
        assert chunk.data.shape[axis] == chunk_len or number == len(chunks) - 1
        assert chunk.ax("time").values[0] == pytest.approx(5.0 + number * chunk_len / 100.0)


@pytest.mark.parametrize(("chunk_len", "axis"), [(0, 0), (-1, 0), (1, 1), (1, -2)])
def test_chunks_that_are_not_possible(chunk_len: int, axis: int) -> None:
    with pytest.raises(InvalidOption):
        next(array_chunker(np.arange(3), chunk_len, axis))


def sample() -> AxisArray:
    channels = CoordinateAxis(np.array(["a", "b", "c"]), dims=["ch"])
    return AxisArray(
        np.arange(3.0).reshape(1, 3), ["time", "ch"], {"time": LinearAxis(), "ch": channels}, stream_dim="time"
    )


def test_dimensions_get_other_names() -> None:
    array = sample()
    assert modify_axis()(array) is modify_axis({"ch": "ch"})(array) is array
    assert modify_axis({"x": "y"})(array) == array
    swapped = modify_axis({"time": "ch", "ch": "time", "x": None})(array)
    assert (swapped.dims, swapped.stream_dim, list(swapped.axes)) == (["ch", "time"], "ch", ["ch", "time"])
    assert swapped.data is array.data
    assert swapped.isel(time=1).ax("time").values.tolist() == ["b"]
    assert array == sample()


def test_a_dimension_of_length_one_may_go() -> None:
    gone = modify_axis({"time": None, "ch": "x"})(sample())
    assert (gone.dims, list(gone.axes), gone.stream_dim, gone.shape) == (["x"], ["x"], None, (3,))


@pytest.mark.parametrize("name_map", [{"ch": None}, {"time": "ch"}])
def test_names_that_are_not_possible(name_map: dict[str, str | None]) -> None:
    with pytest.raises(errors.InvalidArray):
        modify_axis(name_map)(sample())


def test_sending_is_deprecated() -> None:
    transformer = ModifyAxisTransformer(ModifyAxisSettings(name_map={"ch": "x"}))
    with pytest.warns(DeprecationWarning, match="call it"):
        assert transformer.send(sample()).dims == ["time", "x"]


def test_keys() -> None:
    array = sample()
    changed = set_key("k").send(array)
    assert (changed.key, array.key) == ("k", "")
    assert changed.data is array.data


def test_the_units_run_and_take_other_settings(run_program: Run) -> None:
    (got,) = run_program("""
        from ezmsg.util.messages.chunker import *
        from ezmsg.util.messages.key import *
        from ezmsg.util.messages.modify import *

        class Say(ez.Unit):
            INPUT, OUTPUT = ez.InputStream(AxisArray), ez.OutputStream(list)

            @ez.subscriber(INPUT)
            @ez.publisher(OUTPUT)
            async def say(self, message: AxisArray) -> AsyncIterator[Any]:
                yield self.OUTPUT, [message.key, message.dims, message.data.ravel().tolist()]

        def sample(number):
            return AxisArray(np.full((1, 2), number), ["time", "ch"])

        settings = ("OTHER", ModifyAxisSettings(name_map={"ch": "z"}))
        source, say = script(sample(1), settings, sample(2)), Say()
        modify, key = ModifyAxis(ModifyAxisSettings(name_map={"ch": "x"})), SetKey(KeySettings("mine"))
        passing, blocking = FilterOnKey(KeySettings("mine")), FilterOnKey(KeySettings("other"))
        edges = [(source.OUTPUT, modify.INPUT_SIGNAL), (source.OTHER, modify.INPUT_SETTINGS)]
        edges += [(modify.OUTPUT_SIGNAL, key.INPUT_SIGNAL), (key.OUTPUT_SIGNAL, passing.INPUT_SIGNAL)]
        edges += [(key.OUTPUT_SIGNAL, blocking.INPUT_SIGNAL), (passing.OUTPUT_SIGNAL, say.INPUT)]
        edges += [(blocking.OUTPUT_SIGNAL, say.INPUT), (say.OUTPUT, None)]
        tell(run(*edges, total=2, S=source, M=modify, K=key, P=passing, B=blocking, SAY=say))
    """)
    assert got == [["mine", ["time", "x"], [1, 1]], ["mine", ["time", "z"], [2, 2]]]


def test_an_array_is_published_in_pieces(run_program: Run) -> None:
    (got,) = run_program("""
        from ezmsg.util.messages.chunker import *
        chunker = ArrayChunker(ArrayChunkerSettings(np.arange(5), 2, fs=10.0))
        messages = run((chunker.OUTPUT_SIGNAL, None), total=3, CHUNKER=chunker)
        tell([[each.data.tolist(), each.axes["time"].offset] for each in messages])
    """)
    assert got == [[[0, 1], 0.0], [[2, 3], 0.2], [[4], 0.4]]
