"""A graph of two processes, told to run until it is ended: a source with settings that may change, and a sink."""

import asyncio
import os

import numpy as np

import ezmsg.core as ez


def say(*words):
    os.write(1, (" ".join(map(str, words)) + "\n").encode())


class SourceSettings(ez.Settings):
    gain: float = 1.0
    label: str = "plain"


class SourceState(ez.State):
    gain: float = 0.0


class Source(ez.Unit):
    SETTINGS = SourceSettings
    STATE = SourceState
    INPUT_SETTINGS = ez.InputStream(SourceSettings)
    OUTPUT = ez.OutputStream(np.ndarray, num_buffers=4, buf_size=4096)

    async def initialize(self):
        self.STATE.gain = self.SETTINGS.gain

    @ez.subscriber(INPUT_SETTINGS)
    async def on_settings(self, message: SourceSettings) -> None:
        self.apply_settings(message)
        self.STATE.gain = message.gain

    @ez.publisher(OUTPUT)
    async def make(self):
        while True:
            yield self.OUTPUT, np.full(64, self.STATE.gain)
            await asyncio.sleep(0.005)


class Sink(ez.Unit):
    INPUT = ez.InputStream(np.ndarray, leaky=True, max_queue=3)

    seen = 0

    @ez.subscriber(INPUT)
    async def take(self, message: np.ndarray) -> None:
        self.seen += 1
        if self.seen == 1:
            say("first", os.getpid())

    @ez.task
    async def idle(self) -> None:
        await asyncio.Event().wait()


class Inner(ez.Collection):
    INPUT = ez.InputTopic(np.ndarray)
    SINK = Sink()

    def network(self):
        return ((self.INPUT, self.SINK.INPUT),)

    def process_components(self):
        return (self.SINK,)


class System(ez.Collection):
    SOURCE = Source(SourceSettings(gain=2.5))
    INNER = Inner()

    def network(self):
        return ((self.SOURCE.OUTPUT, self.INNER.INPUT),)


if __name__ == "__main__":
    ez.run(LAB=System(), root_name="ROOT")
