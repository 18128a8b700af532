"""What a context can ask of the graph it is in: its processes, their profiles, the settings, and what changes.

Few programs look at profiles and stacks, or change settings; what that needs is imported by those who do.
"""

import logging
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, TypeVar, cast
from uuid import UUID

from ezmsg.control.connection.client import ControlConnection
from ezmsg.control.errors import ProcessRequestFailed, SettingsCoercionError
from ezmsg.control.graph import settings
from ezmsg.control.graph.resynchronising import settings_changes, topology_changes
from ezmsg.control.graph.session import Session
from ezmsg.control.process import requests
from ezmsg.control.process.payloads import decode_response, encode_payload
from ezmsg.protocol import model
from ezmsg.protocol.addresses import Address
from ezmsg.protocol.errors import (
    ConnectionLost,
    DeadlineExceeded,
    EzmsgError,
    GraphError,
    SettingsUnavailable,
)
from ezmsg.protocol.model.process_control import (
    ProcessControlErrorCode,
    ProcessControlOperation,
    ProcessControlResponse,
    ProcessPing,
    ProcessStats,
)
from ezmsg.protocol.model.settings import SettingsChangedEvent, SettingsSnapshotValue
from ezmsg.protocol.model.snapshot import GraphSnapshot
from ezmsg.protocol.model.topology import TopologyChangedEvent

if TYPE_CHECKING:
    from ezmsg.control.profiling.windows import ProfileWindows

logger = logging.getLogger("ezmsg")

T = TypeVar("T")


class Operator(ABC):
    """The operator's half of :class:`~ezmsg.core.context.graph_context.GraphContext`, which has the session that it
    asks in."""

    def __init__(self) -> None:
        self._windows: ProfileWindows | None = None

    @property
    @abstractmethod
    def graph_address(self) -> Address:
        """Where the graph server is."""

    @abstractmethod
    async def snapshot(self) -> GraphSnapshot:
        """Return the whole graph."""

    @abstractmethod
    def _required(self, operation: str) -> Session: ...

    @abstractmethod
    def _joined(self, operation: str) -> ControlConnection: ...

    # --- the processes of units ---------------------------------------------------------------------------

    async def process_request(
        self,
        unit_address: str,
        operation: ProcessControlOperation | str,
        *,
        payload: bytes | None = None,
        payload_obj: object | None = None,
        timeout: float = requests.DEFAULT_TIMEOUT_S,
    ) -> ProcessControlResponse:
        """Ask the process that owns a unit; what goes wrong on the way is a response with its code, too.

        :param payload: bytes, which go to the process's handler as they are.
        :param payload_obj: a plain value or a record, which the handler reads with `ezmsg.control.decode_payload`.
        :param timeout: how long the process has to answer, in seconds.
        :raises ValueError: if both a payload and an object are given.
        :raises SessionRequired: outside ``async with``.
        """
        if payload is not None and payload_obj is not None:
            raise ValueError("Specify only one of payload or payload_obj: a request carries one of them.")
        if payload_obj is not None:
            payload = encode_payload(payload_obj)
        session_id = self._required("process_request").id
        return await requests.route_request(
            self._joined("process_request"),
            unit_address,
            operation,
            payload,
            timeout=timeout,
            session_id=session_id,
        )

    def decode_process_payload(
        self,
        response: ProcessControlResponse,
        expected_type: type[T] = object,  # type: ignore[assignment]
    ) -> T:
        """Return what a response carries, as a value of the expected type; ``object`` takes any plain value.

        :raises ProcessRequestFailed: if the response is a failure.
        :raises UnexpectedPayload: if it carries nothing, or something else.
        """
        if expected_type is model.ProcessProfilingTraceBatch:  # it travels in columns
            from ezmsg.control.profiling.traces import batch_of

            return cast("T", batch_of(decode_response(response, model.ProcessTrace)))
        return decode_response(response, expected_type)

    async def process_ping(self, unit_address: str, *, timeout: float = requests.DEFAULT_TIMEOUT_S) -> ProcessPing:
        """Ask the process that owns a unit for a sign of life; it answers also while a unit keeps its loop busy.

        :raises ProcessRequestFailed: if there is none in time.
        :raises SessionRequired: outside ``async with``.
        """
        return await requests.ping(self._joined("process_ping"), unit_address, timeout)

    async def process_stats(
        self, unit_address: str, *, timeout: float = requests.DEFAULT_TIMEOUT_S
    ) -> ProcessStats:
        """Ask the process that owns a unit what it owns and how it fares.

        :raises ProcessRequestFailed: if it does not answer in time.
        :raises SessionRequired: outside ``async with``.
        """
        return await requests.process_stats(self._joined("process_stats"), unit_address, timeout)

    async def process_stacks(
        self, unit_address: str, *, timeout: float = requests.DEFAULT_TIMEOUT_S
    ) -> "model.ProcessStacks":
        """Ask the process that owns a unit where its threads and its tasks are at this moment.

        :raises ProcessRequestFailed: if it does not answer in time, or is of a release that does not know this.
        :raises SessionRequired: outside ``async with``.
        """
        return await requests.process_stacks(self._joined("process_stacks"), unit_address, timeout)

    # --- profiles of processes ----------------------------------------------------------------------------

    async def process_profiling_snapshot(
        self, unit_address: str, *, timeout: float = requests.DEFAULT_TIMEOUT_S
    ) -> "model.ProcessProfilingSnapshot":
        """Return what the endpoints of a unit's process have counted.

        Windows are those from this context's last snapshot of that process on; in its first one they are 0.

        :raises ProcessRequestFailed: if it does not answer in time.
        :raises SessionRequired: outside ``async with``.
        """
        from ezmsg.control.profiling import snapshots as profiling

        connection = self._joined("process_profiling_snapshot")
        return self._filled(await profiling.profiling_snapshot(connection, unit_address, timeout))

    async def profiling_snapshot_all(
        self, *, timeout_per_process: float = requests.ALL_TIMEOUT_S
    ) -> "dict[UUID, model.ProcessProfilingSnapshot]":
        """Return what the endpoints of every process that owns units have counted; all are asked at once.

        A process that does not answer in time is left out and named in the log.

        :raises SessionRequired: outside ``async with``.
        """
        from ezmsg.control.profiling import snapshots as profiling

        connection = self._joined("profiling_snapshot_all")
        found, missing = await profiling.profiling_snapshot_all(connection, timeout_per_process)
        for process_id, reason in missing.items():
            logger.warning("There is no profile of process %s: %s", process_id, reason)
        return {process_id: self._filled(snapshot) for process_id, snapshot in found.items()}

    async def process_set_profiling_trace(
        self,
        unit_address: str,
        control: "model.ProfilingTraceControl",
        *,
        timeout: float = requests.DEFAULT_TIMEOUT_S,
    ) -> ProcessControlResponse:
        """Have a unit's process trace for this context, in place of what it traced for it before.

        It ends with ``ttl_seconds``, else with this context. What others have traced is not touched. A response
        that is not ``ok`` says why not; then nothing has changed.

        :raises SessionRequired: outside ``async with``.
        """
        from ezmsg.control.profiling import snapshots as profiling

        session_id = self._required("process_set_profiling_trace").id
        connection = self._joined("process_set_profiling_trace")
        return await profiling.set_profiling_trace(
            connection, unit_address, control, timeout=timeout, session_id=session_id
        )

    async def process_profiling_trace_batch(
        self, unit_address: str, *, max_samples: int = 1000, timeout: float = requests.DEFAULT_TIMEOUT_S
    ) -> "model.ProcessProfilingTraceBatch":
        """Take what a unit's process has traced for this context since the last time, the oldest first.

        :raises ProcessRequestFailed: if it does not answer in time.
        :raises SessionRequired: outside ``async with``.
        """
        from ezmsg.control.profiling import snapshots as profiling
        from ezmsg.control.profiling.traces import batch_of

        session_id = self._required("process_profiling_trace_batch").id
        connection = self._joined("process_profiling_trace_batch")
        return batch_of(
            await profiling.profiling_trace(
                connection, unit_address, max_samples, timeout=timeout, session_id=session_id
            )
        )

    def subscribe_profiling_trace(
        self, control: "model.ProfilingStreamControl"
    ) -> "AsyncIterator[model.ProfilingTraceStreamBatch]":
        """Return what all processes trace for this context, as it comes; see :meth:`process_set_profiling_trace`.

        Samples that it reads are in no other batch of this context.

        :raises SessionRequired: outside ``async with``.
        """
        from ezmsg.control.profiling.trace_stream import follow_traces

        session_id = self._required("subscribe_profiling_trace").id
        return follow_traces(self._joined("subscribe_profiling_trace"), control, session_id)

    def _filled(self, snapshot: "model.ProcessProfilingSnapshot") -> "model.ProcessProfilingSnapshot":
        """Fill in the windows of a snapshot."""
        from ezmsg.control.profiling.windows import ProfileWindows

        if self._windows is None:
            self._windows = ProfileWindows()
        return self._windows.fill(snapshot)

    # --- settings -----------------------------------------------------------------------------------------

    async def settings_snapshot(self) -> dict[str, SettingsSnapshotValue]:
        """Return the settings of every component by its address.

        :raises SessionRequired: outside ``async with``.
        """
        return await settings.settings_snapshot(self._joined("settings_snapshot"))

    async def settings_events(self, after_seq: int = 0) -> list[SettingsChangedEvent]:
        """Return the changes of settings after a sequence number until now, as far as the server still has them.

        :raises SessionRequired: outside ``async with``.
        """
        return await settings.settings_events(self._joined("settings_events"), after_seq)

    def subscribe_settings_events(
        self, *, after_seq: int = 0, epoch: UUID | None = None
    ) -> AsyncIterator[SettingsChangedEvent]:
        """Return every change of settings after a sequence number, as it happens.

        Where the server no longer has them, events say how the settings of now differ from what was told.

        :param epoch: the run of the server that the number is of, as snapshots name it; this run, if not given.
        :raises SessionRequired: outside ``async with``.
        """
        return settings_changes(self._joined("subscribe_settings_events"), after_seq, epoch)

    def subscribe_topology_events(
        self, *, after_seq: int = 0, epoch: UUID | None = None
    ) -> AsyncIterator[TopologyChangedEvent]:
        """Return every change of the graph after a sequence number, as it happens.

        Where the server no longer has them, events name every topic that there is now.

        :param epoch: the run of the server that the number is of, as snapshots name it; this run, if not given.
        :raises SessionRequired: outside ``async with``.
        """
        return topology_changes(self._joined("subscribe_topology_events"), after_seq, epoch)

    async def settings_input_topic(self, component_address: str) -> str:
        """Return the topic on which a component takes settings while it runs.

        :raises NoSettingsInput: if it takes none.
        :raises SessionRequired: outside ``async with``.
        """
        return settings.settings_input_topic(await self.snapshot(), component_address)

    async def update_settings(
        self, component_address: str, value: object, *, input_topic: str | None = None
    ) -> None:
        """Publish a settings object for a component; return when its process reports it, else after two seconds.

        Nothing is checked on the way, see :meth:`update_setting`.

        :param input_topic: where to publish, else where the component says that it takes settings.
        :raises NoSettingsInput: if it does not say so.
        :raises SessionRequired: outside ``async with``.
        """
        connection = self._joined("update_settings")
        topic = input_topic or await self.settings_input_topic(component_address)
        from ezmsg.core.context.publishing_settings import publish_settings

        await publish_settings(connection, self.graph_address, component_address, topic, value)

    async def update_setting(
        self,
        component_address: str,
        field_path: str,
        value: object,
        *,
        timeout: float = requests.DEFAULT_TIMEOUT_S,
        expect: int | None = None,
    ) -> SettingsSnapshotValue:
        """Set one field of a running component, such as ``filters[0].cutoff``; return the settings it has then.

        With the path "", ``value`` is a mapping of paths to values, which are set together or not at all.

        :param value: a plain value, which its process checks and makes into what the field takes.
        :param expect: change nothing if the settings have another revision.
        :raises ProcessRequestFailed: if the value is refused, or nobody applies it in time; its cause says why.
        :raises SessionRequired: outside ``async with``.
        """
        connection = self._joined("update_setting")
        try:
            return await settings.update_setting(
                connection, component_address, field_path, value, timeout=timeout, expect=expect
            )
        except (SettingsCoercionError, GraphError, DeadlineExceeded, ConnectionLost) as error:
            raise ProcessRequestFailed(error_code=_code_of(error).value, reason=error.sentence()) from error


def _code_of(error: EzmsgError) -> ProcessControlErrorCode:
    """Return the code by which programs written for ezmsg 3 know why a setting was not changed."""
    match error:
        case SettingsUnavailable():
            return ProcessControlErrorCode.UNROUTABLE_UNIT
        case DeadlineExceeded():
            return ProcessControlErrorCode.TIMEOUT
        case ConnectionLost():
            return ProcessControlErrorCode.ROUTE_WRITE_FAILED
    return ProcessControlErrorCode.HANDLER_ERROR
