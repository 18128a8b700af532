"""One process of one measurement; runs in whichever interpreter is under test.

Only the public API that both packages share is used. `measure.py` starts three roles:

- `server` holds the graph server, nothing else;
- `follow` holds the passive endpoint: it echoes or counts;
- `lead` holds the active endpoint, takes the time and prints the result. For the workloads that need one
  process only it holds both endpoints.

Lead and follower talk over the very topics that are measured: arrays are the payload, tuples of a word and a
number are the conversation around it. Standard output carries one JSON object per line. The end of standard
input tells a role to finish, so that no process outlives a harness that was killed.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import importlib
import importlib.metadata
import json
import os
import platform
import socket
import sys
import threading
import time
import traceback
from collections.abc import Callable, Coroutine
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from workloads import LOOPS, WORKLOADS, Effort, Workload

import ezmsg.core as ez

FORWARD = "BENCH/FORWARD"
BACK = "BENCH/BACK"
NUM_BUFFERS = 32
DEFAULT_BUF_SIZE = 65536
HEADROOM = 4096
"""Bytes beyond the payload in each buffer: the public package puts its header and a pickle there."""

WARM_UP_MESSAGES = 2 * NUM_BUFFERS
"""Every buffer of both directions has been touched before a clock starts."""
WARM_UP_LIMIT_S = 5.0
MAX_SAMPLES = 500_000
CHAIN_LIMIT_S = 25.0
GRACE_S = 5.0

Address = tuple[str, int]
Result = dict[str, object]
clock_ns = time.perf_counter_ns


class Sender(Protocol):
    """What the bench needs of a publisher."""

    async def broadcast(self, obj: Any) -> None: ...


class Receiver(Protocol):
    """What the bench needs of a subscriber."""

    def recv_zero_copy(self) -> AbstractAsyncContextManager[Any]: ...


class BenchError(RuntimeError):
    """The endpoints did not do what the workload expects of them."""


@dataclass(frozen=True)
class Link:
    """One end of the conversation."""

    pub: Sender
    sub: Receiver

    async def say(self, word: str, number: int = 0) -> None:
        await self.pub.broadcast((word, number))

    async def hear(self, word: str) -> int:
        """Skip what comes until `word` does; return the number that came with it."""
        while True:
            async with self.sub.recv_zero_copy() as message:
                if isinstance(message, tuple) and message[0] == word:
                    return int(message[1])


async def open_link(ctx: ez.GraphContext, work: Workload, sends: str, receives: str) -> Link:
    """Create both endpoints of one end. The context closes them."""
    sub = await ctx.subscriber(receives)
    pub = await ctx.publisher(
        sends,
        num_buffers=NUM_BUFFERS,
        buf_size=max(DEFAULT_BUF_SIZE, work.size_bytes + HEADROOM),
        force_tcp=work.transport == "tcp",
        allow_local=work.transport == "local",
    )
    return Link(pub, sub)


# --- follower ---------------------------------------------------------------------------------------------


async def follow(link: Link) -> None:
    """Echo arrays until told to count them, and answer every word with the number of arrays counted."""
    echo = True
    seen = 0
    while True:
        async with link.sub.recv_zero_copy() as message:
            if isinstance(message, np.ndarray):
                if echo:
                    await link.pub.broadcast(message)
                else:
                    seen += 1
                del message  # a view outliving its lease would keep the public package from closing
                continue
            word = message[0]
        if word == "count":
            echo, seen = False, 0
        await link.say(word, seen)


# --- lead -------------------------------------------------------------------------------------------------


async def greet(link: Link) -> None:
    """Return once messages pass both ways; until then what is broadcast may reach nobody."""
    heard = asyncio.Event()

    async def knock() -> None:
        while not heard.is_set():
            await link.say("hello")
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(heard.wait(), 0.05)

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(knock())
        await link.hear("hello")
        heard.set()
    await link.say("level")
    await link.hear("level")


async def bounce(link: Link, payload: np.ndarray[Any, Any]) -> int:
    """Send the payload once there and back; return the nanoseconds it took."""
    start = clock_ns()
    await link.pub.broadcast(payload)
    async with link.sub.recv_zero_copy():
        return clock_ns() - start


async def warm_up(link: Link, payload: np.ndarray[Any, Any]) -> None:
    """Check one echo byte for byte, then bounce until every buffer has been used."""
    await link.pub.broadcast(payload)
    async with link.sub.recv_zero_copy() as echoed:
        if not np.array_equal(echoed, payload):
            raise BenchError("the echo differs from what was sent")
    end = time.perf_counter() + WARM_UP_LIMIT_S
    for _ in range(WARM_UP_MESSAGES):
        await bounce(link, payload)
        if time.perf_counter() > end:
            break


async def measure_roundtrip(link: Link, payload: np.ndarray[Any, Any], seconds: float) -> Result:
    """One message in flight."""
    samples: list[int] = []
    end = clock_ns() + int(seconds * 1e9)
    while clock_ns() < end and len(samples) < MAX_SAMPLES:
        samples.append(await bounce(link, payload))
    samples.sort()
    return {
        "samples": len(samples),
        "median_ns": samples[len(samples) // 2],
        "p99_ns": samples[min(len(samples) - 1, len(samples) * 99 // 100)],
        "min_ns": samples[0],
    }


async def measure_throughput(link: Link, payload: np.ndarray[Any, Any], seconds: float) -> Result:
    """As many messages as back-pressure allows.

    The clock starts with nothing in flight and stops when the follower has answered that it has seen all of
    them, so that no message is counted which was only queued.
    """
    await link.say("count")
    await link.hear("count")
    sent = 0
    start = clock_ns()
    end = start + int(seconds * 1e9)
    while clock_ns() < end:
        await link.pub.broadcast(payload)
        sent += 1
    await link.say("total")
    seen = await link.hear("total")
    elapsed_ns = clock_ns() - start
    if seen != sent:
        raise BenchError(f"{sent} messages sent, {seen} received")
    rate = sent * 1e9 / elapsed_ns
    return {
        "messages": sent,
        "elapsed_ns": elapsed_ns,
        "messages_per_s": rate,
        "bytes_per_s": rate * payload.nbytes,
    }


async def measure_link(link: Link, work: Workload, effort: Effort) -> Result:
    payload = np.arange(work.size_bytes, dtype=np.uint8)
    await greet(link)
    await warm_up(link, payload)
    measure = measure_roundtrip if work.kind == "roundtrip" else measure_throughput
    result = await measure(link, payload, effort.seconds)
    return result | {"transport_seen": transport_seen(work)}


def transport_seen(work: Workload) -> str | None:
    """Return the transport that carried the last message received, where the package says so.

    Raises BenchError if it is another one than the workload asked for: better no number than that one.
    """
    try:
        registry = importlib.import_module("ezmsg.core.profiling").PROFILES
    except (ImportError, AttributeError):  # neither package promises to have it
        return None
    subscribers = registry.snapshot().subscribers.values()
    seen = {str(getattr(s.channel_kind_last, "value", "unknown")).lower() for s in subscribers} - {"unknown"}
    if not seen:
        return None
    if seen != {work.transport}:
        raise BenchError(f"asked for {work.transport}, carried by {', '.join(sorted(seen))}")
    return work.transport


async def measure_chain(ctx: ez.GraphContext, effort: Effort) -> Result:
    """Time one session that connects T0 -> T1 -> ... one edge after the other."""
    start = clock_ns()
    end = start + int(CHAIN_LIMIT_S * 1e9)
    edges = 0
    while edges < effort.edges and clock_ns() < end:
        await ctx.connect(f"T{edges}", f"T{edges + 1}")
        edges += 1
    elapsed_ns = clock_ns() - start
    return {"edges": edges, "elapsed_ns": elapsed_ns, "per_edge_ns": elapsed_ns / edges}


async def lead(work: Workload, address: Address, effort: Effort) -> None:
    async with ez.GraphContext(address) as ctx:
        if work.kind == "connect_chain":
            result = await measure_chain(ctx, effort)
        else:
            link = await open_link(ctx, work, FORWARD, BACK)
            if work.processes == "two":
                result = await measure_link(link, work, effort)
            else:
                result = await measure_in_one_process(ctx, link, work, effort)
        report("result", **identity(), **result)


async def measure_in_one_process(ctx: ez.GraphContext, link: Link, work: Workload, effort: Effort) -> Result:
    other = await open_link(ctx, work, BACK, FORWARD)
    async with asyncio.TaskGroup() as tasks:
        follower = tasks.create_task(follow(other))
        result = await measure_link(link, work, effort)
        follower.cancel()
    return result


async def follow_elsewhere(work: Workload, address: Address) -> None:
    async with ez.GraphContext(address) as ctx:
        link = await open_link(ctx, work, BACK, FORWARD)
        report("ready")
        await follow(link)


# --- process ----------------------------------------------------------------------------------------------


def identity() -> Result:
    """Say which package, loop and interpreter made a number."""
    return {
        "package": package(),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "loop": type(asyncio.get_running_loop()).__module__.partition(".")[0],
    }


def package() -> str:
    """Name the distribution that provides `ezmsg.core`: ours is `ezmsg-core`, the public one `ezmsg`."""
    for name in ("ezmsg-core", "ezmsg"):
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            return f"{name} {importlib.metadata.version(name)}"
    return "unknown"


def report(event: str, **fields: object) -> None:
    print(json.dumps({"event": event, **fields}), flush=True)


def wait_for_end_of_input() -> None:
    # The file descriptor itself: the interpreter's exit fails over a daemon thread waiting inside `sys.stdin`.
    while os.read(sys.stdin.fileno(), 4096):
        pass


def on_end_of_input(callback: Callable[[], object]) -> None:
    """Call `callback` at the end of standard input, and leave the hard way if that was not enough."""

    def watch() -> None:
        wait_for_end_of_input()
        with contextlib.suppress(RuntimeError):  # the loop has been closed: the process is leaving already
            callback()
        time.sleep(GRACE_S)
        os._exit(3)

    threading.Thread(target=watch, name="end-of-input", daemon=True).start()


async def until_end_of_input(work: Coroutine[Any, Any, None], deadline: float) -> None:
    task = asyncio.create_task(work)
    loop = asyncio.get_running_loop()
    on_end_of_input(lambda: loop.call_soon_threadsafe(task.cancel))
    try:
        async with asyncio.timeout(deadline):
            await task
    except asyncio.CancelledError:
        traceback.print_exc()  # where it waited; `measure.py` shows it if the measurement failed


def loop_factory(name: str) -> Callable[[], asyncio.AbstractEventLoop] | None:
    if name == "asyncio":
        return asyncio.new_event_loop
    import uvloop

    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return factory


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def serve() -> None:
    server = ez.GraphServer()
    server.start(("127.0.0.1", free_port()))
    host, port = server.address
    report("ready", address=f"{host}:{port}")
    wait_for_end_of_input()
    on_end_of_input(lambda: None)  # the end has come: only the hard exit is left of it
    server.stop()


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        allow_abbrev=False, description=__doc__.partition("\n")[0] if __doc__ else None
    )
    parser.add_argument("role", choices=("server", "follow", "lead"))
    parser.add_argument("--workload", choices=WORKLOADS, metavar="NAME")
    parser.add_argument("--address", metavar="HOST:PORT")
    parser.add_argument("--loop", choices=LOOPS, default="asyncio")
    parser.add_argument("--seconds", type=float, default=Effort.seconds)
    parser.add_argument("--edges", type=int, default=Effort.edges)
    parser.add_argument("--deadline", type=float, default=Effort.deadline)
    return parser.parse_args(arguments)


def main() -> None:
    options = parse()
    if options.role == "server":
        serve()
        return
    host, _, port = options.address.rpartition(":")
    work, address = WORKLOADS[options.workload], (host, int(port))
    effort = Effort(options.seconds, options.edges, options.deadline)
    role = lead(work, address, effort) if options.role == "lead" else follow_elsewhere(work, address)
    with asyncio.Runner(loop_factory=loop_factory(options.loop)) as runner:
        runner.run(until_end_of_input(role, effort.deadline))


if __name__ == "__main__":
    main()
