"""What test_acceptance_issue_5.py measures: a graph that sends as much as it is told, and one with a slow unit."""

import itertools
import os
import time
from collections.abc import AsyncGenerator
from typing import Any

import numpy as np

import ezmsg.core as ez

Output = AsyncGenerator[tuple[Any, Any], None]


def say(*words: object) -> None:
    """One line, written at once, also among others that write."""
    os.write(1, (" ".join(map(str, words)) + "\n").encode())


class Sender(ez.Unit):
    INPUT = ez.InputStream(int)
    OUTPUT = ez.OutputStream(np.ndarray, num_buffers=4)

    async def initialize(self) -> None:
        say("sender", os.getpid())

    @ez.subscriber(INPUT)
    @ez.publisher(OUTPUT)
    async def send(self, count: int) -> Output:
        for number in range(count):
            yield self.OUTPUT, np.full(2, float(number))


class Sink(ez.Unit):
    INPUT = ez.InputStream(np.ndarray)

    async def initialize(self) -> None:
        self.count = 0
        say(self.address, os.getpid())

    @ez.subscriber(INPUT)
    @ez.timeit
    async def take(self, block: np.ndarray) -> None:
        self.count += 1
        say("got", self.address, self.count)


class Source(ez.Unit):
    OUTPUT = ez.OutputStream(int, num_buffers=4)

    @ez.publisher(OUTPUT)
    async def make(self) -> Output:
        for number in itertools.count():
            yield self.OUTPUT, number


class Quick(ez.Unit):
    INPUT = ez.InputStream(int)

    @ez.subscriber(INPUT)
    async def glance(self, number: int) -> None:
        pass


class Sluggish(ez.Unit):
    INPUT = ez.InputStream(int)

    @ez.subscriber(INPUT)
    async def ponder(self, number: int) -> None:
        say("ponders", os.getpid())
        time.sleep(0.1)  # noqa: ASYNC251, it is to be slow


def sending() -> None:
    sender, sink, near = Sender(), Sink(), Sink()
    edges = [("CMD", sender.INPUT), (sender.OUTPUT, sink.INPUT), (sender.OUTPUT, near.INPUT)]
    ez.run(SENDER=sender, SINK=sink, NEAR=near, connections=edges, process_components=(sink,))


def following() -> None:
    other = Sink()
    ez.run(OTHER=other, connections=[("SENDER/OUTPUT", other.INPUT)])


def slow() -> None:
    source, quick, sluggish = Source(), Quick(), Sluggish()
    edges = [(source.OUTPUT, quick.INPUT), (source.OUTPUT, sluggish.INPUT)]
    ez.run(SOURCE=source, QUICK=quick, SLUGGISH=sluggish, connections=edges, process_components=(quick, sluggish))
