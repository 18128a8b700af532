"""How programs end: complete, terminated, with exceptions, strictly or not, interrupted; and with which status.

Started without arguments, it runs each of its endings as a program of its own.

differs * fails*, strict*: a program that asks for strictness is told of what failed, by an exception of `run` and
  the exit status; the public package ends as if nothing had happened.
differs initialize fails in another process*: the run ends, and says why; the public package waits for ever.
differs initialize fails: units that were ready are shut down.
"""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncGenerator, Callable
from concurrent.futures import ThreadPoolExecutor

from say import say

import ezmsg.core as ez

LIMIT_S = 15.0


class Counter(ez.Unit):
    """Its way to end is a setting of the program."""

    OUTPUT = ez.OutputStream(int)

    @ez.publisher(OUTPUT)
    async def count(self) -> AsyncGenerator:
        try:
            for number in range(3):
                yield self.OUTPUT, number
            self.finish()
        finally:
            say(f"{self.name} count", "is over")

    def finish(self) -> None:
        raise ez.Complete

    async def shutdown(self) -> None:
        say(self.name, "shutdown")


class Terminating(Counter):
    def finish(self) -> None:
        raise ez.NormalTermination


class Failing(Counter):
    def finish(self) -> None:
        raise ValueError("count")


class Endless(Counter):
    OTHER = ez.OutputStream(str)

    @ez.publisher(OTHER)
    async def wait(self) -> AsyncGenerator:
        try:
            yield self.OTHER, "begin"
            await asyncio.Event().wait()
        finally:
            say(f"{self.name} wait", "is over")


class Sink(ez.Unit):
    """Leaves after three numbers."""

    INPUT = ez.InputStream(int)

    async def initialize(self) -> None:
        self.seen: list[int] = []

    @ez.subscriber(INPUT)
    async def take(self, number: int) -> None:
        self.seen.append(number)
        say(self.name, "take", number)
        self.look()

    def look(self) -> None:
        if len(self.seen) == 3:
            raise ez.Complete

    async def shutdown(self) -> None:
        say(self.name, "shutdown")


class FailingSink(Sink):
    """Fails at the second message; whether it is called for the third is what this is about."""

    def look(self) -> None:
        super().look()
        if len(self.seen) == 2:
            raise ValueError("take")


class TerminatingSink(Sink):
    def look(self) -> None:
        if len(self.seen) == 2:
            raise ez.NormalTermination


class FailingShutdown(Sink):
    async def shutdown(self) -> None:
        await super().shutdown()
        raise ValueError("shutdown")


class Quiet(Counter):
    """May have begun when another process fails to begin, or not."""

    async def shutdown(self) -> None:
        """Say nothing."""


class NotStarting(Sink):
    async def initialize(self) -> None:
        raise ValueError("initialize")


class Interrupter(ez.Unit):
    """Presses Ctrl-C when everything runs: as from a terminal, every process of the program gets it."""

    INPUT = ez.InputStream(str)

    @ez.subscriber(INPUT)
    async def interrupt(self, _: str) -> None:
        os.killpg(os.getpgid(0), signal.SIGINT)


def run(source: Counter, sink: Sink, *apart: ez.Component) -> None:
    ez.run(
        {"SOURCE": source, "SINK": sink},
        root_name=str(os.getpid()),  # several endings run at a time, and share a graph server
        connections=((source.OUTPUT, sink.INPUT),),
        process_components=apart,
    )


def in_two(source: Counter, sink: Sink) -> None:
    run(source, sink, sink)


def interrupted(*, apart: bool) -> None:
    source, interrupter = Endless(), Interrupter()
    ez.run(
        {"SOURCE": source, "INTERRUPTER": interrupter},
        root_name=str(os.getpid()),
        connections=((source.OTHER, interrupter.INPUT),),
        process_components=(source,) if apart else (),
    )


ENDINGS: dict[str, Callable[[], None]] = {
    "complete": lambda: run(Counter(), Sink()),
    "complete, two processes": lambda: in_two(Counter(), Sink()),
    "terminated by a generator": lambda: run(Terminating(), Sink()),
    "terminated by a subscriber": lambda: run(Endless(), TerminatingSink()),
    "terminated in another process": lambda: in_two(Endless(), TerminatingSink()),
    "publisher fails": lambda: run(Failing(), Sink()),
    "subscriber fails": lambda: run(Counter(), FailingSink()),
    "subscriber fails in another process": lambda: in_two(Counter(), FailingSink()),
    "shutdown fails": lambda: run(Counter(), FailingShutdown()),
    "initialize fails": lambda: run(Counter(), NotStarting()),
    "initialize fails in another process": lambda: in_two(Quiet(), NotStarting()),
    "interrupted": lambda: interrupted(apart=False),
    "interrupted, two processes": lambda: interrupted(apart=True),
    "nothing to run": lambda: ez.run({}),
}

STRICTLY = ("complete", "publisher fails", "subscriber fails", "subscriber fails in another process")


def tell(ending: str, strict: str) -> None:
    """Run one ending and pass on what it says, under its name; what `run` raises is a voice of its own."""
    name = f"{ending}, strict" if strict else ending
    with subprocess.Popen(
        [sys.executable, __file__, ending],
        env=os.environ | {"EZMSG_STRICT_SHUTDOWN": strict},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            out, _ = process.communicate(timeout=LIMIT_S)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            say(name, "hangs")
            return
    for line in sorted(out.splitlines(), key=lambda line: line.partition(":")[0]):
        voice = f"{name}, error" if line.startswith("error: ") else name
        say(voice, line)
    say(name, "exit status", process.returncode)


def run_one(ending: str) -> None:
    try:
        ENDINGS[ending]()
    except Exception as error:
        say("run", "raised")
        say("error", type(error).__name__)
        raise
    say("run", "returned")


def main() -> None:
    if len(sys.argv) == 2:
        run_one(sys.argv[1])
        return
    endings = [(ending, "") for ending in ENDINGS] + [(ending, "1") for ending in STRICTLY]
    with ThreadPoolExecutor(max_workers=4) as several:
        list(several.map(tell, *zip(*endings, strict=True)))


if __name__ == "__main__":
    main()
