"""``main`` on the main thread of its process, threads, executors, and what ends the run with them."""

import asyncio
import multiprocessing
import threading
import warnings
from collections.abc import AsyncGenerator

from say import say

import ezmsg.core as ez

with warnings.catch_warnings(record=True) as complaints:
    warnings.simplefilter("always")
    in_thread = ez.thread(lambda unit: unit.measure())


def where() -> str:
    this = threading.current_thread()
    return "on the main thread" if this is threading.main_thread() else "on another thread"


class Window(ez.Unit):
    """A unit whose ``main`` would be a user interface's loop: it runs until the last number has come."""

    INPUT = ez.InputStream(int)

    async def initialize(self) -> None:
        self.numbers: list[int] = []
        self.complete = threading.Event()
        say(self.address, "initialize", where())

    @ez.subscriber(INPUT)
    async def take(self, number: int) -> None:
        self.numbers.append(number)
        if len(self.numbers) == 5:
            say(self.address, "task", where(), self.numbers)
            self.complete.set()
            raise ez.Complete

    @ez.main
    def show(self) -> None:
        say(f"{self.address} main", where(), multiprocessing.parent_process() is not None)
        self.complete.wait()
        self.leave()

    def leave(self) -> None:
        say(f"{self.address} main", "is over")
        raise ez.NormalTermination

    async def shutdown(self) -> None:
        say(self.address, "shutdown", where())


class Inherited(Window):
    """Has the ``main`` of its parent."""


class Returning(Window):
    """``main`` returns, and all tasks are done: that ends the run, too."""

    def leave(self) -> None:
        say(f"{self.address} main", "returns")

    @ez.task
    async def wait(self) -> None:
        await asyncio.get_running_loop().run_in_executor(None, self.complete.wait)
        say(f"{self.address} executor", where())


class Device(ez.Unit):
    """A thread measures, an executor takes what it made, a generator publishes it."""

    OUTPUT = ez.OutputStream(int)

    def initialize(self) -> None:
        self.measured = threading.Semaphore(0)

    def measure(self) -> None:
        say(self.address, "thread", where())
        for _ in range(5):
            self.measured.release()

    background = in_thread

    @ez.publisher(OUTPUT)
    async def send(self) -> AsyncGenerator:
        loop = asyncio.get_running_loop()
        for number in range(5):
            await loop.run_in_executor(None, self.measured.acquire)
            yield self.OUTPUT, number


class Quiet(ez.Unit):
    @ez.main
    def nothing(self) -> None:
        say(self.address, "main", where())


def run(voice: str, window: ez.Unit, *, apart: bool) -> None:
    device = Device()
    ez.run(
        {"DEVICE": device, voice: window},
        connections=((device.OUTPUT, window.INPUT),),
        process_components=(window,) if apart else (),
    )
    say(voice, "run returned")


def two_mains(name: str, *bases: type) -> None:
    try:
        unit = type(name, bases, {})
    except Exception:  # noqa: BLE001  that there is one, is the behaviour
        say("mains", name, "refused")
    else:
        say("mains", name, unit.__main__.__name__)


class Second(ez.Unit):
    @ez.main
    def other(self) -> None: ...


def main() -> None:
    say("deprecated", [each.category.__name__ for each in complaints])
    run("WINDOW", Window(), apart=False)
    run("APART", Inherited(), apart=True)
    run("RETURNING", Returning(), apart=False)
    ez.run(QUIET=Quiet())
    say("QUIET", "run returned")
    say("mains", Window().main.__name__, sorted(Device().threads), Device().main)
    two_mains("One", Window)
    two_mains("Two", Window, Second)
    try:
        ez.run(A=Quiet(), B=Quiet())
    except Exception:  # noqa: BLE001
        say("mains", "two in one process are refused")


if __name__ == "__main__":
    main()
