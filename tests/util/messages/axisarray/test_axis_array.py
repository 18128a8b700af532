"""What an array with named axes is, refuses to be, compares with, and becomes in a pickle."""

import copy
import pickle
import subprocess
import sys
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.util.messages.axisarray.arrays import arrays

from ezmsg.util import errors
from ezmsg.util.messages.axisarray import AxisArray, AxisBase, CoordinateAxis, LinearAxis, replace
from ezmsg.util.messages.util import fast_replace

CHANNELS = CoordinateAxis(np.array(["a", "b", "c"]), dims=["ch"])


def sample(**fields: Any) -> AxisArray:
    axes: dict[str, AxisBase] = {"time": AxisArray.TimeAxis(fs=10.0, offset=5.0), "ch": CHANNELS}
    return AxisArray(np.arange(6.0).reshape(2, 3), ["time", "ch"], axes, **fields)


@pytest.mark.parametrize(
    ("make", "error"),
    [
        (lambda: AxisArray(np.zeros((2, 3)), ["a"]), errors.InvalidArray),
        (lambda: AxisArray(np.zeros((2, 3)), ["a", "a"]), errors.InvalidArray),
        (lambda: AxisArray(np.zeros(2), ["a"], stream_dim="b"), errors.InvalidArray),
        (lambda: replace(sample(stream_dim="time"), dims=["t", "ch"]), errors.InvalidArray),
        (lambda: replace(sample(), data=np.zeros(3)), errors.InvalidArray),
        (lambda: CoordinateAxis(np.zeros(2), dims=[]), errors.InvalidArray),
        (lambda: AxisArray([1, 2], ["a"]), errors.NotAnArray),  # type: ignore[arg-type]
        (lambda: AxisArray.AxisInfo(LinearAxis(), 0), errors.InvalidArray),
        (lambda: AxisArray.AxisInfo(CHANNELS, 0, 3), errors.InvalidArray),
        (lambda: sample().ax("x"), errors.UnknownDimension),
        (lambda: sample().isel(x=1), errors.UnknownDimension),
        (lambda: sample().get_axis("x"), errors.UnknownDimension),
        (lambda: AxisArray.transpose(sample(), ["x", "ch"]), errors.UnknownDimension),
        (lambda: sample().isel(ch=3), errors.IndexBeyond),
        (lambda: sample().isel(ch=np.array([0, -4])), errors.IndexBeyond),
        (lambda: sample().isel(ch=1.0), errors.InvalidIndexer),
        (lambda: sample().isel(ch=[0, 1]), errors.InvalidIndexer),
        (lambda: sample().isel(ch=np.array([True])), errors.InvalidIndexer),
        (lambda: sample().isel({"ch": 1}, time=1), errors.InvalidIndexer),
        (lambda: sample().isel(3), errors.InvalidIndexer),
        (lambda: sample().sel(time=5.1), errors.InvalidIndexer),
        (lambda: sample().sel(ch=slice("a", "b")), errors.InvalidIndexer),
        (lambda: AxisArray.concatenate(dim="time"), errors.NothingToConcatenate),
        (lambda: AxisArray.concatenate(sample(), dim="time", filter_key="x"), errors.NothingToConcatenate),
        (
            lambda: AxisArray.concatenate(sample(), AxisArray.transpose(sample()), dim="time"),
            errors.IncompatibleArrays,
        ),
        (lambda: AxisArray.concatenate(sample(), sample().isel(ch=0), dim="time"), errors.IncompatibleArrays),
    ],
)
def test_what_is_not_possible_is_refused_in_a_sentence(make: Any, error: Any) -> None:
    with pytest.raises(error, match=r"EZ-70\d\d  [A-Zis].*[.)]$"):
        make()


def test_the_errors_are_those_that_programs_catch() -> None:
    assert issubclass(errors.InvalidArray, ValueError)
    assert issubclass(errors.UnknownDimension, ValueError)
    assert issubclass(errors.InvalidIndexer, ValueError)
    assert issubclass(errors.IndexBeyond, IndexError)
    assert issubclass(errors.NothingToConcatenate, IndexError)


def test_a_dimension_that_nothing_was_said_about_counts() -> None:
    array = AxisArray(np.zeros((2, 4)), ["a", "b"], {"c": CHANNELS})
    assert array.get_axis("b") == array.get_axis(-1) == LinearAxis()
    assert array.ax(1).values.tolist() == [0, 1, 2, 3]
    assert (array.ax("b").idx, len(array.ax("b"))) == (1, 4)
    with pytest.raises(errors.UnknownDimension):
        array.get_axis("c")


def test_positions_and_names() -> None:
    array = sample()
    assert (array.axis_idx("ch"), array.axis_idx(0), array.get_axis_idx("time"), array.get_axis_name(-1)) == (
        1,
        0,
        0,
        "ch",
    )
    assert array.ax("ch").values.tolist() == ["a", "b", "c"]
    assert array.shape == (2, 3)


def test_lines() -> None:
    axis = LinearAxis.create_time_axis(fs=4.0, offset=1.0)
    assert (axis.unit, axis.gain, axis.offset) == ("s", 0.25, 1.0)
    assert axis.value(2) == 1.5
    assert axis.index(1.6) == 2
    assert axis.index(np.array([1.0, 1.6]), np.ceil).tolist() == [0, 3]
    assert axis.index(1.6).dtype.kind == "i"
    assert AxisArray.TimeAxis(4.0, 1.0) == axis


def test_deprecated_names() -> None:
    with pytest.warns(DeprecationWarning, match="AxisArray.Axis is deprecated"):
        axis = AxisArray.Axis(unit="s", gain=0.5)
    assert (axis.value(3), isinstance(axis, LinearAxis)) == (1.5, True)
    with pytest.warns(DeprecationWarning, match="AxisArray.Axis is deprecated"):
        assert AxisArray.Axis.TimeAxis(fs=2.0).gain == 0.5


@given(arrays(min_length=0))
def test_equality_and_pickles(array: AxisArray) -> None:
    again = pickle.loads(pickle.dumps(array))
    assert again == array == copy.deepcopy(array) == replace(array)
    assert again.stream_dim == array.stream_dim
    assert again != replace(array, key=array.key + "x")
    assert again != replace(array, attrs={})
    assert again != replace(array, data=np.zeros((7,) * array.data.ndim))
    assert again != replace(array, dims=[f"{dim}_" for dim in array.dims], stream_dim=None)
    assert again != replace(array, axes={**array.axes, "more": LinearAxis()})
    assert again != 5


def test_what_is_no_number_equals_nothing() -> None:
    assert AxisArray(np.array([np.nan]), ["a"]) != AxisArray(np.array([np.nan]), ["a"])


def test_a_pickle_of_a_part_has_its_data_beside_it_and_no_more() -> None:
    whole = AxisArray(np.zeros((4, 6)), ["time", "ch"])
    parts = [whole, whole.isel(time=slice(1, 3)), whole.isel(ch=slice(0, None, 2)), AxisArray.transpose(whole)]
    for part in parts:
        beside: list[pickle.PickleBuffer] = []
        pickle.dumps(part, protocol=5, buffer_callback=beside.append)
        assert [each.raw().nbytes for each in beside] == [part.data.nbytes]
    assert not parts[2].data.flags.c_contiguous, "the array itself is left as it is"


def test_fingerprints_tell_axes_apart() -> None:
    axis = CoordinateAxis(np.arange(6)[::2], dims=["a"], unit="u")
    same = CoordinateAxis(np.array([0, 2, 4]), dims=["a"], unit="u")
    assert axis.fingerprint == same.fingerprint == pickle.loads(pickle.dumps(axis)).fingerprint
    changes: list[dict[str, Any]] = [
        {"data": np.array([0, 2, 5])},
        {"data": np.array([0.0, 2.0, 4.0])},
        {"dims": ["b"]},
        {"unit": ""},
    ]
    for change in changes:
        assert replace(axis, **change).fingerprint != axis.fingerprint
        changed = copy.copy(axis)
        for name, value in change.items():
            setattr(changed, name, value)
        assert changed.fingerprint != axis.fingerprint
    objects = CoordinateAxis(np.array(["a", 1], dtype=object), dims=["a"])
    assert objects.fingerprint != CoordinateAxis(np.array(["b", 1], dtype=object), dims=["a"]).fingerprint


def through_a_pickle(value: Any) -> Any:
    return pickle.loads(pickle.dumps(value))


@pytest.mark.parametrize("copy_of", [replace, fast_replace, copy.copy, copy.deepcopy, through_a_pickle])
def test_what_was_worked_out_is_no_field(copy_of: Any) -> None:
    axis = CoordinateAxis(np.arange(6)[::2], dims=["a"])
    _ = axis.fingerprint
    copied = copy_of(axis)
    assert copied == axis
    assert copied.fingerprint == axis.fingerprint
    copied.data = np.arange(3)
    assert copied.fingerprint != axis.fingerprint


@pytest.mark.parametrize("copy_of", [copy.deepcopy, through_a_pickle])
def test_a_checksum_is_worked_out_once_for_all_copies(copy_of: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    axis = CoordinateAxis(np.arange(6)[::2], dims=["a"])
    known = axis.fingerprint
    copied = copy_of(axis)
    monkeypatch.setattr("ezmsg.util.messages.axisarray.axes.digest", None)
    assert copied.fingerprint == known


def test_replacing_shares_the_rest() -> None:
    array = sample(key="k")
    changed = replace(array, key="other")
    assert (array.key, changed.key) == ("k", "other")
    assert changed.data is array.data
    assert changed.axes is array.axes
    with pytest.raises(TypeError):
        replace(array, unknown=1)


def test_replacing_the_slow_way_is_a_matter_of_the_environment() -> None:
    script = "import dataclasses, ezmsg.util.messages.util as m; print(m.replace is dataclasses.replace)"
    for environment, slow in ({}, "False"), ({"EZMSG_DISABLE_FAST_REPLACE": ""}, "True"):
        command = [sys.executable, "-c", script]
        ran = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=30)
        assert ran.stdout.strip() == slow


@dataclass(eq=False)
class Marked(AxisArray):
    mark: int = 7


def test_subclasses_stay_what_they_are() -> None:
    array = Marked(np.zeros(3), ["a"], mark=3)
    assert isinstance(array.isel(a=0), Marked)
    assert next(array.iter_over_axis("a")).mark == AxisArray.concatenate(array, array, dim="a").mark == 3
    assert array != AxisArray(np.zeros(3), ["a"])


def test_a_line_that_is_taken_irregularly_becomes_coordinates() -> None:
    part = sample().isel(time=np.array([0, 0, 1]))
    assert isinstance(part.axes["time"], CoordinateAxis)
    np.testing.assert_allclose(part.ax("time").values, [5.0, 5.0, 5.1])
    assert isinstance(sample().isel(time=slice(None, None, -1)).axes["time"], LinearAxis)


def test_joining_keeps_the_key_that_all_have_and_filters_by_it() -> None:
    one, two = sample(key="a"), sample(key="b")
    assert AxisArray.concatenate(one, one, dim="time").key == "a"
    assert AxisArray.concatenate(one, two, dim="time").key == ""
    assert AxisArray.concatenate(one, two, dim="time", filter_key="b") == two
    axis = LinearAxis(gain=9.0)
    assert AxisArray.concatenate(one, two, dim="time", axis=axis).axes["time"] is axis
    assert AxisArray.concatenate(one, two, dim="new", axis=axis).axes["new"] is axis


def test_lines_and_coordinates_join_as_coordinates() -> None:
    line = AxisArray(np.zeros(2), ["t"], {"t": LinearAxis(gain=2.0)})
    points = AxisArray(np.zeros(2), ["t"], {"t": CoordinateAxis(np.array([7.0, 9.0]), ["t"])})
    assert AxisArray.concatenate(line, points, dim="t").ax("t").values.tolist() == [0.0, 2.0, 7.0, 9.0]
    assert "t" not in AxisArray.concatenate(points, AxisArray(np.zeros(2), ["t"]), dim="t").axes


def test_a_mask_stays() -> None:
    masked = AxisArray(np.ma.masked_array([1, 2, 3], [True, False, False]), ["a"])
    assert AxisArray.concatenate(masked, masked, dim="a").data.mask.tolist() == [True, False, False] * 2  # type: ignore[attr-defined]


@given(st.integers(0, 3))
def test_without_dimensions(count: int) -> None:
    array = AxisArray(np.array(3.0), [])
    assert array.isel() == AxisArray.transpose(array) == array
    assert AxisArray.concatenate(*[array] * (count + 1), dim="n").shape == (count + 1,)
