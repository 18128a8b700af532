"""A stream of AxisArray through three processes, side by side: as fast as it goes, and paced at 1,000 a second.

Source, relay and sink have a process each. Rates are messages that reach the sink in a second; latencies go from
before the source yields to the sink's function; processor time is that of all processes for each message.

    hatch run python scripts/bench/axis_arrays.py                  # five turns of each side, about three minutes
    hatch run python scripts/bench/axis_arrays.py --only flat --turns 9
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from peers import PeerError, probe, public_peer

PROGRAM = """
import asyncio
import json
import resource
import sys
import time

import numpy as np

import ezmsg.core as ez
from ezmsg.util.messages.axisarray import AxisArray

samples, interval, seconds = int(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3])
CHANNELS = AxisArray.CoordinateAxis(data=np.array([f"channel-{i}" for i in range(30)]), dims=["ch"])
WARM = 200


def used():
    mine = resource.getrusage(resource.RUSAGE_SELF)
    return mine.ru_utime + mine.ru_stime


class Source(ez.Unit):
    OUTPUT = ez.OutputStream(AxisArray)

    @ez.publisher(OUTPUT)
    async def send(self):
        data = np.random.rand(samples, 30).astype(np.float32)
        number, begin = 0, None
        while True:
            if number == WARM:
                cpu, begin = used(), time.perf_counter()
            if begin is not None and time.perf_counter() - begin > seconds:
                break
            if interval:
                await asyncio.sleep(max(0.0, interval - 0.0001))
            axes = {
                "time": AxisArray.TimeAxis(fs=1000.0, offset=time.perf_counter()),
                "ch": CHANNELS,
            }
            yield self.OUTPUT, AxisArray(data, dims=["time", "ch"], axes=axes, key="bench")
            number += 1
        print("CPU", (used() - cpu) / (number - WARM), flush=True)
        yield self.OUTPUT, AxisArray(data, dims=["time", "ch"], axes={}, key="end")


class Relay(ez.Unit):
    INPUT = ez.InputStream(AxisArray)
    OUTPUT = ez.OutputStream(AxisArray)

    @ez.subscriber(INPUT)
    @ez.publisher(OUTPUT)
    async def on(self, message):
        self.number = getattr(self, "number", 0) + 1
        if self.number == WARM:
            self.cpu = used()
        if message.key == "end":
            print("CPU", (used() - self.cpu) / (self.number - WARM), flush=True)
        yield self.OUTPUT, message


class Sink(ez.Unit):
    INPUT = ez.InputStream(AxisArray)

    @ez.subscriber(INPUT)
    async def on(self, message):
        now = time.perf_counter()
        if not hasattr(self, "late"):
            self.late, self.number = [], 0
        self.number += 1
        if self.number == WARM:
            self.cpu, self.begin = used(), now
        if message.key == "end":
            count = self.number - WARM - 1
            late = sorted(self.late)
            print("CPU", (used() - self.cpu) / count, flush=True)
            print(
                "SINK",
                json.dumps({
                    "rate": count / (now - self.begin),
                    "p50_us": late[len(late) // 2] * 1e6,
                    "p99_us": late[int(len(late) * 0.99)] * 1e6,
                }),
                flush=True,
            )
            raise ez.NormalTermination
        if self.number > WARM:
            self.late.append(now - message.axes["time"].offset)


if __name__ == "__main__":
    source, relay, sink = Source(), Relay(), Sink()
    ez.run(
        components={"SOURCE": source, "RELAY": relay, "SINK": sink},
        connections=((source.OUTPUT, relay.INPUT), (relay.OUTPUT, sink.INPUT)),
        process_components=(source, relay, sink),
    )
"""

WORKLOADS = {
    "flat out 32 x 30": (32, 0.0),
    "flat out 256 x 30": (256, 0.0),
    "paced 32 x 30": (32, 0.001),
}


def run(
    python: str, program: str, samples: int, interval: float, seconds: float, environment: dict[str, str]
) -> Any:
    """Run the program; return what its sink found, with the processor time of a message."""
    done = subprocess.run(
        [python, program, str(samples), str(interval), str(seconds)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    told = [line.split(" ", 1) for line in done.stdout.splitlines() if line.startswith(("CPU ", "SINK "))]
    found = [json.loads(words) for name, words in told if name == "SINK"]
    if not found:
        raise PeerError(f"{python} ended with {done.returncode}: {done.stderr.strip()[-800:]}")
    return {**found[0], "cpu_us": sum(float(words) for name, words in told if name == "CPU") * 1e6}


def measure(only: str, turns: int, seconds: float, sides: dict[str, str]) -> None:
    """Print the table; ratios are ours to theirs for times, theirs to ours for rates: below 1 ours is better."""
    with tempfile.TemporaryDirectory() as folder:
        program = Path(folder) / "three.py"
        program.write_text(PROGRAM, encoding="utf-8")
        environment = {**os.environ, "PYTHONPYCACHEPREFIX": folder, "EZMSG_LOGLEVEL": "ERROR"}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        print(f"{'':30}{'ours':>10}{'public':>10}{'ratio':>7}   (medians of {turns} turns; below 1 ours is better)")
        for name, (samples, interval) in WORKLOADS.items():
            if only not in name:
                continue
            found: dict[str, list[Any]] = {side: [] for side in sides}
            for turn in range(turns):
                for side in sorted(sides, reverse=turn % 2 == 1):
                    found[side].append(run(sides[side], str(program), samples, interval, seconds, environment))
            for field in ("p50_us", "p99_us", "cpu_us") if interval else ("rate", "cpu_us"):
                ours, public = (statistics.median(each[field] for each in found[side]) for side in sides)
                ratio = public / ours if field == "rate" else ours / public
                print(f"{name:22}{field:8}{ours:10,.1f}{public:10,.1f}{ratio:7.2f}", flush=True)


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(
        allow_abbrev=False, description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", default="", metavar="TEXT", help="workloads whose name has this in it")
    parser.add_argument("--turns", type=int, default=5, help="how often each side takes its turn (5)")
    parser.add_argument("--seconds", type=float, default=2.0, help="length of one measured window")
    parser.add_argument("--ours-python", default=sys.executable, metavar="PATH", help="the interpreter of our side")
    parser.add_argument("--peer-python", metavar="PATH", help="one with the public package")
    asked = parser.parse_args()
    try:
        peer = asked.peer_python or public_peer(probe(asked.ours_python))
        measure(asked.only, asked.turns, asked.seconds, {"ours": asked.ours_python, "public": peer})
    except PeerError as error:
        print(f"axis_arrays: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
