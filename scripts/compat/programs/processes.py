"""Processes: who gets one of its own, forked and spawned, and what reaches it."""

import multiprocessing
import os
from collections.abc import AsyncGenerator

import numpy as np
from say import say

import ezmsg.core as ez

COUNT = 50


class Size(ez.Settings):
    shape: tuple[int, int] = (1, 1)


class Where(ez.Unit):
    """Tells in which process it lives; the collections say with whom it shares that."""

    OUTPUT = ez.OutputStream(tuple)

    @ez.publisher(OUTPUT)
    async def tell(self) -> AsyncGenerator:
        yield self.OUTPUT, (self.address, os.getpid())


class Source(ez.Unit):
    SETTINGS = Size
    OUTPUT = ez.OutputStream(np.ndarray, num_buffers=4, buf_size=1024)

    @ez.publisher(OUTPUT)
    async def send(self) -> AsyncGenerator:
        for number in range(COUNT):
            yield self.OUTPUT, np.full(self.SETTINGS.shape, number, dtype=np.int16)


class Echo(ez.Unit):
    """In a process of its own: arrays go there and come back through shared memory."""

    INPUT = ez.InputStream(np.ndarray)
    OUTPUT = ez.OutputStream(np.ndarray, num_buffers=2, force_tcp=True)

    @ez.subscriber(INPUT)
    @ez.publisher(OUTPUT)
    async def echo(self, array: np.ndarray) -> AsyncGenerator:
        yield self.OUTPUT, array + 1

    async def shutdown(self) -> None:
        say(self.address, "shutdown")


class Sink(ez.Unit):
    """Ends the run when it knows everything: all arrays, in order, and where everybody lives."""

    SETTINGS = Size
    INPUT = ez.InputStream(np.ndarray)
    PLACES = ez.InputStream(tuple)

    async def initialize(self) -> None:
        self.numbers: list[int] = []
        self.places = {self.address: os.getpid()}

    @ez.subscriber(INPUT)
    async def on_array(self, array: np.ndarray) -> None:
        if not self.numbers:
            say("arrays", array.dtype, array.shape, "writable" if array.flags.writeable else "read-only")
        assert np.array_equal(array, np.full(self.SETTINGS.shape, array[0, 0]))
        self.numbers.append(int(array[0, 0]))
        self.end_if_complete()

    @ez.subscriber(PLACES)
    async def on_place(self, place: tuple[str, int]) -> None:
        self.places[place[0]] = place[1]
        self.end_if_complete()

    def end_if_complete(self) -> None:
        if len(self.numbers) < COUNT or len(self.places) < 7:
            return
        say("arrays", self.numbers)
        together: dict[int, list[str]] = {}
        for address in sorted(self.places):
            together.setdefault(self.places[address], []).append(address)
        for addresses in together.values():
            say("together", *addresses)
        say("the sink is in a child", multiprocessing.parent_process() is not None)
        raise ez.NormalTermination


class Pair(ez.Collection):
    """Its second unit is separated here, whatever is said of the pair further up."""

    OUTPUT = ez.OutputTopic(tuple)
    FIRST = Where()
    SECOND = Where()

    def network(self) -> ez.NetworkDefinition:
        return ((self.FIRST.OUTPUT, self.OUTPUT), (self.SECOND.OUTPUT, self.OUTPUT))

    def process_components(self) -> tuple[ez.Component, ...]:
        return (self.SECOND,)


class Together(ez.Collection):
    """Two units that nobody separates from each other."""

    OUTPUT = ez.OutputTopic(tuple)
    FIRST = Where()
    SECOND = Where()

    def network(self) -> ez.NetworkDefinition:
        return ((self.FIRST.OUTPUT, self.OUTPUT), (self.SECOND.OUTPUT, self.OUTPUT))


class System(ez.Collection):
    SETTINGS = Size
    SOURCE = Source()
    ECHO = Echo()
    SINK = Sink()
    PAIR = Pair()
    TOGETHER = Together()
    HERE = Where()
    ALONE = Where()

    def configure(self) -> None:
        self.SOURCE.apply_settings(self.SETTINGS)
        self.SINK.apply_settings(self.SETTINGS)

    def network(self) -> ez.NetworkDefinition:
        return (
            (self.SOURCE.OUTPUT, self.ECHO.INPUT),
            (self.ECHO.OUTPUT, self.SINK.INPUT),
            *((each.OUTPUT, self.SINK.PLACES) for each in (self.PAIR, self.TOGETHER, self.HERE, self.ALONE)),
        )

    def process_components(self) -> tuple[ez.Component, ...]:
        return (self.ECHO, self.TOGETHER, self.ALONE)


def main() -> None:
    for method in ("spawn", "fork"):
        multiprocessing.set_start_method(method, force=True)
        say("together", method)
        ez.run(SYSTEM=System(shape=(2, 3)))
    say("together", "force_single_process")
    ez.run(SYSTEM=System(shape=(100, 100)), force_single_process=True)
    say("together", "listed in run")
    system = System(shape=(100, 100))
    ez.run({"SYSTEM": system}, process_components=(system,))


if __name__ == "__main__":
    main()
