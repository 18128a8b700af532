"""What is decorated stays what it was, and each call or item is a line while the profiler is on."""

import inspect
from collections.abc import AsyncIterator, Callable, Generator
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import ezmsg.core as ez
from ezmsg.core.errors import InvalidDecoration
from ezmsg.util.profiler import profile_method, profile_subpub
from ezmsg.util.profiling.profile_log import get_logger_path
from ezmsg.util.profiling.profiler import _sample_time

Rows = Callable[[], list[dict[str, str]]]


def linear(offset: float, gain: float) -> Any:
    return SimpleNamespace(offset=offset, gain=gain)


def message(length: int = 4, **axes: Any) -> Any:
    dims = [*axes, "ch"]
    return SimpleNamespace(data=np.zeros([length] * len(dims)), dims=dims, axes=axes)


SECONDS = message(time=linear(7.0, 0.1))


class Work(ez.Unit):
    OUTPUT = ez.OutputStream(object)

    @profile_method()
    def call(self, value: Any = None, *, other: Any = None) -> Any:
        return value or other

    @profile_method(trace_oldest=False)
    async def coroutine(self, value: Any) -> Any:
        return value

    @profile_method()
    def items(self, one: Any, other: Any) -> Generator[Any, Any, str]:
        sent = [(yield one), (yield other)]
        return f"sent {sent}"

    @profile_method()
    def fail(self) -> None:
        raise ZeroDivisionError

    @profile_subpub()
    async def publish(self) -> AsyncIterator[Any]:
        yield self.OUTPUT, SECONDS
        yield self.OUTPUT, 5

    @profile_subpub(trace_oldest=False)
    async def pass_on(self, value: Any) -> AsyncIterator[Any]:
        if value is not None:
            yield self.OUTPUT, value

    @profile_subpub()
    async def take(self, value: Any) -> None:
        pass


@pytest.fixture
def work() -> Work:
    work = Work()
    work._set_name("WORK")
    work._set_location(["SYSTEM"])
    return work


async def use(work: Work) -> None:
    """Call everything, and see that nothing about it is changed."""
    assert work.call(3) == work.call(other=3) == 3
    assert await work.coroutine(SECONDS) is SECONDS
    items = work.items(SECONDS, 2)
    assert (next(items), items.send("x")) == (SECONDS, 2)
    with pytest.raises(StopIteration, match=r"sent \['x', 'y'\]"):
        items.send("y")
    with pytest.raises(ZeroDivisionError):
        work.fail()
    assert [each async for each in work.publish()] == [(work.OUTPUT, SECONDS), (work.OUTPUT, 5)]
    assert [each async for each in work.pass_on(SECONDS)] == [(work.OUTPUT, SECONDS)]
    assert [each async for each in work.pass_on(None)] == []
    await work.take(SECONDS)


async def test_nothing_is_written_while_it_is_off(work: Work) -> None:
    await use(work)
    assert not get_logger_path().exists()


async def test_a_line_for_each_call_and_item(work: Work, rows: Rows) -> None:
    await use(work)
    lines = rows()
    assert {(each["Source"], each["Topic"]) for each in lines} == {(f"{__name__}.Work", "SYSTEM/WORK")}
    assert [each["SampleTime"] for each in lines] == [
        *("None", "None"),
        "7.3",
        *("7.0", "None"),
        *("7.0", "None"),
        "7.3",
        "7.0",
    ]
    moments = [float(each["PerfCounter"]) for each in lines]
    assert moments == sorted(moments)
    for before, each in zip(moments, lines[1:], strict=False):
        began = float(each["PerfCounter"]) - float(each["Elapsed"]) / 1e3
        assert began > before - 1e-6, "nothing of it but an item itself is measured"


def test_the_kind_and_the_marks_of_a_function_stay() -> None:
    stream = ez.OutputStream(int)
    for above in (True, False):
        decorate = [profile_subpub(), ez.publisher(stream)]

        async def publish(self: Any) -> AsyncIterator[Any]:
            """Publish."""
            yield

        marked: Any = publish
        for each in decorate if above else reversed(decorate):
            marked = each(marked)
        assert marked.__ez_publishes__ == [stream]
        assert (marked.__name__, marked.__doc__) == ("publish", "Publish.")
        assert inspect.isasyncgenfunction(marked)
    assert inspect.iscoroutinefunction(Work.coroutine)
    assert inspect.isgeneratorfunction(Work.items)


async def test_a_generator_that_is_left_is_closed_at_once() -> None:
    ended = []

    @profile_subpub()
    async def numbers(stop: int) -> AsyncIterator[int]:
        try:
            for number in range(stop):
                yield number
        finally:
            ended.append(stop)

    @profile_method()
    def plain(stop: int) -> Generator[int]:
        try:
            yield from range(stop)
        finally:
            ended.append(stop)

    partial, plainly = numbers(9), plain(5)
    assert (await anext(partial), next(plainly)) == (0, 0)
    await partial.aclose()
    plainly.close()
    assert ended == [9, 5]


class Plain:
    @profile_method()
    def do(self) -> None:
        pass


def test_what_has_no_address(rows: Rows) -> None:
    @profile_method()
    def double(value: int) -> int:
        return 2 * value

    assert double(2) == 4
    Plain().do()
    Work().call()
    name = f"{test_what_has_no_address.__qualname__}.<locals>.double"
    sources = [f"{__name__}.{each}" for each in (name, "Plain", "Work")]
    assert [(each["Source"], each["Topic"]) for each in rows()] == [(each, "None") for each in sources]


@pytest.mark.parametrize("decorate", [profile_method, profile_subpub])
def test_a_wrong_use_says_what_to_write(decorate: Any) -> None:
    with pytest.raises(InvalidDecoration, match=rf"write @{decorate.__name__}\(\)"):
        decorate(len)
    with pytest.raises(InvalidDecoration, match="3: a decorator goes above a function"):
        decorate()(3)


COORDINATES = SimpleNamespace(data=np.array([4.0, 5.0, 6.0, 9.0]))
WINDOWS = linear(100.0, 0.5)


@pytest.mark.parametrize(
    ("given", "oldest", "newest"),
    [
        (SECONDS, 7.0, 7.3),
        (message(length=1, time=linear(7.0, 0.1)), 7.0, 7.0),
        (message(length=0, time=linear(7.0, 0.1)), None, None),
        (message(time=linear(7.0, 0.1), win=WINDOWS), 100.0, 101.5),
        (message(win=WINDOWS), 100.0, 101.5),
        (message(time=COORDINATES), 4.0, 9.0),
        (message(length=0, time=SimpleNamespace(data=np.zeros(0))), None, None),
        (message(freq=linear(1.0, 2.0)), None, None),
        (SimpleNamespace(data=np.zeros(3), dims=["ch"], axes={"time": linear(7.0, 0.1)}), None, None),
        (SimpleNamespace(axes={"time": linear(7.0, 0.1)}), None, None),
        (SimpleNamespace(data=np.zeros(3), dims=["time"], axes={"time": SimpleNamespace(offset=1.0)}), None, None),
        (np.zeros(3), None, None),
    ],
)
def test_the_time_of_a_message(given: Any, oldest: float | None, newest: float | None) -> None:
    assert (_sample_time(given, True), _sample_time(given, False)) == (oldest, newest)


ANYTHING = st.none() | st.integers(-3, 3) | st.text(max_size=3) | st.sampled_from([np.zeros((2, 0)), object()])
ODD = ANYTHING | st.lists(ANYTHING) | st.dictionaries(st.sampled_from(["time", "win"]), ANYTHING)
AXES = st.dictionaries(
    st.sampled_from(["time", "win", "ch"]),
    st.builds(SimpleNamespace, offset=ODD, gain=ODD) | st.builds(SimpleNamespace, data=ODD) | ODD,
)
DIMS = st.lists(st.sampled_from(["time", "win", "ch"]))


@given(ODD | st.builds(SimpleNamespace, axes=AXES | ODD, dims=DIMS | ODD, data=ODD), st.booleans())
def test_no_message_makes_a_program_fail(given: Any, oldest: bool) -> None:
    _sample_time(given, oldest)


@given(st.integers(1, 50), st.floats(-1e9, 1e9), st.floats(1e-4, 10))
def test_the_first_sample_is_no_later_than_the_last(length: int, offset: float, gain: float) -> None:
    given = SimpleNamespace(data=np.zeros((length, 2)), dims=["time", "ch"], axes={"time": linear(offset, gain)})
    first, last = _sample_time(given, True), _sample_time(given, False)
    assert first == offset
    assert last == pytest.approx(offset + (length - 1) * gain)
