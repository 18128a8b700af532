"""The units of shutdown_matrix.py: a source, a sink, and probes that end well, fail, or do not end.

The file that the program's first argument names is the sign to act.
"""

import asyncio
import atexit
import contextlib
import os
import signal
import sys
import threading
import time
import warnings
from typing import NoReturn

from run_units import Output, say

import ezmsg.core as ez

GO = sys.argv[1]  # also in a spawned process, which has the arguments of the program
FOREVER_S = 1000.0
LAST = -1


def told() -> bool:
    return os.path.exists(GO)  # noqa: PTH110  a file is what a process of any kind can see


async def go() -> None:
    while not told():  # noqa: ASYNC110
        await asyncio.sleep(0.01)


class SourceSettings(ez.Settings):
    on_go: str = "stays"


class Source(ez.Unit):
    """Sends numbers; when it is told, it stays, or is complete, or ends the run."""

    SETTINGS = SourceSettings
    OUTPUT = ez.OutputStream(int)

    @ez.publisher(OUTPUT)
    async def send(self) -> Output:
        say("running", self.address, os.getpid())
        number = 0
        while not (told() and self.SETTINGS.on_go != "stays"):
            yield self.OUTPUT, number
            number += 1
            await asyncio.sleep(0.005)
        if self.SETTINGS.on_go == "terminates":
            raise ez.NormalTermination
        yield self.OUTPUT, LAST
        raise ez.Complete

    async def shutdown(self) -> None:
        say("shutdown", self.address)


class Sink(ez.Unit):
    """Says the first few messages that it gets, and is complete after the last."""

    INPUT = ez.InputStream(int)
    got = 0

    @ez.subscriber(INPUT)
    async def take(self, number: int) -> None:
        self.got += 1
        if self.got <= 3:
            say("got", self.address, self.got)
        if number == LAST:
            raise ez.Complete

    async def shutdown(self) -> None:
        say("shutdown", self.address)


# --- probes that end well, or fail --------------------------------------------------------------------------------


class Completes(ez.Unit):
    """Says that it is there, and when it is told, that is all."""

    @ez.task
    async def act(self) -> None:
        say("acting", self.address, os.getpid())
        await go()
        await self.then()

    async def then(self) -> None:
        """What it does when it is told."""

    async def shutdown(self) -> None:
        say("shutdown", self.address)


class Terminates(Completes):
    async def then(self) -> None:
        raise ez.NormalTermination


class IsInterrupted(Completes):
    """Has SIGINT come in a way that does not wake the main thread."""

    async def then(self) -> None:
        signal.pthread_kill(threading.get_ident(), signal.SIGINT)
        await asyncio.Event().wait()


class Fails(Completes):
    async def then(self) -> None:
        raise OSError("no amplifier")


class FailsAndGoesOn(Fails):
    """One task dies, and another ends the run in good order."""

    async def initialize(self) -> None:
        self.failed = asyncio.Event()

    async def then(self) -> None:
        self.failed.set()
        await super().then()

    @ez.task
    async def go_on(self) -> None:
        await self.failed.wait()
        say("went on")
        raise ez.NormalTermination


class Waits(Completes):
    """Does nothing until the run is ended."""

    async def then(self) -> None:
        await asyncio.Event().wait()


class FailsToStart(Completes):
    async def initialize(self) -> None:
        raise OSError("no amplifier")


class WaitsAtStart(Completes):
    async def initialize(self) -> None:
        say("acting", self.address, os.getpid())
        await asyncio.Event().wait()


class DiesAtStart(Completes):
    async def initialize(self) -> None:
        os.kill(os.getpid(), signal.SIGKILL)


class DiesAtShutdown(Completes):
    async def shutdown(self) -> None:
        os.kill(os.getpid(), signal.SIGKILL)


class MainTerminates(ez.Unit):
    @ez.main
    def show(self) -> None:
        say("acting", self.address, os.getpid())
        while not told():
            time.sleep(0.01)
        self.then()

    def then(self) -> None:
        raise ez.NormalTermination

    async def shutdown(self) -> None:
        say("shutdown", self.address)


class MainFails(MainTerminates):
    def then(self) -> None:
        raise OSError("no display")


# --- probes that do not end ---------------------------------------------------------------------------------------


class KeepsLoop(ez.Unit):
    @ez.task
    async def act(self) -> None:
        say("acting", self.address, os.getpid())
        while True:
            time.sleep(0.2)  # noqa: ASYNC251


class KeepsLoopAtStart(ez.Unit):
    async def initialize(self) -> None:
        say("acting", self.address, os.getpid())
        time.sleep(FOREVER_S)  # noqa: ASYNC251


class KeepsExecutor(ez.Unit):
    def sleep(self) -> None:
        say("acting", self.address, os.getpid())
        time.sleep(FOREVER_S)

    @ez.task
    async def act(self) -> None:
        await asyncio.to_thread(self.sleep)


class KeepsThread(KeepsExecutor):
    """Starts a thread that the interpreter waits for."""

    @ez.task
    async def act(self) -> None:
        threading.Thread(target=self.sleep, name="acquisition", daemon=False).start()


class KeepsMain(ez.Unit):
    @ez.main
    def act(self) -> NoReturn:
        while True:
            with contextlib.suppress(KeyboardInterrupt):
                say("acting", self.address, os.getpid())
                time.sleep(FOREVER_S)


class KeepsTask(ez.Unit):
    """Refuses to be cancelled."""

    @ez.task
    async def act(self) -> NoReturn:
        while True:
            with contextlib.suppress(asyncio.CancelledError):
                say("acting", self.address, os.getpid())
                await asyncio.Event().wait()


class KeepsShutdown(Completes):
    async def shutdown(self) -> None:
        await asyncio.Event().wait()


class KeepsLoopAtShutdown(Completes):
    def shutdown(self) -> None:
        time.sleep(FOREVER_S)


class KeepsExit(Completes):
    """What it leaves for the end of the interpreter does not end."""

    async def initialize(self) -> None:
        atexit.register(time.sleep, FOREVER_S)


with warnings.catch_warnings(action="ignore"):

    class KeepsUnitThread(ez.Unit):
        """Has a thread of the deprecated kind, which nobody waits for."""

        @ez.thread
        def act(self) -> None:
            say("acting", self.address, os.getpid())
            time.sleep(FOREVER_S)
