"""A graph of two processes that is brought into a state, and ended; see test_endings_matrix.py.

``FAR``, in the worker, sends to ``NEAR``, in the program's own process, and to ``PROBE``, which is in either and in
the state that the case is about. The first argument is the case. What happens is written into a file, because the
standard streams may be closed, and the sign to act is something to read in a pipe that has a name.
"""

import asyncio
import fcntl
import functools
import json
import multiprocessing
import os
import select
import sys
import threading
from typing import Any, NoReturn

from run_units import Output

import ezmsg.core as ez

CASE: dict[str, str] = json.loads(sys.argv[1])
WORDS = os.environ["EZMSG_TEST_WORDS"]
GO = os.environ["EZMSG_TEST_GO"]
GIVES_TURNS = CASE["turns"] == "given"
FAILS = CASE["ending"] == "exception"
LEAVES = CASE["ending"] == "leaves" and CASE["state"] != "in_shutdown"
"""Whether the sign is for the program, and none for the run."""
SHUTDOWN_S = 1.0
FOREVER_S = 1000.0

outcome: list[Any] = []


def say(*words: object) -> None:
    with open(WORDS, "ab", buffering=0) as file:  # noqa: PTH123  appended at once, among others that write
        file.write((" ".join(map(str, words)) + "\n").encode())


@functools.cache
def sign() -> int:
    """Return what can be read from when it is told. Nobody reads, so that everybody sees it."""
    low = os.open(GO, os.O_RDONLY | os.O_NONBLOCK)
    try:
        return fcntl.fcntl(low, fcntl.F_DUPFD_CLOEXEC, 3)  # what is below may be closed, and is not ours
    finally:
        os.close(low)


async def told() -> None:
    """Wait for the sign."""
    loop, seen = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(sign(), seen.set)
    try:
        await seen.wait()
    finally:
        loop.remove_reader(sign())


async def keep(seconds: float, *, unless_told: bool = False) -> None:
    """Take so long, with turns for others or without."""
    if not GIVES_TURNS:
        select.select([sign()] if unless_told else [], [], [], seconds)
    elif unless_told:
        await asyncio.wait_for(told(), seconds)
    else:
        await asyncio.sleep(seconds)


class MemberSettings(ez.Settings):
    ends_run: bool = False


class Member(ez.Unit):
    """Says what becomes of it; the one that ``ends_run`` does so, well or not, when it is told."""

    SETTINGS = MemberSettings

    def say(self, what: str) -> None:
        say(what, self.name, os.getpid())

    async def initialize(self) -> None:
        self.say("initialized")

    @ez.task
    async def wait(self) -> None:
        if LEAVES or not self.SETTINGS.ends_run:
            await asyncio.Event().wait()
        await told()
        if FAILS and CASE["state"] != "in_shutdown":
            raise OSError("no amplifier")
        raise ez.NormalTermination

    async def shutdown(self) -> None:
        self.say("shutdown")


class Far(Member):
    OUTPUT = ez.OutputStream(int)

    @ez.publisher(OUTPUT)
    async def send(self) -> Output:
        for number in range(1_000_000):
            yield self.OUTPUT, number
            await asyncio.sleep(0.01)


class Near(Member):
    INPUT = ez.InputStream(int)
    got = 0

    @ez.subscriber(INPUT)
    async def take(self, _: int) -> None:
        self.got += 1
        if self.got == 3:
            self.say("flowing")


class Busy(Near):
    @ez.task
    async def act(self) -> NoReturn:
        self.say("in_task")
        while True:
            await keep(FOREVER_S)


class Initialize(Near):
    async def initialize(self) -> None:
        self.say("in_initialize")
        await keep(FOREVER_S, unless_told=FAILS)
        raise OSError("no amplifier")


class Shutdown(Near):
    async def shutdown(self) -> None:
        self.say("in_shutdown")
        await keep(SHUTDOWN_S)
        self.say("shutdown")
        if FAILS:
            raise OSError("no amplifier")


PROBES = {"idle": Near, "in_task": Busy, "in_initialize": Initialize, "in_shutdown": Shutdown}


class Worker(ez.Collection):
    """What runs in the worker."""

    FAR = Far()


class WorkerWithProbe(Worker):
    PROBE = PROBES[CASE["state"]]()


def run() -> None:
    """Run the graph; what it ends with becomes the exit status of the program."""
    in_worker = CASE["probe"] == "worker"
    worker = WorkerWithProbe() if in_worker else Worker()
    components: dict[str, Any] = {"WORKER": worker, "NEAR": Near(ends_run=in_worker)}
    worker.FAR.apply_settings(MemberSettings(ends_run=not in_worker))
    if isinstance(worker, WorkerWithProbe):
        probe = worker.PROBE
    else:
        probe = components["PROBE"] = PROBES[CASE["state"]]()
    edges = [(worker.FAR.OUTPUT, components["NEAR"].INPUT)]
    edges.append((worker.FAR.OUTPUT, probe.INPUT))
    try:
        ez.run(components, connections=edges, process_components=(worker,))
    except SystemExit as error:
        outcome.append(error.code)
    except BaseException:
        outcome.append(1)
        raise
    else:
        outcome.append(0)


def main() -> None:
    multiprocessing.set_start_method(CASE["method"])
    if CASE["called"] == "main":
        run()
    else:
        thread = threading.Thread(target=run, daemon=CASE["called"] == "daemon")
        thread.start()
        if CASE["ending"] == "leaves":
            select.select([sign()], [], [])
            return
        thread.join()
    sys.exit(outcome[0])


if __name__ == "__main__":
    main()
