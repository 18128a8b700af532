"""How long a program of five processes takes to begin: to its first message, and as a whole, side by side.

Wall-clock times are what a person waits for; processor time is what is comparable on a busy machine. The sides take
turns, and each figure is a median. AxisArray is imported where both sides have it.

    hatch run python scripts/bench/starting.py                  # nine turns of each side, about two minutes
    hatch run python scripts/bench/starting.py --only fork --turns 21
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from peers import PeerError, probe, public_peer

PROGRAM = """
import asyncio
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
        print(time.time_ns(), flush=True)
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
"""


class Run(NamedTuple):
    """One run, in seconds."""

    first_message: float
    whole: float
    processor: float


def run(python: str, program: str, arguments: list[str], environment: dict[str, str]) -> Run:
    """Run the program to its end."""
    began_ns, began = time.time_ns(), time.perf_counter()
    with subprocess.Popen(
        [python, program, *arguments], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        first = process.stdout.readline()
        process.stdout.read()
        said = process.stderr.read()
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    whole = time.perf_counter() - began
    if process.returncode or not first.strip():
        raise PeerError(f"{python} {arguments} ended with {process.returncode}: {said.strip()[-800:]}")
    return Run((int(first) - began_ns) * 1e-9, whole, used.ru_utime + used.ru_stime)


def measure(only: str, turns: int, sides: dict[str, str]) -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory() as folder:
        program = Path(folder) / "five.py"
        program.write_text(PROGRAM, encoding="utf-8")
        # Byte code is what users have; the first turn makes it, and is not counted.
        environment = {**os.environ, "PYTHONPYCACHEPREFIX": folder, "EZMSG_LOGLEVEL": "ERROR"}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        print(f"{'':36}{'ours':>8}{'public':>8}{'ratio':>7}   (ms, medians of {turns} turns; bar 0.8)")
        for arguments in (["fork"], ["spawn"], ["fork", "axisarray"], ["spawn", "axisarray"]):
            name = " ".join(arguments)
            if only not in name:
                continue
            runs: dict[str, list[Run]] = {side: [] for side in sides}
            for turn in range(turns + 1):
                for side in sorted(sides, reverse=turn % 2 == 1):
                    runs[side].append(run(sides[side], str(program), arguments, environment))
            for field in Run._fields:
                ours, public = (
                    statistics.median(getattr(each, field) for each in runs[side][1:]) * 1000 for side in sides
                )
                print(f"{name:20}{field:16}{ours:8.0f}{public:8.0f}{ours / public:7.2f}", flush=True)


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(
        allow_abbrev=False, description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", default="", metavar="TEXT", help="workloads whose name has this in it")
    parser.add_argument("--turns", type=int, default=9, help="how often each side takes its turn (9)")
    parser.add_argument("--ours-python", default=sys.executable, metavar="PATH", help="the interpreter of our side")
    parser.add_argument("--peer-python", metavar="PATH", help="one with the public package")
    asked = parser.parse_args()
    try:
        peer = asked.peer_python or public_peer(probe(asked.ours_python))
        measure(asked.only, asked.turns, {"ours": asked.ours_python, "public": peer})
    except PeerError as error:
        print(f"starting: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
