"""Profiles of running processes, each a function of the connection; what goes wrong in one costs only that one.

Counters come as they are: who wants windows has them filled in by :mod:`ezmsg.control.profiling.windows`.
"""

import asyncio
from uuid import UUID

from ezmsg.control.connection.client import ControlConnection
from ezmsg.control.errors import ProcessRequestFailed, UnexpectedPayload
from ezmsg.control.graph.operations import take_snapshot
from ezmsg.control.process.payloads import decode_response, encode_payload
from ezmsg.control.process.requests import ALL_TIMEOUT_S, DEFAULT_TIMEOUT_S, route_request
from ezmsg.protocol.model.process_control import ProcessControlOperation, ProcessControlResponse
from ezmsg.protocol.model.profiling import ProcessProfilingSnapshot, ProcessTrace, ProfilingTraceControl
from ezmsg.protocol.model.snapshot import GraphSnapshot


async def profiling_snapshot(
    connection: ControlConnection, unit_address: str, timeout: float = DEFAULT_TIMEOUT_S
) -> ProcessProfilingSnapshot:
    """Return what the endpoints of a unit's process have counted.

    :raises ProcessRequestFailed: if the process does not answer in time.
    """
    operation = ProcessControlOperation.GET_PROFILING_SNAPSHOT
    return decode_response(
        await route_request(connection, unit_address, operation, timeout=timeout), ProcessProfilingSnapshot
    )


async def set_profiling_trace(
    connection: ControlConnection,
    unit_address: str,
    control: ProfilingTraceControl,
    *,
    timeout: float = DEFAULT_TIMEOUT_S,
    session_id: UUID | None = None,
) -> ProcessControlResponse:
    """Have a unit's process trace for this session or client, in place of what it traced for it before.

    A response that is not ``ok`` says why not; then nothing has changed. What is traced ends with its time to live,
    with the session, or with the connection.
    """
    operation = ProcessControlOperation.SET_PROFILING_TRACE
    payload = encode_payload(control)
    return await route_request(connection, unit_address, operation, payload, timeout=timeout, session_id=session_id)


async def profiling_trace(
    connection: ControlConnection,
    unit_address: str,
    max_samples: int = 1000,
    *,
    batch: str = "",
    timeout: float = DEFAULT_TIMEOUT_S,
    session_id: UUID | None = None,
) -> ProcessTrace:
    """Take what a unit's process has traced for this session or client, in columns.

    :param batch: a name; who asks again for the same one, because no answer came, gets the same samples.
    :raises ProcessRequestFailed: if the process does not answer in time.
    """
    operation = ProcessControlOperation.GET_PROFILING_TRACE_BATCH
    payload = encode_payload({"max_samples": max_samples, "batch": batch})
    response = await route_request(
        connection, unit_address, operation, payload, timeout=timeout, session_id=session_id
    )
    return decode_response(response, ProcessTrace)


async def profiling_snapshot_all(
    connection: ControlConnection, timeout_per_process: float = ALL_TIMEOUT_S
) -> tuple[dict[UUID, ProcessProfilingSnapshot], dict[UUID, str]]:
    """Ask every process that owns units, all at once; return what they say, and why others say nothing."""
    asked = units_of_processes(await take_snapshot(connection))
    answers = await asyncio.gather(
        *(profiling_snapshot(connection, unit, timeout_per_process) for unit in asked.values()),
        return_exceptions=True,
    )
    found: dict[UUID, ProcessProfilingSnapshot] = {}
    missing: dict[UUID, str] = {}
    for process_id, answer in zip(asked, answers, strict=True):
        if isinstance(answer, ProcessRequestFailed | UnexpectedPayload):
            missing[process_id] = answer.reason
        elif isinstance(answer, BaseException):
            raise answer
        else:
            found[answer.process_id] = answer
    return found, missing


def units_of_processes(snapshot: GraphSnapshot) -> dict[UUID, str]:
    """Return one unit of each process, by which it can be asked; a process without units cannot."""
    return {process_id: process.units[0] for process_id, process in snapshot.processes.items() if process.units}
