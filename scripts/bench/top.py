"""What `ezmsg top` costs: ``hatch run python scripts/bench/top.py [streams] [processor] [frame] [keys]``.

``streams`` sends 16 bytes again and again through shared memory, with and without top watching, in turns.
``processor`` watches 200 endpoints, and tells how much of one core that takes, on three screens. ``frame`` is the
time from the command to the first whole picture. ``keys`` is the time from a key to what it changes on the screen,
in a graph of 2,000 units. All with a real server, real processes and a real terminal of 120 x 40.
"""

import argparse
import asyncio
import contextlib
import fcntl
import json
import os
import pty
import select
import statistics
import struct
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Iterator

import numpy as np
import psutil
from profiling import end_of_input, graph_server, process, profiled, receive, role, stretch

import ezmsg.core as ez
from ezmsg.protocol.model.metadata import (
    DynamicSettingsMetadata,
    GraphMetadata,
    InputStreamMetadata,
    OutputStreamMetadata,
    UnitMetadata,
)

PARTS = ("streams", "processor", "frame", "keys")
TOPIC = "BENCH"
PAIRS, UNITS = 100, 2000
SETTLE_S = 3.0
DEADLINE_S = 60.0


class Top:
    """`ezmsg top` in a terminal, of which all that it writes is read at once, and when."""

    def __init__(self, address: str) -> None:
        self._main, end = pty.openpty()
        fcntl.ioctl(end, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
        self.began_s = time.perf_counter()
        command = [sys.executable, "-m", "ezmsg.tui", "--address", address]
        environment = {**os.environ, "TERM": "xterm-256color", "EZMSG_KEYS": os.devnull}
        self._process = subprocess.Popen(
            command, stdin=end, stdout=end, stderr=end, env=environment, start_new_session=True
        )
        os.close(end)
        self.process = psutil.Process(self._process.pid)
        self.said = b""
        self._news = threading.Condition()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                select.select([self._main], [], [])
                data = os.read(self._main, 65536)
                with self._news:
                    self.said += data
                    self._news.notify_all()

    def until(self, text: str, start: int = 0) -> float:
        """Wait until a text was written after a place; return when that was."""
        with self._news:
            if not self._news.wait_for(lambda: text.encode() in self.said[start:], DEADLINE_S):
                raise TimeoutError(f"{text!r} never came")
            return time.perf_counter()

    def press(self, key: str, text: str) -> float:
        """Press a key; return how long it took until a text that it brings was written, in seconds."""
        with self._news:
            start = len(self.said)
        began_s = time.perf_counter()
        os.write(self._main, key.encode())
        return self.until(text, start) - began_s

    def end(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        os.close(self._main)


@contextlib.contextmanager
def top(address: str, shows: str) -> Iterator[Top]:
    """Let top run, from when it shows something on."""
    watching = Top(address)
    try:
        watching.until(shows)
        yield watching
    finally:
        watching.end()


def told(what: str, values: list[float], unit: str, bar: str) -> None:
    """Print median and spread of measured values."""
    ordered = sorted(values)
    low, high = ordered[len(ordered) // 10], ordered[-1 - len(ordered) // 10]
    median = statistics.median(ordered)
    print(f"{what}: {median:.1f} {unit}, 10 to 90 %: {low:.1f} to {high:.1f}, {len(ordered)} times (bar: {bar})")


async def streams(seconds: float, rounds: int) -> None:
    with graph_server() as (address, _), role("follow", address) as (_, other):
        processes = [psutil.Process(), psutil.Process(other.pid)]
        async with ez.GraphContext(address) as context, profiled(address, "LEAD"):
            publisher = await context.publisher(TOPIC, allow_local=False)
            found: dict[str, list[float]] = {"alone": [], "watched": []}
            spent: dict[str, list[float]] = {"alone": [], "watched": []}
            await stretch(publisher, seconds, processes)
            for number in range(rounds):
                for state in ("alone", "watched") if number % 2 == 0 else ("watched", "alone"):
                    with contextlib.ExitStack() as stack:
                        if state == "watched":
                            await asyncio.to_thread(lambda stack=stack: stack.enter_context(top(address, TOPIC)))
                        await asyncio.sleep(1)
                        took_us, used_us = await stretch(publisher, seconds, processes)
                        found[state].append(took_us)
                        spent[state].append(used_us)
    for state in found:
        told(f"streams, 16 bytes, {state}", found[state], "us a message", "within the spread")
        told(f"streams, processor time, {state}", spent[state], "us a message", "within the spread")
    change = statistics.median(found["watched"]) / statistics.median(found["alone"]) - 1
    pairs = [watched / alone - 1 for alone, watched in zip(found["alone"], found["watched"], strict=True)]
    print(f"streams: {change:+.1%} by medians; pair by pair {min(pairs):+.1%} to {max(pairs):+.1%}")
    change = statistics.median(spent["watched"]) / statistics.median(spent["alone"]) - 1
    print(f"streams, processor time: {change:+.1%} by medians")


def processor(seconds: float, rounds: int) -> None:
    with graph_server() as (address, _), pairs(address), top(address, "WIDE/") as watching:
        for key, name, shows in (("1", "overview", "NEWS"), ("2", "topology", "GRAPH"), ("4", "profiling", "ENDP")):
            if key != "1":
                watching.press(key, shows)
            time.sleep(SETTLE_S)
            shares = []
            for _ in range(rounds):
                before = sum(watching.process.cpu_times()[:2])
                time.sleep(seconds)
                shares.append(100 * (sum(watching.process.cpu_times()[:2]) - before) / seconds)
            told(f"processor, {2 * PAIRS} endpoints, {name}", shares, "% of one core", "15")


def frame(rounds: int) -> None:
    with graph_server() as (address, _), pairs(address):
        took_ms, used_ms = [], []
        for number in range(rounds + 1):
            watching = Top(address)
            try:
                took = 1000 * (watching.until("Overview") - watching.began_s)
                used = 1000 * sum(watching.process.cpu_times()[:2])
            finally:
                watching.end()
            if number:  # the first one reads everything from the disk
                took_ms.append(took)
                used_ms.append(used)
    told("first frame", took_ms, "ms", "1000")
    told("first frame, processor time", used_ms, "ms", "1000")


def keys(rounds: int) -> None:
    with graph_server() as (address, _), large(address), top(address, "2000 units") as watching:
        watching.press("2", "GRAPH")
        time.sleep(SETTLE_S)
        took_ms = []
        for number in range(rounds):
            # Down and up: the cursor's line is written anew, with the text that is in it.
            took_ms.append(1000 * watching.press("\x1b[B" if number % 2 == 0 else "\x1b[A", "BIG"))
            time.sleep(0.3)
        told(f"a key, {UNITS} units", took_ms, "ms", "100")


# --- graphs to be watched ---------------------------------------------------------------------------------


def pairs(address: str) -> contextlib.AbstractContextManager[object]:
    return process(sys.executable, __file__, "--role", "pairs", "--address", address)


def large(address: str) -> contextlib.AbstractContextManager[object]:
    return process(sys.executable, __file__, "--role", "large", "--address", address)


async def run_pairs(address: str) -> None:
    """Publish ten times a second on a hundred topics, and receive it."""
    async with ez.GraphContext(address) as context, profiled(address, "WIDE"):
        message = np.zeros(16, np.uint8)
        publishers = []
        tasks = []
        for number in range(PAIRS):
            topic = f"WIDE/UNIT{number:03}/OUTPUT"
            tasks.append(asyncio.create_task(receive(await context.subscriber(topic))))
            publishers.append(await context.publisher(topic))
        print(json.dumps({"ready": True}), flush=True)
        ending = asyncio.create_task(end_of_input())
        while not ending.done():
            for publisher in publishers:
                await publisher.broadcast(message)
            await asyncio.wait([ending], timeout=0.1)
        for task in tasks:
            task.cancel()


async def run_large(address: str) -> None:
    """Describe two thousand units in a row, twenty to a collection; one process answers for them."""
    components = {}
    for number in range(UNITS):
        unit = unit_address(number)
        streams = {
            "INPUT": InputStreamMetadata("INPUT", f"{unit}/INPUT", "numpy.ndarray"),
            "OUTPUT": OutputStreamMetadata("OUTPUT", f"{unit}/OUTPUT", "numpy.ndarray"),
        }
        components[unit] = UnitMetadata(
            unit,
            f"UNIT{number}",
            "bench.Worker",
            "bench.Settings",
            (None, {}),
            DynamicSettingsMetadata(False, None, None),
            None,
            streams,
            [],
            None,
            [],
        )
    async with ez.GraphContext(address) as context, profiled(address, unit_address(0)):
        await context.register_metadata(GraphMetadata(1, "BIG", components))
        for number in range(1, UNITS):
            await context.connect(f"{unit_address(number - 1)}/OUTPUT", f"{unit_address(number)}/INPUT")
        print(json.dumps({"ready": True}), flush=True)
        await end_of_input()


def unit_address(number: int) -> str:
    return f"BIG/GROUP{number // 20}/UNIT{number}"


def main() -> None:
    parser = argparse.ArgumentParser(
        allow_abbrev=False, description=__doc__.partition("\n")[0] if __doc__ else None
    )
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], help="all of them, if none is named")
    parser.add_argument("--seconds", type=float, default=2.0, help="length of one measured window")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--role", choices=("pairs", "large"), help=argparse.SUPPRESS)
    parser.add_argument("--address", help=argparse.SUPPRESS)
    options = parser.parse_args()
    match options.role:
        case "pairs":
            asyncio.run(run_pairs(options.address))
            return
        case "large":
            asyncio.run(run_large(options.address))
            return
    parts = options.parts or PARTS
    if "streams" in parts:
        asyncio.run(streams(options.seconds, options.rounds))
    if "processor" in parts:
        processor(2 * options.seconds, options.rounds)
    if "frame" in parts:
        frame(options.rounds)
    if "keys" in parts:
        keys(5 * options.rounds)


if __name__ == "__main__":
    main()
