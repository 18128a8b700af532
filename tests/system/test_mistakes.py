"""Beginners' mistakes, as somebody makes them who has seen only the README: each program is told what is wrong.

Each case is a program that differs from the right one in one place, and the word that it must print; nothing hangs.
"""

import signal
import time
from collections.abc import Callable
from typing import Any

import pytest

HANG = 30.0

GOOD = """
    class SourceSettings(ez.Settings):
        count: int = 3

    class Source(ez.Unit):
        SETTINGS = SourceSettings
        OUTPUT = ez.OutputStream(int)

        @ez.publisher(OUTPUT)
        async def play(self):
            for number in range(self.SETTINGS.count):
                yield self.OUTPUT, number
            raise ez.Complete

    class Sink(ez.Unit):
        INPUT = ez.InputStream(int)

        @ez.subscriber(INPUT)
        async def show(self, message):
            say("shown", message)
            if message == 2:
                raise ez.NormalTermination

    if __name__ == "__main__":
        source, sink = Source(SourceSettings()), Sink()
        ez.run(SOURCE=source, SINK=sink, connections=((source.OUTPUT, sink.INPUT),))
"""

RUN = "ez.run(SOURCE=source, SINK=sink, connections=((source.OUTPUT, sink.INPUT),))"
CONNECTED = "connections=((source.OUTPUT, sink.INPUT),)"

SUBSCRIBES = "@ez.subscriber(INPUT)"
NO_SUPER = "INPUT = ez.InputStream(int)\n\n        def __init__(self):\n            self.seen = 0"
RAISES = f"def initialize(self):\n            1 / 0\n\n        {SUBSCRIBES}"
REMEMBERS = f"STATE = Memory\n\n        {SUBSCRIBES}"

ENDS: list[tuple[str, str, str, str]] = [
    ("a class in place of a unit", RUN, "ez.run(SOURCE=Source, SINK=sink)", "SOURCE"),
    (
        "settings of another class",
        "Source(SourceSettings())",
        "Source(ez.Settings())",
        "takes settings of type SourceS",
    ),
    ("an argument that is none", "Source(SourceSettings())", "Source(cout=4)", "cout"),
    ("an edge that is one stream", CONNECTED, "connections=(source.OUTPUT, sink.INPUT)", "is not an edge"),
    ("an edge without the comma", CONNECTED, "connections=((source.OUTPUT, sink.INPUT))", "write (FROM, TO)"),
    ("an edge from a unit", CONNECTED, "connections=((source, sink.INPUT),)", "Source"),
    ("a loop", CONNECTED, "connections=((source.OUTPUT, sink.INPUT), (sink.INPUT, source.OUTPUT))", "cycle"),
    (
        "a stream that is an inlet",
        "@ez.publisher(OUTPUT)",
        "@ez.publisher(ez.InputStream(int))",
        "cannot publish to",
    ),
    ("a subscriber of an outlet", "@ez.subscriber(INPUT)", "@ez.subscriber(ez.OutputStream(int))", "subscribe to"),
    ("no super().__init__()", "INPUT = ez.InputStream(int)", NO_SUPER, "super().__init__"),
    (
        "too many arguments",
        "async def show(self, message):",
        "async def show(self, a, b):",
        "it would be called as",
    ),
    ("a name with a slash", RUN, "ez.run({'A/B': source, 'SINK': sink})", "A/B"),
    ("no units at all", RUN, "ez.run()", "nothing to run"),
    (
        "an exception in initialize",
        "async def show(",
        "def initialize(self): 1 / 0\n\n        async def show(",
        "SINK",
    ),
    ("state that is never set", SUBSCRIBES, REMEMBERS, "not initialized"),
]
"""What was done, what stands in the right program, what stands in its place, and a word of what is said."""

GOES_ON: list[tuple[str, str, str, str]] = [
    (
        "returned in place of yielded",
        "yield self.OUTPUT, number",
        "return self.OUTPUT, number",
        "Write `yield self.OUT",
    ),
    ("an ordinary function", "async def play(self):", "def play(self):", "Write `async def`"),
    ("a message without its stream", "yield self.OUTPUT, number", "yield number", "Yield (self.OUTPUT, message)"),
    ("a topic that is none", "sink.INPUT),)", "'SINK/INPT'),)", "Is SINK/INPUT meant?"),
    ("nothing is connected", CONNECTED, "connections=()", "Connected to nothing in this program"),
    ("from an inlet", "(source.OUTPUT, sink.INPUT)", "(sink.INPUT, 'ELSEWHERE')", "leads out of an inlet"),
    ("into an outlet", "(source.OUTPUT, sink.INPUT)", "('ELSEWHERE', source.OUTPUT)", "leads into an outlet"),
    ("an exception in a source", "yield self.OUTPUT, number", "yield self.OUTPUT, 1 / 0", "will not run again"),
    (
        "the only source is gone",
        "yield self.OUTPUT, number",
        "yield self.OUTPUT, 1 / 0",
        "Every source of this graph",
    ),
    ("a process for nobody", CONNECTED, CONNECTED + ", process_components=(Sink(),)", "process_components"),
]


def mistaken(right: str, wrong: str) -> str:
    assert right in GOOD
    program = GOOD.replace(right, wrong)
    return "\n    class Memory(ez.State):\n        seen: int\n" + program


def test_the_right_program_is_told_nothing(start: Callable[..., Any]) -> None:
    program = start(GOOD)
    assert program.ends() == 0
    program.says("shown 2")
    assert [line for line in program.err if " - INFO - " not in line] == []


@pytest.mark.parametrize(("right", "wrong", "word"), [case[1:] for case in ENDS], ids=[case[0] for case in ENDS])
def test_a_program_that_cannot_run_ends_with_a_word(
    start: Callable[..., Any], right: str, wrong: str, word: str
) -> None:
    program = start(mistaken(right, wrong))
    program.ends()
    assert word in program.errors, program.story()


@pytest.mark.parametrize(
    ("right", "wrong", "word"), [case[1:] for case in GOES_ON], ids=[case[0] for case in GOES_ON]
)
def test_a_program_that_runs_for_nothing_is_told_so(
    start: Callable[..., Any], right: str, wrong: str, word: str
) -> None:
    program = start(mistaken(right, wrong))
    deadline_s = time.monotonic() + HANG
    while word not in program.errors:
        assert time.monotonic() < deadline_s, program.story()
        time.sleep(0.02)
    program.signal(signal.SIGINT)
    program.ends()
    assert program.errors.count(word) == 1, program.story()


def test_a_level_that_is_none_is_told(start: Callable[..., Any]) -> None:
    program = start(GOOD, EZMSG_LOGLEVEL="loud")
    assert program.ends() == 0
    assert "EZMSG_LOGLEVEL=loud is no level" in program.errors
