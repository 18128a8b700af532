"""For whom a publisher waits, measured on a running graph.

:func:`blame` works it out from two snapshots of all processes, :func:`measure_blame` takes these.
"""

import asyncio
import math
from collections.abc import Mapping
from uuid import UUID

from attrs import evolve

from ezmsg.control.connection.client import ControlConnection
from ezmsg.control.errors import InvalidWindow, NobodyPublishes, ProcessRequestFailed, UnexpectedPayload
from ezmsg.control.graph.operations import take_snapshot
from ezmsg.control.process.requests import DEFAULT_TIMEOUT_S
from ezmsg.control.profiling.blaming import Blame, Culprit, TaskBlame, blame, longest_waiting, topics_of
from ezmsg.control.profiling.growth import LEASE, USER_SPAN, concerned, with_what_left
from ezmsg.control.profiling.snapshots import profiling_snapshot, units_of_processes
from ezmsg.control.profiling.tracing import Tracing
from ezmsg.protocol.model.metadata import UnitMetadata
from ezmsg.protocol.model.profiling import ProcessProfilingSnapshot, ProfilingTraceControl
from ezmsg.protocol.model.snapshot import GraphSnapshot

__all__ = ["Blame", "Culprit", "TaskBlame", "blame", "measure_blame"]

DEFAULT_WINDOW_S = 10.0


async def measure_blame(
    connection: ControlConnection,
    topic: str | None,
    *,
    window_s: float = DEFAULT_WINDOW_S,
    timeout: float = DEFAULT_TIMEOUT_S,
) -> Blame:
    """Watch the publishers of a topic, and all that hear them, for ``window_s`` seconds; say whom they waited for.

    ``None`` is the topic whose publishers waited most meanwhile; for that, every process is watched.

    Meanwhile these processes trace for it; nothing stays on afterwards.

    :param timeout: seconds that each process has for each answer.
    :raises InvalidWindow: if in such a time nothing can be measured.
    :raises NobodyPublishes: if the topic has no publisher in a process that answers.
    """
    checked_window("A wait", window_s)
    graph = await take_snapshot(connection)
    units = units_of_processes(graph)
    there, failures = await _snapshots(connection, units, timeout)
    topics = topics_of(there)
    with_publishers = {each.process_id for each in there} if topic is None else concerned(there, topic)
    if not with_publishers or not topics:
        raise NobodyPublishes(topic=topic or "", topics=sorted(topics))
    units = {process_id: units[process_id] for process_id in with_publishers if process_id in units}
    control = ProfilingTraceControl(
        enabled=True, metrics=[LEASE, USER_SPAN], ttl_seconds=window_s + 4 * timeout + 1.0
    )
    async with Tracing(connection, units, control, timeout=timeout) as tracing:
        traced_from, _ = await _snapshots(connection, units, timeout)
        before = with_what_left((each for each in there if each.process_id in units), traced_from)
        await tracing.collect_for(window_s)
        after, _ = await _snapshots(connection, units, timeout)
        await tracing.collect()
    failures |= tracing.failures
    found = blame(before, after, topic or longest_waiting(before, after), tracing.batches, task_sources(graph))
    gaps = [f"Process {process_id}: {reason}" for process_id, reason in sorted(failures.items())]
    return evolve(found, gaps=[*found.gaps, *gaps])


async def publishing(connection: ControlConnection, timeout: float = DEFAULT_TIMEOUT_S) -> set[str]:
    """Return the topics that have publishers, in processes that answer."""
    units = units_of_processes(await take_snapshot(connection))
    return topics_of((await _snapshots(connection, units, timeout))[0])


def task_sources(graph: GraphSnapshot) -> dict[tuple[str, str], str]:
    """Return where the functions of units are defined, by the topic that each subscribes to and its name."""
    described = (session.metadata for session in graph.sessions.values())
    return {
        (task.subscribes, task.name): task.source
        for metadata in described
        if metadata is not None
        for component in metadata.components.values()
        if isinstance(component, UnitMetadata)
        for task in component.tasks
        if task.subscribes is not None and task.source is not None
    }


def checked_window(what: str, seconds: float) -> float:
    """Return a time for which something can be measured.

    :raises InvalidWindow: if nothing can.
    """
    if not (math.isfinite(seconds) and seconds > 0):
        raise InvalidWindow(what=what, seconds=seconds)
    return seconds


async def _snapshots(
    connection: ControlConnection, units: Mapping[UUID, str], timeout: float
) -> tuple[list[ProcessProfilingSnapshot], dict[UUID, str]]:
    """Ask processes, all at once; return what they counted, and why others said nothing."""
    answers = await asyncio.gather(
        *(profiling_snapshot(connection, unit, timeout) for unit in units.values()), return_exceptions=True
    )
    found: list[ProcessProfilingSnapshot] = []
    failures: dict[UUID, str] = {}
    for process_id, answer in zip(units, answers, strict=True):
        match answer:
            case ProcessProfilingSnapshot():
                found.append(answer)
            case ProcessRequestFailed() | UnexpectedPayload():
                failures[process_id] = answer.reason
            case BaseException():
                raise answer
    return found, failures
