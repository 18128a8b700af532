"""Slicing, joining, transposing, windows and iteration agree with NumPy, and with xarray where it has them."""

from contextlib import suppress
from typing import Any

import numpy as np
import xarray
from hypothesis import given
from hypothesis import strategies as st
from tests.util.messages.axisarray.arrays import arrays, values

from ezmsg.util.messages.axisarray import (
    AxisArray,
    as2d,
    shape2d,
    slice_along_axis,
    sliding_win_oneaxis,
    view2d,
)


def same(ours: AxisArray, theirs: xarray.DataArray) -> None:
    """Assert that an array is what xarray has made of it, with its coordinates; lines up to rounding."""
    assert tuple(ours.dims) == theirs.dims
    np.testing.assert_array_equal(ours.data, theirs.values)
    converted = ours.to_xr_dataarray()
    assert set(converted.coords) == set(theirs.coords)
    for name, coordinate in theirs.coords.items():
        assert converted.coords[name].dims == coordinate.dims
        if coordinate.dtype.kind == "f":
            np.testing.assert_allclose(converted.coords[name], coordinate, rtol=1e-9, atol=1e-6)
        else:
            np.testing.assert_array_equal(converted.coords[name], coordinate)


@st.composite
def indexed(draw: Any) -> tuple[AxisArray, str, Any]:
    array = draw(arrays())
    dim = draw(st.sampled_from(array.dims))
    length = array.data.shape[array.dims.index(dim)]
    index = st.integers(-length, length - 1)
    bound = st.none() | st.integers(-length - 2, length + 2)
    step = st.none() | st.integers(-3, 3).filter(bool)
    part: st.SearchStrategy[Any] = (
        index
        | index.map(np.int16)
        | st.builds(slice, bound, bound, step)
        | st.lists(index, max_size=6).map(lambda each: np.array(each, dtype=int))
        | st.lists(st.booleans(), min_size=length, max_size=length).map(np.array)
    )
    return array, dim, draw(part)


@given(indexed())
def test_a_part_is_what_xarray_takes(given: tuple[AxisArray, str, Any]) -> None:
    array, dim, where = given
    as_list = [int(where)] if isinstance(where, int | np.integer) else where
    before = array.data.copy()
    part = array.isel({dim: where})
    same(part, array.to_xr_dataarray().isel({dim: as_list}))
    assert (part.key, part.attrs, part.stream_dim) == (array.key, array.attrs, array.stream_dim)
    np.testing.assert_array_equal(array.data, before)


@given(arrays(), st.data())
def test_parts_of_several_dimensions_are_taken_at_once(array: AxisArray, data: st.DataObject) -> None:
    where = {dim: slice(data.draw(st.integers(0, 2)), None) for dim in array.dims}
    assert array.isel(**where) == array.isel(where)
    same(array.isel(where), array.to_xr_dataarray().isel(where))


@given(arrays(), st.data())
def test_a_part_by_value_is_the_part_by_index(array: AxisArray, data: st.DataObject) -> None:
    array.axes = {dim: AxisArray.TimeAxis(fs=data.draw(st.floats(0.1, 1e4)), offset=3.0) for dim in array.dims}
    dim = data.draw(st.sampled_from(array.dims))
    axis, length = array.ax(dim).axis, array.data.shape[array.dims.index(dim)]
    start, stop = data.draw(st.integers(0, length)), data.draw(st.integers(0, length))
    between = slice(axis.value(start), axis.value(stop))
    assert array.sel({dim: between}) == array.isel({dim: slice(start, stop)})
    assert array.sel({dim: slice(axis.value(-2), None)}) == array
    assert array.sel({dim: slice(None, axis.value(-2))}).shape[array.dims.index(dim)] == 0


@given(arrays(), st.data())
def test_iteration_goes_over_every_index_and_drops_the_dimension(array: AxisArray, data: st.DataObject) -> None:
    dim = data.draw(st.sampled_from(array.dims))
    position = array.dims.index(dim)
    parts = list(array.iter_over_axis(dim))
    assert parts == list(array.iter_over_axis(position)) == list(array.iter_over_axis(position - len(array.dims)))
    assert len(parts) == array.data.shape[position]
    whole = array.to_xr_dataarray()
    for index, part in enumerate(parts):
        same(part, whole.isel({dim: index}, drop=True).drop_vars(dim, errors="ignore"))
        assert part.stream_dim == (None if array.stream_dim == dim else array.stream_dim)


@given(arrays(), st.data())
def test_transposing_moves_data_and_names_together(array: AxisArray, data: st.DataObject) -> None:
    order = data.draw(st.permutations(range(len(array.dims))))
    names = [array.dims[position] for position in order]
    turned = AxisArray.transpose(array, names)
    assert turned == AxisArray.transpose(array, order)
    same(turned, array.to_xr_dataarray().transpose(*names, transpose_coords=False))
    assert AxisArray.transpose(turned, array.dims) == array
    assert AxisArray.transpose(AxisArray.transpose(array)) == array
    assert np.shares_memory(turned.data, array.data)


@given(arrays(), st.data())
def test_parts_joined_again_are_the_whole(array: AxisArray, data: st.DataObject) -> None:
    dim = data.draw(st.sampled_from(array.dims))
    length = array.data.shape[array.dims.index(dim)]
    cut = data.draw(st.integers(1, length))
    parts = [array.isel({dim: slice(0, cut)}), array.isel({dim: slice(cut, None)})]
    assert AxisArray.concatenate(*parts, dim=dim) == array


@given(arrays(), st.integers(1, 3))
def test_arrays_joined_along_a_new_dimension_come_apart_again(array: AxisArray, count: int) -> None:
    joined = AxisArray.concatenate(*[array] * count, dim="new")
    assert joined.dims == ["new", *array.dims]
    np.testing.assert_array_equal(joined.data, np.stack([array.data] * count))
    assert all(part == array for part in joined.iter_over_axis("new"))


@given(arrays(only_1d=True), st.data())
def test_what_stands_along_a_dimension_is_joined_too(array: AxisArray, data: st.DataObject) -> None:
    dim = data.draw(st.sampled_from(array.dims))
    joined = AxisArray.concatenate(array, array, dim=dim)
    for name, known in values(array).items():
        if name != dim:
            assert values(joined)[name] == known
        elif isinstance(array.axes[dim], AxisArray.CoordinateAxis):
            assert values(joined)[dim] == known + known
        else:
            assert joined.axes[dim] == array.axes[dim]


@given(arrays(min_length=0), st.integers(1, 6), st.integers(1, 4), st.data())
def test_windows_are_the_slices_that_begin_every_step(
    array: AxisArray, nwin: int, step: int, data: st.DataObject
) -> None:
    axis = data.draw(st.integers(-array.data.ndim, array.data.ndim - 1))
    position = axis % array.data.ndim
    length = array.data.shape[position]
    windows = sliding_win_oneaxis(array.data, nwin, axis, step)
    starts = range(0, length - nwin + 1, step)
    assert windows.shape[position : position + 2] == (len(starts), nwin)
    assert windows.dtype == array.data.dtype
    for number, start in enumerate(starts):
        expected = slice_along_axis(array.data, slice(start, start + nwin), position)
        np.testing.assert_array_equal(slice_along_axis(windows, number, position), expected)
    if windows.size:
        assert np.shares_memory(windows, array.data)
        assert not windows.flags.writeable


@given(arrays(min_length=0), st.data())
def test_with_two_dimensions_each_row_is_what_stands_at_an_index(array: AxisArray, data: st.DataObject) -> None:
    dim = data.draw(st.sampled_from(array.dims))
    position = array.dims.index(dim)
    rows = array.as2d(dim)
    assert rows.shape == array.shape2d(dim) == shape2d(array.data, position - array.data.ndim)
    for index, row in enumerate(rows):
        np.testing.assert_array_equal(row, slice_along_axis(array.data, index, position).ravel())
    np.testing.assert_array_equal(rows, as2d(array.data, position, xp=np))


@given(arrays(), st.data())
def test_what_is_written_to_two_dimensions_is_written_to_the_array(array: AxisArray, data: st.DataObject) -> None:
    dim = data.draw(st.sampled_from(array.dims))
    array.data = array.data[..., ::-1] if data.draw(st.booleans()) else array.data.copy()
    new = array.data.copy().reshape(-1)[::-1].reshape(array.shape2d(dim))
    with array.view2d(dim) as lent:
        lent[...] = new
    np.testing.assert_array_equal(array.as2d(dim), new)


def test_what_was_written_before_a_failure_stays() -> None:
    for array in (np.zeros((2, 3)), np.zeros((2, 3, 4)).transpose(2, 0, 1)):
        with suppress(ZeroDivisionError), view2d(array, 1) as lent:
            lent[...] = 1
            raise ZeroDivisionError
        assert array.all()


@given(arrays(min_length=0))
def test_xarray_gets_everything(array: AxisArray) -> None:
    converted = array.to_xr_dataarray()
    same(array, converted)
    assert set(converted.coords) == set(array.axes)
    assert converted.attrs == array.attrs
