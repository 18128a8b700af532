"""A small graph to look at and to tune: a source at the pace of a device, a filter of ezmsg-sigproc, a meter.

The source has a process of its own.
"""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterator
from typing import Any

import numpy as np
from ezmsg.sigproc.butterworthfilter import ButterworthFilter, ButterworthFilterSettings

import ezmsg.core as ez
from ezmsg.util.messages.axisarray import AxisArray

RATE_HZ, TONE_HZ, BLOCK = 1000.0, 10.0, 20
ROOT, FILTER, SOURCE, FILTERED = "LAB", "LAB/FILTER", "LAB/SOURCE", "LAB/FILTER/OUTPUT_SIGNAL"


class Source(ez.Unit):
    """Sends a sine and a cosine at the pace of a real device."""

    OUTPUT = ez.OutputStream(AxisArray)

    @ez.publisher(OUTPUT)
    async def play(self) -> AsyncIterator[tuple[Any, AxisArray]]:
        number = 0
        while True:
            turns = 2 * np.pi * TONE_HZ * (number * BLOCK + np.arange(BLOCK)) / RATE_HZ
            data = np.stack([np.sin(turns), np.cos(turns)], 1).astype(np.float32)
            axes = {"time": AxisArray.TimeAxis(fs=RATE_HZ, offset=number * BLOCK / RATE_HZ)}
            yield self.OUTPUT, AxisArray(data, ["time", "ch"], axes, key="lab")
            number += 1
            await asyncio.sleep(BLOCK / RATE_HZ)


class Meter(ez.Unit):
    """Takes what comes."""

    INPUT = ez.InputStream(AxisArray)

    @ez.subscriber(INPUT)
    async def take(self, message: AxisArray) -> None:
        assert message.data.shape == (BLOCK, 2)


def free_port() -> int:
    """Return a port that nobody has at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def laboratory() -> Iterator[Any]:
    """Run the graph, and yield its server."""
    server = ez.GraphServer()
    server.start(("127.0.0.1", free_port()))
    source, meter = Source(), Meter()
    filtered = ButterworthFilter(ButterworthFilterSettings(order=4, coef_type="sos", axis="time", cutoff=40.0))
    runner = ez.GraphRunner(
        SOURCE=source,
        FILTER=filtered,
        METER=meter,
        root_name=ROOT,
        connections=((source.OUTPUT, filtered.INPUT_SIGNAL), (filtered.OUTPUT_SIGNAL, meter.INPUT)),
        process_components=(source,),
        graph_address=server.address,
    )
    try:
        runner.start()
        try:
            yield server
        finally:
            runner.stop()
    finally:
        server.stop()
