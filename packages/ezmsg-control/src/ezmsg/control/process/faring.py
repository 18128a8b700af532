"""How the processes of a graph fare: every one asked at once, so that a slow one delays nobody's answer."""

import asyncio
import time
from collections.abc import Iterable
from uuid import UUID

from attrs import frozen

from ezmsg.control.connection.client import ControlConnection
from ezmsg.control.errors import ProcessRequestFailed
from ezmsg.control.process.requests import ping, process_stats
from ezmsg.protocol.model.snapshot import ProcessState, SnapshotProcess

CPU_WINDOW_S = 0.1
"""Over how long the use of the processor is looked at, in seconds."""


@frozen
class Fare:
    """How one process fares: ``None`` where that is not known.

    Times are in seconds, ``cpu`` is a share of one core; ``failure`` says why it did not answer. While the process
    is starting, ``waits_for`` are the units whose ``initialize()`` goes on, and for how long it has. ``when_dead``
    is what its program does when it dies, ``restarts`` how often in a row it was started again. ``state`` is the
    name of a :class:`ProcessState`.
    """

    process_id: UUID
    pid: int | None
    host: str | None
    units: list[str]
    cpu: float | None = None
    memory_bytes: int | None = None
    uptime_s: float | None = None
    loop_lateness_s: float | None = None
    ping_s: float | None = None
    failure: str | None = None
    phase: str | None = None
    waits_for: dict[str, float] | None = None
    descriptors: int | None = None
    descriptor_limit: int | None = None
    state: str = ProcessState.ALIVE.value
    when_dead: str | None = None
    restarts: int | None = None


async def take_fares(
    connection: ControlConnection, processes: Iterable[SnapshotProcess], timeout: float
) -> list[Fare]:
    """Return how each process fares, by host and number; of one that does not answer in time, why it does not."""
    fares = await asyncio.gather(*(_fare(connection, each, timeout) for each in processes))
    return sorted(fares, key=lambda fare: (fare.host or "", fare.pid or 0))


async def _fare(connection: ControlConnection, process: SnapshotProcess, timeout: float) -> Fare:
    known = (process.process_id, process.pid, process.host, process.answers_for)
    state = process.state.value
    if process.state is ProcessState.DEAD:
        return Fare(*known, failure="it was lost, and its host with it; what it owned is free", state=state)
    if not process.answers_for:
        return Fare(*known, state=state, failure="it owns no unit by which it could be asked")
    unit = process.answers_for[0]
    begin_s = time.perf_counter()
    try:
        await ping(connection, unit, timeout)
        ping_s = time.perf_counter() - begin_s
        first = await process_stats(connection, unit, timeout)
        await asyncio.sleep(CPU_WINDOW_S)
        stats = await process_stats(connection, unit, timeout)
    except ProcessRequestFailed as error:
        return Fare(*known, failure=error.reason, state=state)
    cpu = None
    if first.cpu_s is not None and stats.cpu_s is not None and stats.timestamp > first.timestamp:
        cpu = (stats.cpu_s - first.cpu_s) / (stats.timestamp - first.timestamp)
    return Fare(
        *known,
        cpu=cpu,
        memory_bytes=stats.memory_bytes,
        uptime_s=stats.uptime_s,
        loop_lateness_s=stats.loop_lateness_s,
        ping_s=ping_s,
        descriptors=stats.descriptors,
        descriptor_limit=stats.descriptor_limit,
        phase=stats.phase,
        waits_for=stats.waits_for,
        state=state,
        when_dead=stats.when_dead,
        restarts=stats.restarts,
    )
