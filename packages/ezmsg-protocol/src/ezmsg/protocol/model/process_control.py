"""Processes and what can be asked of them."""

from dataclasses import dataclass, field
from enum import Enum, StrEnum
from typing import Any
from uuid import UUID

from ezmsg.protocol.model.settings import SettingsSnapshotValue


@dataclass
class ProcessRegistration:
    """A process joins: its operating-system id, its host and the units it owns.

    ``starting`` are units that are still set up there; it answers for them, and will own them.
    """

    pid: int
    host: str
    units: list[str]
    starting: list[str] = field(default_factory=list)


@dataclass
class ProcessOwnershipUpdate:
    """Units that a process has come to own, or owns no more."""

    added_units: list[str] = field(default_factory=list)
    removed_units: list[str] = field(default_factory=list)


@dataclass
class ProcessSettingsUpdate:
    """A process reports the settings that one of its units now has; ``timestamp`` is wall time in seconds."""

    component_address: str
    value: SettingsSnapshotValue
    timestamp: float


class ProcessControlOperation(StrEnum):
    """The operations every process answers; any other string goes to the process's own handler.

    A member equals its string, which is what handlers written for ezmsg 3 compare with.
    """

    PING = "PING"
    GET_PROCESS_STATS = "GET_PROCESS_STATS"
    GET_PROFILING_SNAPSHOT = "GET_PROFILING_SNAPSHOT"
    SET_PROFILING_TRACE = "SET_PROFILING_TRACE"
    GET_PROFILING_TRACE_BATCH = "GET_PROFILING_TRACE_BATCH"
    UPDATE_SETTING_FIELD = "UPDATE_SETTING_FIELD"
    GET_PROCESS_STACKS = "GET_PROCESS_STACKS"


class ProcessControlErrorCode(Enum):
    """Why a routed request failed."""

    UNROUTABLE_UNIT = "UNROUTABLE_UNIT"
    ROUTE_WRITE_FAILED = "ROUTE_WRITE_FAILED"
    TIMEOUT = "TIMEOUT"
    PROCESS_DISCONNECTED = "PROCESS_DISCONNECTED"
    PROCESS_UNRESPONSIVE = "PROCESS_UNRESPONSIVE"
    UNSUPPORTED_OPERATION = "UNSUPPORTED_OPERATION"
    HANDLER_NOT_CONFIGURED = "HANDLER_NOT_CONFIGURED"
    HANDLER_ERROR = "HANDLER_ERROR"
    INVALID_RESPONSE = "INVALID_RESPONSE"
    UNKNOWN = "UNKNOWN"


@dataclass
class ProcessControlRequest:
    """A request routed to the process that owns ``unit_address``."""

    request_id: str
    unit_address: str
    operation: ProcessControlOperation | str
    payload: bytes | None = None


@dataclass
class ProcessControlResponse:
    """The one answer to a routed request: a payload, or an error with its code."""

    request_id: str
    ok: bool
    payload: bytes | None = None
    error: str | None = None
    error_code: ProcessControlErrorCode | None = None
    process_id: UUID | None = None


@dataclass
class SettingsFieldUpdateRequest:
    """Set one field, named by its path, to a plain value."""

    field_path: str
    value: Any


@dataclass
class ProcessPing:
    """A sign of life; ``timestamp`` is wall time in seconds."""

    process_id: UUID
    pid: int
    host: str
    timestamp: float


@dataclass
class ProcessStats:
    """Who a process is, which units it owns and how it fares; ``timestamp`` is wall time in seconds.

    ``cpu_s`` is the processor time that it has used, ``uptime_s`` how long it has run, ``memory_bytes`` what it has
    in memory, ``loop_lateness_s`` how late its units' event loop is, ``late_replies`` how many answers of its
    request handler came after their deadline and were dropped, ``descriptors`` how many files and sockets it has
    open, of ``descriptor_limit`` that it may have: ``None`` where that cannot be told.

    ``phase`` is ``starting`` while its units are set up, ``ready`` while other processes' are, ``running`` and
    ``ending``; ``waits_for`` names the units whose ``initialize()`` goes on, with the seconds since it began.

    ``when_dead`` is what its program does when the process dies, such as ``restart(3)``; ``restarts`` is how often
    in a row it was started again for that reason.
    """

    process_id: UUID
    pid: int
    host: str
    owned_units: list[str]
    timestamp: float
    cpu_s: float | None = None
    memory_bytes: int | None = None
    loop_lateness_s: float | None = None
    uptime_s: float | None = None
    late_replies: int | None = None
    phase: str | None = None
    waits_for: dict[str, float] | None = None
    descriptors: int | None = None
    descriptor_limit: int | None = None
    when_dead: str | None = None
    restarts: int | None = None
