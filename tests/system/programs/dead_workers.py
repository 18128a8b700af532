"""VICTIM, in a process of its own, sends its pid to SINK in the program's; what happens to it, the test decides.

The arguments: how processes are started, the policy, and the name of the unit that ends the run, or nothing.
"""

import asyncio
import multiprocessing
import os
import sys
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

from run_units import say

import ezmsg.core as ez


class VictimSettings(ez.Settings):
    gain: int = 1


class Victim(ez.Unit):
    SETTINGS = VictimSettings
    INPUT_SETTINGS = ez.InputStream(VictimSettings)
    OUTPUT = ez.OutputStream(tuple)

    async def initialize(self) -> None:
        say("born", os.getpid())
        broken = Path(os.environ["EZMSG_RUNTIME_DIR"]).parent / "broken"
        if broken.exists():
            raise OSError("no amplifier")

    @ez.subscriber(INPUT_SETTINGS)
    async def take(self, settings: VictimSettings) -> None:
        self.apply_settings(settings)

    @ez.publisher(OUTPUT)
    async def send(self) -> AsyncGenerator[tuple[ez.OutputStream, Any], None]:
        while True:
            await asyncio.sleep(0.01)
            yield self.OUTPUT, (os.getpid(), self.SETTINGS.gain)


class Sink(ez.Unit):
    INPUT = ez.InputStream(tuple)

    async def initialize(self) -> None:
        self.known: set[tuple[int, int]] = set()

    @ez.subscriber(INPUT)
    async def take(self, message: tuple[int, int]) -> None:
        if message not in self.known:
            self.known.add(message)
            say("heard", *message)


class Other(ez.Unit):
    """A third one, in a process of its own too, that goes on whatever happens; it may be what ends the run."""

    @ez.task
    async def tick(self) -> None:
        go = Path(os.environ["EZMSG_RUNTIME_DIR"]).parent / "go"
        while not go.exists():  # noqa: ASYNC110  the test is another process
            await asyncio.sleep(0.02)
        say("ticked")


if __name__ == "__main__":
    method, policy, *ends_with = sys.argv[1:]
    multiprocessing.set_start_method(method)
    victim, sink, other = Victim(VictimSettings()), Sink(), Other()
    ez.run(
        VICTIM=victim,
        SINK=sink,
        OTHER=other,
        connections=[(victim.OUTPUT, sink.INPUT)],
        process_components=[victim, other],
        dead_worker=policy,
        ends_with=ends_with,
    )
    say("returned")
