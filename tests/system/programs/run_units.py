"""Units for the programs of test_run*.py, at the top of a module so that a spawned process can import them."""

import asyncio
import multiprocessing
import os
import signal
import sys
import threading
import time
import warnings
from collections.abc import AsyncGenerator
from typing import Any

import ezmsg.core as ez
from ezmsg.core.backendprocess import DefaultBackendProcess

Output = AsyncGenerator[tuple[Any, Any], None]


def say(*words: object) -> None:
    """One line, written at once, also among others that write."""
    os.write(1, (" ".join(map(str, words)) + "\n").encode())


def start_as(method: str) -> None:
    multiprocessing.set_start_method(method)


class CountSettings(ez.Settings):
    count: int = 10
    ends_run: bool = False


class Counter(ez.Unit):
    """Publishes 0, 1, 2, ... and is complete."""

    SETTINGS = CountSettings
    OUTPUT = ez.OutputStream(int)

    @ez.publisher(OUTPUT)
    async def count(self) -> Output:
        for number in range(self.SETTINGS.count):
            yield self.OUTPUT, number
        if self.SETTINGS.ends_run:
            raise ez.NormalTermination
        raise ez.Complete


class PrinterState(ez.State):
    seen: list[int]


class Printer(ez.Unit):
    """Says what arrived when it has got everything, and ends the run."""

    SETTINGS = CountSettings
    STATE = PrinterState
    INPUT = ez.InputStream(int)

    async def initialize(self) -> None:
        self.STATE.seen = []
        say("initialize", self.address, os.getpid())

    @ez.subscriber(INPUT)
    async def take(self, number: int) -> None:
        self.STATE.seen.append(number)
        if len(self.STATE.seen) == self.SETTINGS.count:
            say("seen", self.address, *self.STATE.seen)
            raise ez.NormalTermination

    async def shutdown(self) -> None:
        say("shutdown", self.address)


class Ticker(ez.Unit):
    """Goes on until somebody ends the run; says so when it begins and when it is shut down."""

    OUTPUT = ez.OutputStream(int)

    @ez.publisher(OUTPUT)
    async def tick(self) -> Output:
        say("running", self.address, os.getpid())
        number = 0
        try:
            while True:
                yield self.OUTPUT, number
                number += 1
                await asyncio.sleep(0.005)
        finally:
            say("closed", self.address)

    async def shutdown(self) -> None:
        say("shutdown", self.address)


class Listener(ez.Unit):
    """Says the first few messages that it gets."""

    INPUT = ez.InputStream(int)
    got = 0

    @ez.subscriber(INPUT)
    async def take(self, _: int) -> None:
        self.got += 1
        if self.got <= 3:
            say("got", self.address, self.got)

    async def shutdown(self) -> None:
        say("shutdown", self.address)


class Pair(ez.Collection):
    """A ticker and a listener, each in a process of its own, so that with another unit there are three."""

    TICKER = Ticker()
    LISTENER = Listener()

    def network(self) -> ez.NetworkDefinition:
        return ((self.TICKER.OUTPUT, self.LISTENER.INPUT),)

    def process_components(self) -> tuple[ez.Component, ...]:
        return (self.TICKER, self.LISTENER)


class Here(Ticker):
    """A ticker that stays in the program's own process."""


class Blocker(ez.Unit):
    """Never gives its event loop a turn again."""

    @ez.task
    async def block(self) -> None:
        say("blocking", self.address, os.getpid())
        while True:
            time.sleep(0.2)  # noqa: ASYNC251  that is what it is for


class Last(ez.Unit):
    """Ends the run when the file that the program was told of is there."""

    @ez.task
    async def wait(self) -> None:
        while not os.path.exists(sys.argv[1]):  # noqa: ASYNC110, ASYNC240, PTH110  a file is what others can make
            await asyncio.sleep(0.01)
        raise ez.NormalTermination


def limit_stopping(seconds: float) -> None:
    """Let the time for stopping be short."""
    os.environ["EZMSG_SHUTDOWN_TIMEOUT"] = str(seconds)


class Loud(DefaultBackendProcess):
    """Says what it is given, and puts something of its own on the loop before the units run."""

    def process(self, loop: asyncio.AbstractEventLoop) -> None:
        assert threading.current_thread() is threading.main_thread()
        assert self.graph_address.port > 0
        asyncio.run_coroutine_threadsafe(self.greet(), loop).result(30)
        say("before", *[unit.address for unit in self.units], os.getpid())
        super().process(loop)
        asyncio.run_coroutine_threadsafe(self.greet(), loop).result(30)
        say("after", self.term_ev.is_set(), *[unit.address for unit in self.units])

    async def greet(self) -> None:
        say("greets", threading.current_thread().name)


class Idle(DefaultBackendProcess):
    """Runs no unit."""

    def process(self, loop: asyncio.AbstractEventLoop) -> None:
        say("idle")


class Failing(DefaultBackendProcess):
    """Fails when it has begun."""

    def process(self, loop: asyncio.AbstractEventLoop) -> None:
        raise OSError("no such core")


__all__ = [
    "Blocker",
    "CountSettings",
    "Counter",
    "Failing",
    "Here",
    "Idle",
    "Last",
    "Listener",
    "Loud",
    "Output",
    "Pair",
    "Printer",
    "PrinterState",
    "Ticker",
    "asyncio",
    "ez",
    "limit_stopping",
    "multiprocessing",
    "os",
    "say",
    "signal",
    "start_as",
    "sys",
    "threading",
    "time",
    "warnings",
]
