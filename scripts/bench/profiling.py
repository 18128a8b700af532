"""What profiling costs: ``hatch run python scripts/bench/profiling.py [counters] [streams] [million]``.

``counters`` times the statements that count, by themselves. ``streams`` sends 16 bytes again and again with tracing
off, on, off after it was on, and off against itself, in turns. ``million`` lets 16 processes give a million samples
to one reader. Every process but this one is this file with another role, and ends with its standard input.
"""

import argparse
import asyncio
import contextlib
import inspect
import json
import os
import statistics
import subprocess
import sys
import time
import timeit
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

import numpy as np
import psutil

import ezmsg.core as ez
from ezmsg.core.processclient import ProcessControlClient
from ezmsg.core.profiling.object_size import object_size
from ezmsg.core.pubsub.publisher import Publisher
from ezmsg.core.pubsub.subscriber import Subscriber
from ezmsg.core.support import arrays
from ezmsg.protocol.model.profiling import ProfilingStreamControl, ProfilingTraceControl

PARTS = ("counters", "streams", "million")
TOPIC = "BENCH"
STATES = ("off", "off again", "on", "off after on")
SAMPLES = 1_000_000
SOURCES = 16


# --- the statements that count ----------------------------------------------------------------------------

PUBLISHER_STATEMENTS = (
    "size = obj.nbytes if type(obj) is arrays.ndarray else object_size(obj)",
    "self.bytes_published += size",
)
SUBSCRIBER_STATEMENTS = (
    "self.messages_received += 1",
    "self.bytes_received += lease.size",
    "self.kind_last = lease.source.kind",
)


class Endpoint:
    """What the statements change."""

    def __init__(self) -> None:
        self.bytes_published = self.next_message = self.messages_received = self.bytes_received = 0
        self.kind_last, self.tracer = "", None


@dataclass
class Axes:
    """A message that holds an array, as many do."""

    data: Any


MESSAGES = ("np.zeros(2)", "5", "{}", "b''", "Axes(np.zeros(2))")
"""Messages within a process; those that go elsewhere are counted as they are encoded."""


class Lease:
    """What they read, and the two fields that it has for their sake."""

    __slots__ = ("size", "source")

    def __init__(self) -> None:
        self.size, self.source = 16, Endpoint()


def counters() -> None:
    """Time them; a lease's two fields count for the publisher, the test for a tracer for both."""
    for function, statements in (
        (Publisher._send, PUBLISHER_STATEMENTS),
        (Subscriber.next_lease, SUBSCRIBER_STATEMENTS),
    ):
        for statement in statements:
            source = inspect.getsource(function)
            assert statement in source, f"{function.__qualname__} no longer says {statement}"
    Endpoint.kind = "SHM"  # type: ignore[attr-defined]
    names = {
        "Endpoint": Endpoint,
        "Lease": Lease,
        "Axes": Axes,
        "np": np,
        "object_size": object_size,
        "arrays": arrays,
    }
    test = "if self.tracer is not None: pass"
    publisher = (*PUBLISHER_STATEMENTS, "lease.size = size", "lease.source = source", test)
    for who, statements, message in (
        *((f"publisher of {message}", publisher, message) for message in MESSAGES),
        ("subscriber", (*SUBSCRIBER_STATEMENTS, test), "None"),
    ):
        setup = f"self, lease, source, obj, number = Endpoint(), Lease(), Endpoint(), {message}, 5"
        count = 20_000
        # The quickest of many, because whatever else the machine does only adds.
        cost, nothing = (
            min(timeit.repeat(text, setup, number=count, repeat=30, globals=names)) / count * 1e9
            for text in ("\n".join(statements), "pass")
        )
        print(f"counters of a {who}: {cost - nothing:.0f} ns a message (bar: 150)")


# --- processes --------------------------------------------------------------------------------------------


@contextlib.contextmanager
def process(*command: str, **environment: str) -> Iterator[tuple[dict[str, Any], "subprocess.Popen[str]"]]:
    """Run a process; give what it says first, and the process."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("EZMSG_PROFILE")}
    child = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**kept, "EZMSG_LOGLEVEL": "ERROR", "EZMSG_DISABLE_BACKPRESSURE_WARNING": "1", **environment},
    )
    assert child.stdin is not None
    assert child.stdout is not None
    try:
        line = child.stdout.readline()
        yield (json.loads(line) if line.startswith("{") else {"said": line.strip()}), child
    finally:
        child.stdin.close()
        try:
            child.wait(10)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def role(name: str, address: str, *arguments: str, **environment: str) -> Any:
    return process(sys.executable, __file__, "--role", name, "--address", address, *arguments, **environment)


@contextlib.contextmanager
def graph_server() -> Iterator[tuple[str, int]]:
    """A graph server in a process of its own; give its address and its process id."""
    command = [sys.executable, __file__, "--role", "server"]
    with process(*command) as (said, child):
        yield said["address"], child.pid


async def end_of_input() -> None:
    await asyncio.to_thread(sys.stdin.read)


@contextlib.asynccontextmanager
async def profiled(address: str, unit: str) -> AsyncIterator[None]:
    """Answer for this process, under the name of a unit."""
    client = ProcessControlClient(address)
    await client.register([unit])
    try:
        yield
    finally:
        await client.close()


async def receive(subscriber: ez.Subscriber) -> None:
    while True:
        async with subscriber.recv_zero_copy():
            pass


async def follow(address: str) -> None:
    """Receive what another process sends."""
    async with ez.GraphContext(address) as context, profiled(address, "FOLLOW"):
        receiving = asyncio.create_task(receive(await context.subscriber(TOPIC)))
        print(json.dumps({"ready": True}), flush=True)
        await end_of_input()
        receiving.cancel()


async def source(address: str, unit: str) -> None:
    """Be traced, and send to itself whenever told to; say when there is enough to be read."""
    async with ez.GraphContext(address) as context, profiled(address, unit):
        receiving = asyncio.create_task(receive(await context.subscriber(unit)))
        publisher = await context.publisher(unit)
        print(json.dumps({"ready": True}), flush=True)
        ending = asyncio.create_task(end_of_input())
        while publisher.tracer is None and not ending.done():  # noqa: ASYNC110  there is no event for it
            await asyncio.sleep(0.01)
        for _ in range(SAMPLES // SOURCES // 2 + 2):
            await publisher.broadcast(b"")
        print(json.dumps({"sent": publisher.next_message}), flush=True)
        await ending
        receiving.cancel()


# --- streams ----------------------------------------------------------------------------------------------


async def streams(seconds: float, rounds: int) -> None:
    for transport in ("local", "shm"):
        with contextlib.ExitStack() as stack:
            address, _ = stack.enter_context(graph_server())
            processes = [psutil.Process()]
            if transport == "shm":
                _, other = stack.enter_context(role("follow", address))
                processes.append(psutil.Process(other.pid))
            await one_stream(address, transport, seconds, rounds, processes)


async def one_stream(
    address: str, transport: str, seconds: float, rounds: int, processes: list[psutil.Process]
) -> None:
    async with ez.GraphContext(address) as context, profiled(address, "LEAD"):
        units = ["LEAD", "FOLLOW"] if transport == "shm" else ["LEAD"]
        publisher = await context.publisher(TOPIC, allow_local=transport == "local")
        receiving = None
        if transport == "local":
            receiving = asyncio.create_task(receive(await context.subscriber(TOPIC)))
        found: dict[str, list[tuple[float, float]]] = {state: [] for state in STATES}
        await stretch(publisher, seconds, processes)
        for number in range(rounds):
            for state in STATES if number % 2 == 0 else ("on", "off after on", "off again", "off"):
                for unit in units:
                    response = await context.process_set_profiling_trace(
                        unit, ProfilingTraceControl(state == "on", metrics=None)
                    )
                    assert response.ok, response.error
                found[state].append(await stretch(publisher, seconds, processes))
        if receiving is not None:
            receiving.cancel()
    print(f"{transport}, 16 bytes, {rounds} rounds of {seconds:g} s; microseconds a message")
    for number, what in enumerate(("time", "cpu")):
        base = statistics.median(each[number] for each in found["off"])
        for state, measured in found.items():
            each = sorted(one[number] for one in measured)
            median = statistics.median(each)
            quartiles = (each[-1 - len(each) // 4] - each[len(each) // 4]) / median
            quickest = each[0] / min(one[number] for one in found["off"]) - 1
            change = f"{median / base - 1:+6.1%} (quickest {quickest:+6.1%})"
            print(f"  {what:4} {state:13} {median:7.2f}, {change}, between quartiles {quartiles:5.1%}")


async def stretch(publisher: ez.Publisher, seconds: float, processes: list[psutil.Process]) -> tuple[float, float]:
    """Send for a while; return how long a message took and what the busier process used for it, in microseconds."""
    message = np.zeros(16, np.uint8)
    used = [sum(process.cpu_times()[:2]) for process in processes]
    began, first = time.perf_counter(), publisher.next_message
    while time.perf_counter() - began < seconds:
        for _ in range(100):
            await publisher.broadcast(message)
    await publisher.sync()
    elapsed = time.perf_counter() - began
    publisher.resume()
    used = [sum(process.cpu_times()[:2]) - before for process, before in zip(processes, used, strict=True)]
    count = publisher.next_message - first
    return elapsed / count * 1e6, max(used) / count * 1e6


# --- a million samples ------------------------------------------------------------------------------------


async def million() -> None:
    with contextlib.ExitStack() as stack:
        address, server_pid = stack.enter_context(graph_server())
        units = [f"SOURCE{number}" for number in range(SOURCES)]
        # Rings for all that is measured, as nothing is read until it is there; they are six times their usual size.
        size = str(SAMPLES // SOURCES + 1000)
        sources = [
            stack.enter_context(role("source", address, "--unit", unit, EZMSG_PROFILE_TRACE_MAX_SAMPLES=size))[1]
            for unit in units
        ]
        async with ez.GraphContext(address) as context:
            wish = ProfilingTraceControl(True, metrics=["publish_delta_ns", "lease_time_ns"])
            for unit in units:
                response = await context.process_set_profiling_trace(unit, wish)
                assert response.ok, response.error
            for each in sources:  # they say so, as a look at their profiles would settle what they have noted
                assert each.stdout is not None
                assert "sent" in json.loads(await asyncio.to_thread(each.stdout.readline))
            before = psutil.Process(server_pid).memory_info().rss
            received = lost = 0
            largest = before
            began = time.perf_counter()
            control = ProfilingStreamControl(interval=0.05, max_samples=10_000)
            async with aclosing(context.subscribe_profiling_trace(control)) as batches:  # type: ignore[type-var]
                async for batch in batches:
                    received += sum(len(each.samples) for each in batch.batches.values())
                    lost += sum(each.lost_samples for each in batch.batches.values())
                    largest = max(largest, psutil.Process(server_pid).memory_info().rss)
                    if received + lost >= SAMPLES:
                        break
            elapsed = time.perf_counter() - began
    print(
        f"{received} samples of {SOURCES} processes in {elapsed:.2f} s (bar: 5), {lost} lost, out of rings of "
        f"{size} samples for each endpoint; the server had {before / 2**20:.0f} MiB before and "
        f"{largest / 2**20:.0f} MiB at most (bar: 200)"
    )


def serve() -> None:
    server = ez.GraphServer()
    server.start(("127.0.0.1", 0))
    print(json.dumps({"address": str(server.address)}), flush=True)
    sys.stdin.read()
    server.stop()


def main() -> None:
    parser = argparse.ArgumentParser(
        allow_abbrev=False, description=__doc__.partition("\n")[0] if __doc__ else None
    )
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], help="all of them, if none is named")
    parser.add_argument("--seconds", type=float, default=0.5, help="length of one measured window")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--role", choices=("server", "follow", "source"), help=argparse.SUPPRESS)
    parser.add_argument("--address", help=argparse.SUPPRESS)
    parser.add_argument("--unit", help=argparse.SUPPRESS)
    options = parser.parse_args()
    match options.role:
        case "server":
            serve()
        case "follow":
            asyncio.run(follow(options.address))
        case "source":
            asyncio.run(source(options.address, options.unit))
        case _:
            os.environ["EZMSG_DISABLE_BACKPRESSURE_WARNING"] = "1"
            parts = options.parts or PARTS
            if "counters" in parts:
                counters()
            if "streams" in parts:
                asyncio.run(streams(options.seconds, options.rounds))
            if "million" in parts:
                asyncio.run(million())


if __name__ == "__main__":
    main()
