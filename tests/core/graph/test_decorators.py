"""Decorators mark functions and leave them as they are."""

import inspect
import logging
import re
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from ezmsg.core.errors import InvalidDecoration
from ezmsg.core.graph import decorators as ez
from ezmsg.core.graph.streams import InputStream, InputTopic, OutputStream, OutputTopic

IN = InputStream(int)
OUT, OTHER = OutputStream(int), OutputStream(str)


def fresh() -> Callable[..., Any]:
    async def function(self: object, message: object) -> None: ...

    return function


def test_a_decorated_function_is_the_function() -> None:
    for decorate in (ez.task, ez.main, ez.process, ez.publisher(OUT), ez.subscriber(IN)):
        function = fresh()
        assert decorate(function) is function


def test_marks_are_those_of_the_public_package() -> None:
    assert vars(ez.task(fresh())) == {"__ez_task__": True}
    assert vars(ez.main(fresh())) == {"__ez_main__": True}
    assert vars(ez.process(fresh())) == {"__ez_process__": True}
    assert vars(ez.publisher(OUT)(fresh())) == {"__ez_publishes__": [OUT], "__ez_task__": True}
    assert vars(ez.subscriber(IN)(fresh())) == {
        "__ez_subscribes__": IN,
        "__ez_task__": True,
        "__ez_leaky__": False,
        "__ez_max_queue__": None,
        "__ez_zerocopy__": True,
    }


def test_a_leaky_stream_hands_out_copies() -> None:
    marks = vars(ez.subscriber(InputStream(int, leaky=True, max_queue=4))(fresh()))
    assert (marks["__ez_leaky__"], marks["__ez_max_queue__"], marks["__ez_zerocopy__"]) == (True, 4, False)


def test_several_publishers_can_be_stacked() -> None:
    inner = ez.publisher(OUT)(fresh())
    streams = vars(inner)["__ez_publishes__"]
    assert vars(ez.publisher(OTHER)(inner))["__ez_publishes__"] == [OUT, OTHER]
    assert streams == [OUT]


def test_a_function_has_one_stream_to_subscribe_to() -> None:
    function = ez.subscriber(IN)(fresh())
    with pytest.raises(InvalidDecoration, match=r"fresh.*function.*more than one stream"):
        ez.subscriber(InputStream(int))(function)


@pytest.mark.parametrize("stream", [IN, OutputTopic(int), None, OutputStream])
def test_publishing_needs_an_output_stream(stream: Any) -> None:
    with pytest.raises(InvalidDecoration, match="cannot publish to") as caught:
        ez.publisher(stream)
    assert isinstance(caught.value, ValueError)


@pytest.mark.parametrize("stream", [OUT, InputTopic(int), None, InputStream])
def test_subscribing_needs_an_input_stream(stream: Any) -> None:
    with pytest.raises(InvalidDecoration, match="cannot subscribe to") as caught:
        ez.subscriber(stream)
    assert isinstance(caught.value, ValueError)


@pytest.mark.parametrize(
    ("decorate", "how"),
    [
        (ez.publisher, "@ez.publisher(OUTPUT), with an OutputStream of the unit."),
        (ez.subscriber, "@ez.subscriber(INPUT), with an InputStream of the unit."),
    ],
)
def test_what_names_a_stream_says_so_if_it_names_none(decorate: Any, how: str) -> None:
    said = f"on fresh.<locals>.function: nothing says which stream is meant; write {how}"
    with pytest.raises(InvalidDecoration, match=re.escape(said)):
        decorate(fresh())


@pytest.mark.parametrize("name", ["task", "main", "thread", "process", "timeit"])
def test_what_takes_no_parentheses_says_so(name: str) -> None:
    with pytest.raises(InvalidDecoration, match=f"it takes no parentheses; write @ez.{name}"):
        getattr(ez, name)()


def test_zero_copy_is_taken_and_has_no_effect() -> None:
    with pytest.warns(DeprecationWarning, match="zero_copy") as caught:
        function = ez.subscriber(IN, zero_copy=True)(fresh())
    assert caught[0].filename == __file__
    assert vars(function)["__ez_zerocopy__"] is True


def test_a_function_may_ask_for_copies_of_its_own() -> None:
    function = ez.subscriber(IN, zero_copy=False)(fresh())
    assert vars(function)["__ez_zerocopy__"] is True  # the stream's, as ever
    assert vars(function)["__ez_own_copies__"] is True


def test_threads_are_deprecated() -> None:
    with pytest.warns(DeprecationWarning, match="run_in_executor") as caught:
        function = ez.thread(fresh())
    assert caught[0].filename == __file__
    assert vars(function) == {"__ez_thread__": True}


@pytest.mark.parametrize("decorate", [ez.task, ez.main, ez.process, ez.timeit])
def test_only_functions_and_classes_can_be_decorated(decorate: Any) -> None:
    with pytest.raises(InvalidDecoration, match="3: a decorator goes above"):
        decorate(3)


class TestTimeit:
    """The time of a call is logged, whatever kind of function it is, and its nature and marks stay."""

    @staticmethod
    def logged(caplog: pytest.LogCaptureFixture) -> str:
        (record,) = caplog.records
        return record.getMessage()

    @pytest.fixture(autouse=True)
    def _log_level(self, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.INFO, logger="ezmsg")

    def test_plain(self, caplog: pytest.LogCaptureFixture) -> None:
        @ez.timeit
        def double(value: int) -> int:
            return 2 * value

        assert double(4) == 8
        assert re.search(r"double took \d+\.\d{3} ms$", self.logged(caplog))

    async def test_coroutine(self, caplog: pytest.LogCaptureFixture) -> None:
        @ez.timeit
        @ez.subscriber(IN)
        async def double(value: int) -> int:
            return 2 * value

        assert inspect.iscoroutinefunction(double)
        assert vars(double)["__ez_subscribes__"] is IN
        assert await double(4) == 8
        assert "double took" in self.logged(caplog)

    async def test_generator(self, caplog: pytest.LogCaptureFixture) -> None:
        ended = []

        @ez.publisher(OUT)
        @ez.timeit
        async def count(stop: int) -> AsyncIterator[int]:
            try:
                for value in range(stop):
                    yield value
            finally:
                ended.append(stop)

        assert inspect.isasyncgenfunction(count)
        assert [value async for value in count(3)] == [0, 1, 2]
        assert "count took" in self.logged(caplog)
        partial = count(9)
        assert await anext(partial) == 0
        await partial.aclose()
        assert ended == [3, 9]

    def test_the_time_of_a_failure_is_logged_too(self, caplog: pytest.LogCaptureFixture) -> None:
        @ez.timeit
        def fail() -> None:
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            fail()
        assert "fail took" in self.logged(caplog)
