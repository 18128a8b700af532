"""What is asked of the process that owns a unit, through the graph server, each a function of the connection."""

import math
from uuid import UUID, uuid4

from ezmsg.control.connection.client import ControlConnection
from ezmsg.control.errors import InvalidTimeout
from ezmsg.control.process.payloads import decode_response
from ezmsg.protocol import model
from ezmsg.protocol.errors import ConnectionLost, DeadlineExceeded
from ezmsg.protocol.messages.requests import Responded, RouteRequest
from ezmsg.protocol.model.process_control import (
    ProcessControlErrorCode,
    ProcessControlOperation,
    ProcessControlResponse,
    ProcessPing,
    ProcessStats,
)

DEFAULT_TIMEOUT_S = 2.0
"""Seconds that a process gets to answer, unless told otherwise."""

ALL_TIMEOUT_S = 0.5
"""Seconds that each process gets when all are asked, unless told otherwise."""

GRACE_S = 1.0
"""Seconds by which the server's own deadline comes before ours, so that its answer can still arrive."""


async def route_request(
    connection: ControlConnection,
    unit_address: str,
    operation: ProcessControlOperation | str,
    payload: bytes | None = None,
    *,
    timeout: float = DEFAULT_TIMEOUT_S,
    session_id: UUID | None = None,
) -> ProcessControlResponse:
    """Ask the process that owns a unit. What goes wrong on the way is a response, too, with its code.

    :raises InvalidTimeout: if ``timeout`` is not a finite time from 0 on.
    """
    name = operation.value if isinstance(operation, ProcessControlOperation) else operation
    timeout = checked_timeout(f"The request {name} to {unit_address}", timeout)
    request = RouteRequest(unit_address, name, timeout, payload, session_id)
    try:
        responded: Responded = await connection.request(request, timeout=timeout + GRACE_S)
    except DeadlineExceeded as error:  # the server itself hangs, or does not come back
        return _failed(ProcessControlErrorCode.TIMEOUT, error.sentence())
    except ConnectionLost as error:
        unknown = "Whether the process has done what was asked is not known."
        return _failed(ProcessControlErrorCode.ROUTE_WRITE_FAILED, f"{error.sentence()} {unknown}")
    return responded.response


def _failed(code: ProcessControlErrorCode, error: str) -> ProcessControlResponse:
    return ProcessControlResponse(uuid4().hex, False, error=error, error_code=code)


async def ping(connection: ControlConnection, unit_address: str, timeout: float = DEFAULT_TIMEOUT_S) -> ProcessPing:
    """Ask the process that owns a unit for a sign of life.

    :raises ProcessRequestFailed: if there is none in time.
    """
    response = await route_request(connection, unit_address, ProcessControlOperation.PING, timeout=timeout)
    return decode_response(response, ProcessPing)


async def process_stats(
    connection: ControlConnection, unit_address: str, timeout: float = DEFAULT_TIMEOUT_S
) -> ProcessStats:
    """Ask the process that owns a unit how it fares.

    :raises ProcessRequestFailed: if it does not answer in time.
    """
    operation = ProcessControlOperation.GET_PROCESS_STATS
    response = await route_request(connection, unit_address, operation, timeout=timeout)
    return decode_response(response, ProcessStats)


async def process_stacks(
    connection: ControlConnection, unit_address: str, timeout: float = DEFAULT_TIMEOUT_S
) -> "model.ProcessStacks":
    """Ask the process that owns a unit where its threads and its tasks are.

    It answers also while the unit blocks its event loop, if the unit's process has a thread for such answers: those
    of ``run()`` have one.

    :raises ProcessRequestFailed: if it does not answer in time, or is of a release that does not know this.
    """
    operation = ProcessControlOperation.GET_PROCESS_STACKS
    response = await route_request(connection, unit_address, operation, timeout=timeout)
    return decode_response(response, model.ProcessStacks)


def checked_timeout(operation: str, timeout: float | None) -> float:
    """Return a time to wait; ``None``, which elsewhere means without end, is none.

    :raises InvalidTimeout: if it cannot be waited for.
    """
    if timeout is None or not (math.isfinite(timeout) and timeout >= 0):
        raise InvalidTimeout(operation=operation, seconds=timeout)
    return float(timeout)
