"""Units in a row: a source, relays and a sink, in one process or in several; what comes through, and what it costs.

Each unit tells the processor time that its process takes for a message; the sink tells the rate, the latencies from
before the source yields to the sink's function, and when the first message came. With ``--seconds 0`` the first
message ends it. Works with any ``ezmsg.core``.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import math
import os
import resource
import sys
import time
import types
from typing import Any

import numpy as np

parser = argparse.ArgumentParser(allow_abbrev=False, description=__doc__)
parser.add_argument("--loop", choices=("asyncio", "uvloop"), default="uvloop")
parser.add_argument("--samples", type=int, default=0, help="of 30 channels in an AxisArray; 0: 16 bytes")
parser.add_argument("--relays", type=int, default=1)
parser.add_argument("--layout", choices=("one", "apart", "each", "thirds"), default="one", help="the processes")
parser.add_argument("--interval", type=float, default=0.0, help="seconds between messages; 0 is flat out")
parser.add_argument("--seconds", type=float, default=1.0)
parser.add_argument("--filtered", action="store_true", help="a Butterworth filter and a scaling are the relays")
options = parser.parse_args()
if options.loop == "asyncio":
    sys.modules["uvloop"] = None  # type: ignore[assignment]  # what cannot be imported is not used

import ezmsg.core as ez  # noqa: E402

WARM = 200
CHANNELS = 30
END = -1.0

if options.samples:
    from ezmsg.util.messages.axisarray import AxisArray

    Message: Any = AxisArray
    NAMES = np.array([f"channel-{number}" for number in range(CHANNELS)])
    CHANNEL_AXIS = AxisArray.CoordinateAxis(data=NAMES, dims=["ch"])
    DATA = np.random.default_rng(1).random((options.samples, CHANNELS), dtype=np.float32)
else:
    Message = np.ndarray


def message_of(stamp: float) -> Any:
    if not options.samples:
        return np.array([stamp, 0.0])
    axes = {"time": AxisArray.TimeAxis(fs=1000.0, offset=stamp), "ch": CHANNEL_AXIS}
    return AxisArray(DATA, dims=["time", "ch"], axes=axes, key="bench")


def stamp_of(message: Any) -> float:
    return float(message.axes["time"].offset if options.samples else message[0])


def say(**fields: object) -> None:
    # One call, so that the lines of several processes do not mix.
    os.write(1, (json.dumps(fields) + "\n").encode())


class Meter:
    """What a process takes for a message, from when it is warm."""

    def __init__(self, part: str) -> None:
        self.part, self.count, self.used_ns = part, 0, 0.0

    def tick(self) -> None:
        self.count += 1
        if self.count == WARM:
            self.used_ns = processor_ns()

    def end(self) -> None:
        if self.count > WARM:
            each_ns = (processor_ns() - self.used_ns) / (self.count - WARM)
            say(part=self.part, process=os.getpid(), cpu_ns=each_ns)


def processor_ns() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return (used.ru_utime + used.ru_stime) * 1e9


class Source(ez.Unit):
    OUTPUT = ez.OutputStream(Message)

    @ez.publisher(OUTPUT)
    async def send(self) -> Any:
        meter, due = Meter("source"), time.perf_counter()
        end = math.inf
        while time.perf_counter() < end or not options.seconds:
            if options.interval:
                due = max(due + options.interval, time.perf_counter())  # what is missed is not caught up with
                await asyncio.sleep(max(0.0, due - time.perf_counter()))
            yield self.OUTPUT, message_of(time.perf_counter())
            if not options.seconds:
                await asyncio.sleep(0.001)
            meter.tick()
            if meter.count == WARM:
                end = time.perf_counter() + options.seconds
        meter.end()
        yield self.OUTPUT, message_of(END)


class Relay(ez.Unit):
    INPUT = ez.InputStream(Message)
    OUTPUT = ez.OutputStream(Message)

    async def initialize(self) -> None:
        self.meter = Meter(self.address)

    @ez.subscriber(INPUT)
    @ez.publisher(OUTPUT)
    async def on_message(self, message: Message) -> Any:
        if stamp_of(message) == END:
            self.meter.end()
            yield self.OUTPUT, message
            return
        self.meter.tick()
        yield self.OUTPUT, self.changed(message)

    def changed(self, message: Any) -> Any:
        return message


class Scale(Relay):
    def changed(self, message: Any) -> Any:
        return Message(message.data * np.float32(0.5), dims=message.dims, axes=message.axes, key=message.key)


class Butterworth(Relay):
    """A low pass of the second order at a tenth of the sampling rate, a block at a time."""

    async def initialize(self) -> None:
        await super().initialize()
        warped = math.tan(math.pi * 0.1)
        norm = 1.0 / (1.0 + math.sqrt(2.0) * warped + warped**2)
        b = np.array([1.0, 2.0, 1.0]) * warped**2 * norm
        a1, a2 = 2.0 * (warped**2 - 1.0) * norm, (1.0 - math.sqrt(2.0) * warped + warped**2) * norm
        step, put = np.array([[-a1, 1.0], [-a2, 0.0]]), b[1:] - np.array([a1, a2]) * b[0]
        # What the state does to each output of a block, and each input to each output that follows it.
        powers = [np.linalg.matrix_power(step, number) for number in range(options.samples + 1)]
        answer = [b[0], *(float((power @ put)[0]) for power in powers)]
        ends = range(options.samples)
        self.of_state = np.array([power[0] for power in powers[:-1]], np.float32)
        self.of_input = np.array([[answer[n - k] if n >= k else 0.0 for k in ends] for n in ends], np.float32)
        self.state_step = powers[-1].astype(np.float32)
        self.state_put = np.array([powers[options.samples - 1 - k] @ put for k in ends], np.float32).T
        self.state = np.zeros((2, CHANNELS), np.float32)

    def changed(self, message: Any) -> Any:
        data = self.of_input @ message.data + self.of_state @ self.state
        self.state = self.state_step @ self.state + self.state_put @ message.data
        return Message(data, dims=message.dims, axes=message.axes, key=message.key)


class Sink(ez.Unit):
    INPUT = ez.InputStream(Message)

    async def initialize(self) -> None:
        self.meter = Meter("sink")
        self.late_s: list[float] = []
        self.began = 0.0

    @ez.subscriber(INPUT)
    async def on_message(self, message: Message) -> None:
        now, stamp = time.perf_counter(), stamp_of(message)
        if self.meter.count == 0:
            say(first_at_ns=time.time_ns())
            if not options.seconds:
                raise ez.NormalTermination
        if stamp == END:
            self.meter.end()
            self.tell(now)
            raise ez.NormalTermination
        self.meter.tick()
        if self.meter.count == WARM:
            self.began = now
        elif self.meter.count > WARM:
            self.late_s.append(now - stamp)

    def tell(self, now: float) -> None:
        late_s = sorted(self.late_s)
        count = len(late_s)
        say(
            messages=count,
            messages_per_s=count / (now - self.began),
            median_ns=late_s[count // 2] * 1e9,
            p99_ns=late_s[count * 99 // 100] * 1e9,
        )


def relays() -> list[ez.Unit]:
    return [Butterworth(), Scale()] if options.filtered else [Relay() for _ in range(options.relays)]


def group(name: str, units: dict[str, ez.Unit]) -> ez.Collection:
    """Return a collection of units, which belong into one process."""
    return types.new_class(name, (ez.Collection,), exec_body=lambda body: body.update(units))()  # type: ignore[no-any-return]


def main() -> None:
    between = {f"RELAY{number}": unit for number, unit in enumerate(relays())}
    row: dict[str, ez.Unit] = {"SOURCE": Source(), **between, "SINK": Sink()}
    if options.layout == "each":
        processes = [{name: unit} for name, unit in row.items()]
    elif options.layout == "apart":
        processes = [between]
    elif options.layout == "thirds":
        size = math.ceil(len(row) / 3)
        items = list(row.items())
        processes = [dict(items[start : start + size]) for start in range(size, len(items), size)]
    else:
        processes = []
    components: dict[str, ez.Component] = dict(row)
    groups = []
    for number, units in enumerate(processes):
        groups.append(group(f"Group{number}", units))
        components[f"GROUP{number}"] = groups[-1]
        for name in units:
            del components[name]
            row[name] = getattr(groups[-1], name)
    connected: list[Any] = list(row.values())
    ez.run(
        components=components,
        connections=[(one.OUTPUT, other.INPUT) for one, other in itertools.pairwise(connected)],
        process_components=groups,
    )


if __name__ == "__main__":
    main()
