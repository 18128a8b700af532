"""Whatever is published arrives as it was, or its publisher is told why not; and the next message arrives."""

import asyncio
import dataclasses
import sys
import threading
import types
from typing import Any

import array_api_strict
import numpy as np
import pytest
from tests.util.messages.axisarray.test_encoding import check
from tests.util.messages.axisarray.test_in_streams import HANG, context, expect, joined, ways
from tests.util.messages.axisarray.test_parting import Stream, signal

import ezmsg.core as ez
from ezmsg.core.errors import MessageClassNotFound, UnencodableMessage
from ezmsg.util.messages.axisarray import AxisArray, CoordinateAxis, replace

__all__ = ["context"]  # the fixture


class OnDevice:
    """An array whose elements no processor can reach, as those of a graphics card."""

    shape, ndim, dtype = (3, 2), 2, np.dtype(np.float32)

    def __array__(self, *_: Any) -> Any:
        raise TypeError("it lies on a device; copy it to the host first")

    def __reduce__(self) -> Any:
        raise TypeError("it lies on a device; copy it to the host first")


def changed(**parts: Any) -> AxisArray:
    """An array that somebody has changed after it was made, so that nothing was checked."""
    array = signal()
    array.__dict__.update(parts)
    return array


FAITHFUL: dict[str, AxisArray] = {
    "fewer dims than data has": changed(dims=["time"]),
    "more dims than data has": changed(dims=["time", "ch", "more"]),
    "no dims": changed(dims=[]),
    "no dimensions": changed(data=np.float32(3) * np.ones(())),
    "coordinates of another length": changed(data=np.zeros((3, 7))),
    "objects": replace(signal(), data=np.array([[1, "a"], [None, 2.5]], object)),
    "names that are objects": replace(signal(), axes={"ch": CoordinateAxis(np.array(["a", 1], object), ["ch"])}),
    "no samples": replace(signal(), data=np.zeros((0, 2), np.float32)),
    "no channels": replace(
        signal(), data=np.zeros((3, 0)), axes={"ch": CoordinateAxis(np.array([], "U1"), ["ch"])}
    ),
    "strides": replace(signal(), data=np.arange(24.0).reshape(6, 4)[::2, ::-2]),
    "turned": replace(signal(), data=np.arange(6.0).reshape(2, 3).T),
    "one value for all": replace(signal(), data=np.broadcast_to(np.float32(4), (3, 2))),
    "the other byte order": replace(signal(), data=np.arange(6).reshape(3, 2).astype(">i4")),
    "coordinates in the other byte order": replace(
        signal(), axes={"ch": CoordinateAxis(np.arange(2).astype(">f8"), ["ch"])}
    ),
    "not a number": replace(signal(), data=np.full((3, 2), np.nan)),
}

REFUSED: dict[str, tuple[Any, str]] = {
    "on a device": (changed(data=OnDevice()), "copy it to the host first"),
    "a lock among the attributes": (replace(signal(), attrs={"lock": threading.Lock()}), "lock"),
    "a function": (replace(signal(), attrs={"f": lambda: None}), "pickle"),
}


@ways
async def test_it_arrives_as_it_was_and_so_does_the_next(
    context: ez.GraphContext, force_tcp: bool, kind: str
) -> None:
    publisher, subscriber = await joined(context, force_tcp), await context.subscriber("T")
    for number, (name, array) in enumerate(FAITHFUL.items()):
        await publisher.broadcast(array)
        await publisher.broadcast(signal(number))
        async with asyncio.timeout(HANG):
            got = await subscriber.recv()
        assert (got.dims, got.data.shape, got.data.dtype) == (array.dims, array.data.shape, array.data.dtype), name
        np.testing.assert_array_equal(got.data, array.data)
        assert got.axes == array.axes
        await expect(subscriber, kind, number)


@ways
async def test_a_mask_and_arrays_of_another_library_arrive(
    context: ez.GraphContext, force_tcp: bool, kind: str
) -> None:
    publisher, subscriber = await joined(context, force_tcp), await context.subscriber("T")
    await publisher.broadcast(replace(signal(), data=np.ma.masked_array(np.ones((3, 2)), [[True, False]] * 3)))
    await publisher.broadcast(replace(signal(), data=array_api_strict.ones((3, 2))))
    await publisher.broadcast(signal(1))
    async with asyncio.timeout(HANG):
        masked, other = await subscriber.recv(), await subscriber.recv()
    assert masked.data.mask.tolist() == [[True, False]] * 3
    assert type(other.data) is type(array_api_strict.ones(1))
    assert array_api_strict.all(other.data == 1)
    await expect(subscriber, kind, 1)


@ways
async def test_what_cannot_be_sent_is_refused_with_the_reason(
    context: ez.GraphContext, force_tcp: bool, kind: str
) -> None:
    publisher, subscriber = await joined(context, force_tcp), await context.subscriber("T")
    for number, (array, words) in enumerate(REFUSED.values()):
        with pytest.raises(UnencodableMessage, match=words):
            await publisher.broadcast(array)
        await publisher.broadcast(signal(number))
        await expect(subscriber, kind, number)


@ways
async def test_an_axis_that_is_changed_in_place(context: ez.GraphContext, force_tcp: bool, kind: str) -> None:
    publisher, subscriber = await joined(context, force_tcp), await context.subscriber("T")
    array = signal()
    for name in "xyz":
        _ = array.axes["ch"].fingerprint  # type: ignore[attr-defined]
        array.axes["ch"].data[0] = name  # type: ignore[attr-defined]
        await publisher.broadcast(array)
        async with asyncio.timeout(HANG):
            got = await subscriber.recv()
        assert got.axes["ch"].data.tolist() == [name, "b"]


def test_fingerprints_that_collide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ezmsg.util.messages.axisarray.axes.digest", lambda data: (data.dtype, data.shape, 0))
    stream = Stream()
    for names in ("ab", "xy", "ab"):
        array = signal(0, names)
        assert array.axes["ch"].fingerprint == signal(0, "cd").axes["ch"].fingerprint  # type: ignore[attr-defined]
        check(stream.cross(array), array)


@ways
@pytest.mark.parametrize("value", [1.5, (1, 2)], ids=["in parts", "pickled"])
async def test_a_class_that_the_receiver_cannot_import(
    context: ez.GraphContext, force_tcp: bool, kind: str, value: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    publisher, subscriber = await joined(context, force_tcp), await context.subscriber("T")
    module = types.ModuleType("only_there")
    cls = dataclasses.make_dataclass("Frame", ["value", "data"])
    cls.__module__, module.Frame = module.__name__, cls  # type: ignore[attr-defined]
    with monkeypatch.context() as there:
        there.setitem(sys.modules, module.__name__, module)
        await publisher.broadcast(cls(value, np.zeros(3)))
    await publisher.broadcast(signal(1))
    with pytest.raises(ImportError, match="only_there") as error:
        async with asyncio.timeout(HANG):
            await subscriber.recv()
    assert isinstance(error.value, MessageClassNotFound) == isinstance(value, float)
    await expect(subscriber, kind, 1)
