"""Five units in five processes, over with the first message: arguments are the start method, and `axisarray`."""

import asyncio
import json
import multiprocessing
import sys
import time

import numpy as np

import ezmsg.core as ez

if "axisarray" in sys.argv:
    from ezmsg.util.messages.axisarray import AxisArray

    MESSAGE = AxisArray(np.zeros((32, 30), np.float32), dims=["time", "ch"])
else:
    MESSAGE = np.zeros((32, 30), np.float32)

Kind = type(MESSAGE)


class Source(ez.Unit):
    OUTPUT = ez.OutputStream(Kind)

    @ez.publisher(OUTPUT)
    async def send(self):
        while True:
            yield self.OUTPUT, MESSAGE
            await asyncio.sleep(0.001)


class Relay(ez.Unit):
    INPUT = ez.InputStream(Kind)
    OUTPUT = ez.OutputStream(Kind)

    @ez.subscriber(INPUT)
    @ez.publisher(OUTPUT)
    async def pass_on(self, message):
        yield self.OUTPUT, message


class Sink(ez.Unit):
    INPUT = ez.InputStream(Kind)

    @ez.subscriber(INPUT)
    async def take(self, message):
        print(json.dumps({"first_at_ns": time.time_ns()}), flush=True)
        raise ez.NormalTermination


if __name__ == "__main__":
    multiprocessing.set_start_method(sys.argv[1])
    source, one, two, three, sink = Source(), Relay(), Relay(), Relay(), Sink()
    ez.run(
        components={"SOURCE": source, "ONE": one, "TWO": two, "THREE": three, "SINK": sink},
        connections=(
            (source.OUTPUT, one.INPUT),
            (one.OUTPUT, two.INPUT),
            (two.OUTPUT, three.INPUT),
            (three.OUTPUT, sink.INPUT),
        ),
        process_components=(source, one, two, three, sink),
    )
