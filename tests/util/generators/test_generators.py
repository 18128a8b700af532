"""Generators made ready, put in a row, and made units that run."""

from collections.abc import Generator, Iterator
from typing import Any

import pytest
from tests.util.conftest import Run

import ezmsg.core as ez
from ezmsg.util import errors
from ezmsg.util.gen_to_unit import args_to_settings, args_to_state, gen_to_unit
from ezmsg.util.generator import Gen, compose, consumer
from ezmsg.util.messages.axisarray import AxisArray


@consumer
def times(factor: int, offset: int = 0) -> Generator[int | None, int, None]:
    """Multiply."""
    value = None
    while True:
        sent = yield value
        value = sent * factor + offset


def test_a_consumer_is_ready_for_its_first_value() -> None:
    assert times(2).send(3) == 6
    assert (times.__name__, times.__doc__) == ("times", "Multiply.")
    assert compose(times(2), times(1, offset=1))(3) == 7
    assert compose()(3) == 3


def test_a_unit_has_settings_state_and_streams_of_a_function() -> None:
    settings, unit = gen_to_unit(times, output_stream_kwargs={"num_buffers": 4})
    assert (settings.__name__, unit.__name__, unit.__module__) == ("TimesSettings", "TimesUnit", __name__)
    assert settings(factor=3) == settings(3, 0)
    streams = unit.__streams__
    assert {name: stream.msg_type for name, stream in streams.items()} == {"INPUT": int, "OUTPUT": int | None}
    assert streams["OUTPUT"].num_buffers == 4
    assert issubclass(unit, ez.Unit)
    assert issubclass(args_to_settings("f", {"a": int}, {"a": 1}), ez.Settings)
    assert set(args_to_state("f", {"a": int}, float, int).__annotations__) == {"a", "gen"}


def test_streams_of_arrays_are_signals() -> None:
    def scale(gain: float) -> Generator[AxisArray, AxisArray, None]:
        yield from ()

    def source() -> Generator[AxisArray, None, None]:
        yield from ()

    assert set(gen_to_unit(scale)[1].__streams__) == {"INPUT_SIGNAL", "OUTPUT_SIGNAL"}
    assert set(gen_to_unit(source)[1].__streams__) == {"OUTPUT_SIGNAL"}


def unannotated(a):  # type: ignore[no-untyped-def]
    yield a


def iterates() -> Iterator[int]:
    yield 1


@pytest.mark.parametrize("func", [unannotated, iterates, len])
def test_a_function_that_does_not_say_what_it_yields_is_refused(func: Any) -> None:
    with pytest.raises(errors.NoGenerator, match=r"EZ-7201  \w+ cannot be made a unit"):
        gen_to_unit(func)


def test_a_unit_without_a_generator_says_what_to_define() -> None:
    with pytest.raises(NotImplementedError, match=r"Gen must define construct_generator\(\)"):
        Gen().construct_generator()


def test_units_of_generators_run(run_program: Run) -> None:
    got = run_program("""
        from types import SimpleNamespace
        from ezmsg.util.gen_to_unit import gen_to_unit
        from ezmsg.util.generator import Gen, consumer

        def count(stop: int) -> Generator[int, None, None]:
            yield from range(stop)
            yield None

        @consumer
        def scale(gain: int, made: Any = None) -> Generator[Any, Any, None]:
            value, number = None, 0
            while True:
                sent = yield value
                number += 1
                value = [sent.v * gain, number]

        class Wrapped(Gen):
            def construct_generator(self) -> None:
                self.STATE.gen = half()

        @consumer
        def half() -> Generator[Any, Any, None]:
            value = None
            while True:
                sent = yield value
                value = None if sent % 2 else sent // 2

        if sys.argv[1:] == []:
            settings, Count = gen_to_unit(count, sleep_time=0.001)
            source, wrapped = Count(settings(stop=6)), Wrapped()
            tell(run((source.OUTPUT, wrapped.INPUT), (wrapped.OUTPUT, None), total=3, SOURCE=source, HALF=wrapped))

        settings, Scale = gen_to_unit(scale, msg_to_state={"g": "gain"})
        source = script(*(SimpleNamespace(v=v, g=g) for v, g in ((1, 2), (2, 2), (3, 5), (4, 5), (5, 2))))
        scaled = Scale(settings(gain=2))
        tell(run((source.OUTPUT, scaled.INPUT), (scaled.OUTPUT, None), total=5, SOURCE=source, SCALE=scaled))
    """)
    assert got == [[0, 1, 2], [[2, 1], [4, 2], [15, 1], [20, 2], [10, 1]]]


def test_a_generator_that_fails_is_told_once_and_the_program_goes_on(run_program: Run) -> None:
    log: list[str] = []
    (got,) = run_program(
        """
        from ezmsg.util.generator import Gen, consumer

        @consumer
        def inverse() -> Generator[Any, Any, None]:
            value = None
            while True:
                sent = yield value
                value = 12 // sent

        class Inverse(Gen):
            def construct_generator(self) -> None:
                self.STATE.gen = inverse()

        source, unit, keep = script(1, 2, 0, 3, 4), Inverse(), MessageCollector()
        end = TerminateOnTotal(5)
        edges = [(source.OUTPUT, unit.INPUT), (unit.OUTPUT, keep.INPUT_MESSAGE), (source.OUTPUT, end.INPUT_MESSAGE)]
        ez.run(SOURCE=source, UNIT=unit, KEEP=keep, END=end, connections=edges, force_single_process=True)
        tell(keep.messages)
        """,
        log=log,
    )
    assert got == [12, 6]
    assert sum("The generator of UNIT failed" in line for line in log) == 1
    assert any("ZeroDivisionError" in line for line in log)
