"""The hot path: one message in flight, published and received in this process, over the transport asked for."""

import asyncio
import contextlib
import gc
import logging
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import asdict
from typing import Any
from uuid import uuid4

import ezmsg.core as ez
from ezmsg.core.graphmeta import ProfilingTraceControl
from ezmsg.core.processclient import ProcessControlClient
from ezmsg.util.errors import MessageMissing
from ezmsg.util.perf.cases import Case, summarised

TRACED = ["publish_delta_ns", "lease_time_ns", "user_span_ns"]
WAIT_S = 30.0
"""How long a message may take, in seconds, before the measurement is given up."""


def measure_case(case: Case, count: int, warmup: int, samples: int, address: Any) -> dict[str, Any]:
    """Return the result of a case: what each sample of ``count`` messages took.

    :raises MessageMissing: if a message does not arrive.
    """
    payload = bytes(case.payload_size)
    if case.api == "sync":
        seconds = _measure_sync(case, payload, count, warmup, samples, address)
    else:
        seconds = asyncio.run(_measure_async(case, payload, count, warmup, samples, address))
    summary = asdict(summarised(seconds, count))
    return {
        "case": asdict(case),
        "case_id": case.case_id,
        "count": count,
        "warmup": warmup,
        "samples_seconds": seconds,
        "summary": summary,
    }


async def _measure_async(
    case: Case, payload: bytes, count: int, warmup: int, samples: int, address: Any
) -> list[float]:
    topic = f"PERF/{uuid4()}"
    async with ez.GraphContext(address, auto_start=False) as context, _traced(context, case.trace, address):
        subscriber = await context.subscriber(topic)
        publisher = await context.publisher(topic, **_options(case))

        async def bounce(number: int) -> float:
            began_s = time.perf_counter()
            for _ in range(number):
                await publisher.broadcast(payload)
                async with subscriber.recv_zero_copy():
                    pass
            return time.perf_counter() - began_s

        try:
            async with asyncio.timeout(WAIT_S):
                await bounce(1)
            await bounce(warmup)
            with undisturbed():
                return [await bounce(count) for _ in range(samples)]
        except TimeoutError as error:
            raise MessageMissing(case=case.case_id, seconds=WAIT_S) from error


def _measure_sync(case: Case, payload: bytes, count: int, warmup: int, samples: int, address: Any) -> list[float]:
    topic = f"PERF/{uuid4()}"
    with ez.sync.init(address, auto_start=False) as context:
        subscriber = context.create_subscription(topic)
        publisher = context.create_publisher(topic, **_options(case))

        def bounce(number: int) -> float:
            began_s = time.perf_counter()
            for _ in range(number):
                publisher.publish(payload)
                with subscriber.recv_zero_copy(timeout=WAIT_S):
                    pass
            return time.perf_counter() - began_s

        try:
            bounce(1 + warmup)
            with undisturbed():
                return [bounce(count) for _ in range(samples)]
        except TimeoutError as error:
            raise MessageMissing(case=case.case_id, seconds=WAIT_S) from error


def _options(case: Case) -> dict[str, Any]:
    return {
        "num_buffers": case.num_buffers,
        "buf_size": max(65536, 2 * case.payload_size),
        "force_tcp": case.transport == "tcp",
        "allow_local": case.transport == "local",
    }


@contextlib.asynccontextmanager
async def _traced(context: ez.GraphContext, wanted: bool, address: Any) -> AsyncIterator[None]:
    """Have everything in this process traced meanwhile, as a dashboard does."""
    if not wanted:
        yield
        return
    unit = f"PERF/{uuid4()}"
    process = ProcessControlClient(address)
    await process.register([unit])
    try:
        await context.process_set_profiling_trace(unit, ProfilingTraceControl(enabled=True, metrics=TRACED))
        yield
    finally:
        await process.close()


@contextlib.contextmanager
def undisturbed() -> Iterator[None]:
    """Collect no garbage meanwhile: what it costs belongs to no message."""
    was_on = gc.isenabled()
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


@contextlib.contextmanager
def quiet(wanted: bool) -> Iterator[None]:
    """Log only errors meanwhile: that a publisher waits for its one buffer is what is measured."""
    level = ez.logger.level
    if wanted:
        ez.logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        ez.logger.setLevel(level)
