"""Units and streams: publishers and subscribers, alone, stacked and together, and what passes between them."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

import numpy as np
from say import say

import ezmsg.core as ez

COUNT = 40


class Topics(Enum):
    NUMBERS = auto()


@dataclass
class Sample:
    number: int
    values: np.ndarray


class Source(ez.Unit):
    """Two outlets of one generator, and a third of another one."""

    NUMBERS = ez.OutputStream(int)
    SQUARES = ez.OutputStream(int)
    THINGS = ez.OutputStream(Any, num_buffers=4, buf_size=64)
    FOREIGN = ez.OutputStream(int)

    @ez.publisher(NUMBERS)
    @ez.publisher(SQUARES)
    async def count(self) -> AsyncGenerator:
        for number in range(COUNT):
            yield self.NUMBERS, number
            yield self.SQUARES, number**2
        raise ez.Complete

    @ez.publisher(THINGS)
    async def show(self) -> AsyncGenerator:
        yield self.THINGS, None
        yield self.THINGS, "text"
        yield self.THINGS, b"bytes"
        yield self.THINGS, {"key": [1, 2.5, (3, None)]}
        yield self.THINGS, Sample(7, np.arange(3))
        for size in (0, 10, 1_000, 100_000):  # the last two are larger than a buffer is at first
            yield self.THINGS, np.arange(size, dtype=np.float32).reshape(2, -1)
        yield self.THINGS, "end"


class Adder(ez.Unit):
    """A subscriber that publishes: no message for some, several for others."""

    INPUT = ez.InputStream(int)
    EVEN = ez.OutputStream(int)
    TWICE = ez.OutputStream(int)

    @ez.subscriber(INPUT)
    @ez.publisher(EVEN)
    @ez.publisher(TWICE)
    async def add(self, number: int) -> AsyncGenerator:
        if number % 2 == 0:
            yield self.EVEN, number
        if number % 10 == 0:
            yield self.TWICE, number
            yield self.TWICE, number


class Sink(ez.Unit):
    """Every inlet is a voice; two functions share an inlet."""

    NUMBERS = ez.InputStream(int)
    TWICE = ez.InputStream(int)
    BOTH = ez.InputStream(int)
    THINGS = ez.InputStream(Any)
    UNUSED = ez.InputStream(int)

    async def initialize(self) -> None:
        self.waiting = {
            "numbers": COUNT,
            "again": COUNT,
            "twice": COUNT // 5,
            "both": COUNT + COUNT // 2,
            "things": 10,
        }
        self.squares: list[int] = []
        self.evens: list[int] = []

    def take(self, voice: str) -> None:
        self.waiting[voice] -= 1
        if not any(self.waiting.values()):
            say("squares", self.squares)
            say("evens", self.evens)
            raise ez.NormalTermination

    @ez.subscriber(NUMBERS)
    async def on_number(self, number: int) -> None:
        say("numbers", number)
        self.take("numbers")

    @ez.subscriber(NUMBERS)
    async def on_number_again(self, number: int) -> None:
        say("numbers again", number)
        self.take("again")

    @ez.subscriber(TWICE)
    def on_twice(self, number: int) -> None:
        say("twice", number)
        self.take("twice")

    @ez.subscriber(BOTH)
    async def on_both(self, number: int | tuple[str, int]) -> None:
        """Two publishers lead here: each keeps its order, and nothing is lost."""
        (self.evens if isinstance(number, int) and number >= 0 else self.squares).append(number)
        self.take("both")

    @ez.subscriber(THINGS)
    async def on_thing(self, thing: Any) -> None:
        if isinstance(thing, np.ndarray):
            say("things", type(thing).__name__, thing.dtype, thing.shape, thing.sum())
        else:
            say("things", type(thing).__name__, thing)
        self.take("things")


class Negative(ez.Unit):
    """Two units of one class have streams of their own."""

    INPUT = ez.InputStream(int)
    OUTPUT = ez.OutputStream(int)

    @ez.subscriber(INPUT)
    @ez.publisher(OUTPUT)
    async def negate(self, number: int) -> AsyncGenerator:
        yield self.OUTPUT, -number - 1


def main() -> None:
    source, adder, sink, negative, bystander = Source(), Adder(), Sink(), Negative(), Negative()
    ez.run(
        {"SOURCE": source, "ADDER": adder, "SINK": sink, "NEGATIVE": negative, "BYSTANDER": bystander},
        connections=(
            (source.NUMBERS, Topics.NUMBERS),
            (Topics.NUMBERS, adder.INPUT),
            ("NUMBERS", sink.NUMBERS),
            (adder.TWICE, sink.TWICE),
            (adder.EVEN, sink.BOTH),
            (source.SQUARES, "SOME/WHERE"),
            ("SOME/WHERE", negative.INPUT),
            (negative.OUTPUT, sink.BOTH),
            (source.THINGS, sink.THINGS),
        ),
    )
    say("addresses", source.address, source.NUMBERS.address, bystander.INPUT.address, bystander.name)
    say("addresses", sink.location, sorted(sink.streams), sorted(source.tasks))
    say("addresses", source.NUMBERS is source.streams["NUMBERS"], source.NUMBERS is Source.NUMBERS)


if __name__ == "__main__":
    main()
