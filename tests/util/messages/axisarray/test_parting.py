"""A stream of arrays with named axes arrives as it was: parted by its publisher, put together by each channel."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.util.messages.axisarray.arrays import arrays
from tests.util.messages.axisarray.test_encoding import ATTRS, PICKLED, check

from ezmsg.core.errors import UnknownEncoding
from ezmsg.core.messages.codec import Codec
from ezmsg.core.messages.forms import FORMS_KEPT, Form, HeardForms, remembered
from ezmsg.core.messages.payload import unset_memory
from ezmsg.util.messages.axisarray import AxisArray, CoordinateAxis, LinearAxis, replace
from ezmsg.util.messages.axisarray.parting import FIXED_BYTES, STAYED


class Channel:
    """What a channel keeps of what it was told, by the rules of both its ends."""

    def __init__(self) -> None:
        self.codec = Codec()
        self.told: dict[int, None] = {}
        self.heard: HeardForms = {}
        self.tellings = 0

    def tell(self, form: Form) -> None:
        if form.number not in self.told:
            self.told = remembered(self.told, form.number, None)
            self.heard = self.codec.heard(self.heard, form.number, form.content)
            self.tellings += 1


class Stream:
    """A publisher, and the channels that it feeds."""

    def __init__(self, channels: int = 1) -> None:
        self.codec = Codec()
        self.forms = self.codec.forms()
        self.channels = [Channel() for _ in range(channels)]

    def send(self, value: Any, to: Any = slice(None)) -> tuple[memoryview, str]:
        payload = self.codec.encode(value, self.forms)
        if payload.form is not None:
            for channel in self.channels[to]:
                channel.tell(payload.form)
        memory = unset_memory(payload.size)
        payload.write(memory, 0)
        return memory.toreadonly(), "parted" if payload.form is not None else "whole"

    def got(self, memory: memoryview, channel: int = 0, *, copy: bool = False) -> Any:
        return self.channels[channel].codec.decode(memory, self.channels[channel].heard, copy=copy)

    def cross(self, value: Any, *, copy: bool = False) -> Any:
        return self.got(self.send(value)[0], copy=copy)


def signal(number: int = 0, names: str = "ab", **changes: Any) -> AxisArray:
    channels = CoordinateAxis(np.array(list(names)), ["ch"])
    made = AxisArray(
        np.full((3, len(names)), number, np.float32),
        ["time", "ch"],
        {"time": AxisArray.TimeAxis(fs=10.0, offset=number * 0.3), "ch": channels},
    )
    return replace(made, **changes)


KINDS = st.lists(st.tuples(arrays(min_length=0), ATTRS), min_size=1, max_size=4)


@given(KINDS, st.lists(st.integers(0, 3)), st.booleans())
def test_streams_of_anything_arrive(kinds: list[tuple[AxisArray, Any]], turns: list[int], copy: bool) -> None:
    stream = Stream()
    for turn in [0, *turns]:
        array, attrs = kinds[turn % len(kinds)]
        array = replace(array, attrs=attrs)
        check(stream.cross(array, copy=copy), array)


CHANGES: dict[str, Any] = {
    "nothing": lambda array: array,
    "key": lambda array: replace(array, key=array.key + "k"),
    "dims": lambda array: replace(array, dims=["x", *array.dims[1:]], axes={}, stream_dim=None),
    "offset": lambda array: replace(array, axes={**array.axes, "time": LinearAxis("s", 0.1, 7.0)}),
    "gain": lambda array: replace(array, axes={**array.axes, "time": LinearAxis("s", 0.2, 7.0)}),
    "whole gain": lambda array: replace(array, axes={**array.axes, "time": LinearAxis("s", 1, 0)}),
    "unit": lambda array: replace(array, axes={**array.axes, "time": LinearAxis("ms", 0.1, 7.0)}),
    "names": lambda array: replace(array, axes={**array.axes, "ch": CoordinateAxis(np.array(["x", "y"]), ["ch"])}),
    "numbers": lambda array: replace(array, axes={**array.axes, "ch": CoordinateAxis(np.arange(2), ["ch"])}),
    "order of axes": lambda array: replace(array, axes=dict(reversed(array.axes.items()))),
    "one axis": lambda array: replace(array, axes=dict(list(array.axes.items())[:1])),
    "length": lambda array: replace(array, data=np.concatenate([array.data, array.data])),
    "kind": lambda array: replace(array, data=array.data.astype(">i2")),
    "layout": lambda array: replace(array, data=np.asfortranarray(array.data)),
    "strides": lambda array: replace(array, data=np.repeat(array.data, 2, 0)[::2]),
    "attributes": lambda array: replace(array, attrs={"n": 1, "of": [1.5, None]}),
    "stream": lambda array: replace(array, stream_dim=array.dims[0]),
}


@given(st.lists(st.lists(st.sampled_from(sorted(CHANGES)), max_size=2), max_size=12), st.booleans())
def test_whatever_changes_from_one_to_the_next_is_seen(steps: list[list[str]], copy: bool) -> None:
    stream, array = Stream(), signal()
    for changes in [[], *steps]:
        array = signal()
        for change in changes:
            array = CHANGES[change](array)
        memory, how = stream.send(array)
        got = stream.got(memory, copy=copy)
        check(got, array)
        assert got.attrs == array.attrs
        assert got.key == array.key
        assert how == ("whole" if type(array.axes.get("time", LinearAxis()).gain) is int else "parted")


def test_a_form_is_told_once() -> None:
    stream = Stream(2)
    for number in range(50):
        check(stream.cross(signal(number)), signal(number))
    assert [channel.tellings for channel in stream.channels] == [1, 1]
    memory, how = stream.send(signal(1, "ab" * 500))
    assert (len(memory) < 2 * 1000 * 3 * 4, how) == (True, "parted")


def test_who_comes_late_or_missed_some_is_told_what_it_needs() -> None:
    stream = Stream()
    stream.send(signal(1))
    stream.channels.append(Channel())
    second = stream.send(signal(2))[0]
    third = stream.send(signal(3, "xy"), to=slice(0, 1))[0]  # the other one is a leaky one's that had no time
    fourth = stream.send(signal(4, "xy"))[0]
    check(stream.got(second, 1), signal(2))
    check(stream.got(third, 0), signal(3, "xy"))
    check(stream.got(fourth, 1), signal(4, "xy"))


def test_without_being_told_it_is_an_error_and_nothing_else() -> None:
    stream = Stream(0)
    memory, _ = stream.send(signal())
    with pytest.raises(UnknownEncoding, match="not told"):
        Codec().decode(memory)


def test_several_publishers_are_kept_apart() -> None:
    streams = [Stream(), Stream()]
    for number in range(3):
        for stream, names in zip(streams, ("ab", "xy"), strict=True):
            check(stream.cross(signal(number, names)), signal(number, names))


def test_a_change_in_place_is_seen() -> None:
    stream, array = Stream(), signal()
    stream.cross(array)
    array.axes["ch"].data[0] = "z"
    assert stream.cross(array).axes["ch"].data.tolist() == ["z", "b"]


def test_what_is_received_belongs_to_its_receiver() -> None:
    stream = Stream()
    first, second = stream.cross(signal(1), copy=True), stream.cross(signal(1), copy=True)
    first.axes["ch"].data[0] = "z"
    first.dims.append("more")
    first.axes["ch"].dims.append("more")
    check(second, signal(1))
    lent, other = stream.cross(signal(1)), stream.cross(signal(1))
    with pytest.raises(ValueError, match="read-only"):
        lent.axes["ch"].data[0] = "z"
    lent.axes["ch"].unit, lent.axes["time"].offset = "V", 5.0
    check(other, signal(1))


def test_coordinates_that_change_are_sent_with_each_message() -> None:
    stream = Stream()

    def times(number: int) -> AxisArray:
        axes = {"time": CoordinateAxis(np.arange(3.0) + number, ["time"], unit="s")}
        return AxisArray(np.full((3, 2), number), ["time", "ch"], axes)

    for number in range(300):
        check(stream.cross(times(number)), times(number))
    assert stream.channels[0].tellings <= 2


def test_coordinates_that_change_rarely_are_told_again() -> None:
    stream = Stream()
    for names in ("ab", "cd", "ef"):
        for number in range(STAYED + 1):
            check(stream.cross(signal(number, names)), signal(number, names))
    assert stream.channels[0].tellings == 3


def test_large_coordinates_are_sent_with_each_message() -> None:
    names = CoordinateAxis(np.arange(FIXED_BYTES), ["ch"])
    array = AxisArray(np.zeros(FIXED_BYTES), ["ch"], {"ch": names})
    stream = Stream()
    check(stream.cross(array), array)
    assert all(len(form.content) < 1000 for form in stream.forms._known.values())


def test_a_stream_whose_form_always_changes_gives_it_up() -> None:
    stream = Stream()
    for number in range(5 * FORMS_KEPT):
        array = signal(number, key=f"key {number}")
        check(stream.cross(array), array)
    assert stream.channels[0].tellings <= FORMS_KEPT + 1
    assert len(stream.channels[0].heard) <= 2 * FORMS_KEPT


def test_messages_that_wait_keep_the_forms_that_they_came_with() -> None:
    channel = Channel()
    stream = Stream(0)
    stream.channels.append(channel)
    memory, _ = stream.send(signal(1))
    kept = channel.heard
    for number in range(3 * FORMS_KEPT):
        channel.tell(Form(1000 + number, b"", b""))
    assert len(channel.heard) <= 2 * FORMS_KEPT
    check(channel.codec.decode(memory, kept), signal(1))
    memory, _ = stream.send(signal(1))  # and who has forgotten it is told again
    check(stream.got(memory), signal(1))


@pytest.mark.parametrize("array", PICKLED, ids=range(len(PICKLED)))
def test_what_is_not_plain_goes_another_way(array: AxisArray) -> None:
    stream = Stream()
    stream.cross(signal())
    memory, how = stream.send(array)
    check(stream.got(memory), array)
    assert how == "whole"


def test_an_array_of_objects_cannot_be_smuggled_in() -> None:
    import msgpack

    from ezmsg.util.messages.axisarray.parting import Joining

    with pytest.raises(ValueError, match="nothing that is sent in this way"):
        Joining(msgpack.packb(["|O", "C", ["a"], "", None, []]))
