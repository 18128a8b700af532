"""The conversation of `streams.py` for peers that are no ezmsg: one stream each way, echoed or counted.

Ends that block do so inside their functions: awaiting what never waits costs next to nothing.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from typing import Any, Protocol

from payloads import payload_of, same
from role import (
    MAX_SAMPLES,
    WARM_UP_LIMIT_S,
    BenchError,
    Parameters,
    Result,
    clock_ns,
    identity,
    on_end_of_input,
    parse,
    processor_ns,
    report,
    summary,
)

WARM_UP_MESSAGES = 64
KNOCK_S = 0.05


class Ends(Protocol):
    """What one end sends and receives: payloads, and tuples that are words or answers."""

    async def send(self, message: Any) -> None: ...

    async def receive(self) -> Any: ...


async def follow(ends: Ends) -> None:
    """Echo payloads until told to count them, and answer every word."""
    echo, seen = True, 0
    while True:
        message = await ends.receive()
        if type(message) is not tuple:
            if echo:
                await ends.send(message)
            else:
                seen += 1
            continue
        if message[0] == "count":
            echo, seen = False, 0
        await ends.send((message[0], seen, processor_ns()))


async def ask(ends: Ends, word: str) -> Any:
    """Say a word; return the answer to it, past what else comes."""
    await ends.send((word,))
    while True:
        answer = await ends.receive()
        if type(answer) is tuple and answer[0] == word:
            return answer


async def bounce(ends: Ends, payload: Any) -> int:
    start = clock_ns()
    await ends.send(payload)
    await ends.receive()
    return clock_ns() - start


async def lead(ends: Ends, parameters: Parameters, seconds: float) -> Result:
    payload = payload_of(parameters)
    await ask(ends, "level")
    await ends.send(payload)
    if not same(payload, await ends.receive()):
        raise BenchError("the echo differs from what was sent")
    end = clock_ns() + int(WARM_UP_LIMIT_S * 1e9)
    for _ in range(WARM_UP_MESSAGES):
        await bounce(ends, payload)
        if clock_ns() > end:
            break
    measured = round_trip if parameters["measure"] == "round trip" else stream
    return await measured(ends, payload, seconds)


async def round_trip(ends: Ends, payload: Any, seconds: float) -> Result:
    samples: list[int] = []
    end = clock_ns() + int(seconds * 1e9)
    while clock_ns() < end and len(samples) < MAX_SAMPLES:
        samples.append(await bounce(ends, payload))
    return summary(samples)


async def stream(ends: Ends, payload: Any, seconds: float) -> Result:
    _, _, theirs_ns = await ask(ends, "count")
    used_ns, sent, start = processor_ns(), 0, clock_ns()
    end = start + int(seconds * 1e9)
    while clock_ns() < end:
        await ends.send(payload)
        sent += 1
    _, seen, after_ns = await ask(ends, "total")
    elapsed_ns, used_ns = clock_ns() - start, processor_ns() - used_ns
    if seen != sent:
        raise BenchError(f"{sent} messages sent, {seen} received")
    cpu_ns = (used_ns + after_ns - theirs_ns) / sent
    return {"messages": sent, "messages_per_s": sent * 1e9 / elapsed_ns, "cpu_ns": cpu_ns}


def act(description: str | None, package: str, serve: Callable[[], None], open_ends: Callable[[Any], Ends]) -> None:
    """Be the role that the command line names."""
    options = parse(description)
    if options.role == "server":
        serve()
        return
    on_end_of_input(lambda: os._exit(0))  # a blocking call takes no other word

    async def live() -> None:
        ends = open_ends(options)
        if options.role == "follow":
            report("ready")
            await follow(ends)
        report("result", **identity(options.loop, package), **await lead(ends, options.parameters, options.seconds))
        await asyncio.Event().wait()  # until the input ends; closing may wait for the other end

    asyncio.run(live())
