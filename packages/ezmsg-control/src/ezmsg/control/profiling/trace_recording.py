"""Record what all processes trace, for a while."""

import asyncio
from uuid import UUID

from attrs import frozen

from ezmsg.control.connection.client import ControlConnection
from ezmsg.control.graph.operations import take_snapshot
from ezmsg.control.process.requests import DEFAULT_TIMEOUT_S
from ezmsg.control.profiling.blame import checked_window
from ezmsg.control.profiling.snapshots import units_of_processes
from ezmsg.control.profiling.tracing import Tracing
from ezmsg.protocol.model.profiling import ProcessProfilingTraceBatch, ProfilingTraceControl


@frozen
class Recording:
    """What was traced, how many processes were asked, and why some of them are missing."""

    batches: list[ProcessProfilingTraceBatch]
    failures: dict[UUID, str]
    processes: int


async def record_traces(
    connection: ControlConnection,
    seconds: float,
    *,
    sample_mod: int = 1,
    timeout: float = DEFAULT_TIMEOUT_S,
    until: asyncio.Event | None = None,
) -> Recording:
    """Have every process trace everything for some seconds, and return it.

    :param sample_mod: take every so-manieth message of each publisher only.
    :param timeout: seconds that each process has for each answer.
    :param until: ends it before, once it is set; what was traced until then is returned.
    :raises InvalidWindow: if in such a time nothing can be traced.
    """
    checked_window("A trace", seconds)
    units = units_of_processes(await take_snapshot(connection))
    control = ProfilingTraceControl(enabled=True, sample_mod=sample_mod, ttl_seconds=seconds + 4 * timeout + 1.0)
    async with Tracing(connection, units, control, timeout=timeout) as tracing:
        await tracing.collect_for(seconds, until)
    return Recording(tracing.batches, tracing.failures, len(units))
