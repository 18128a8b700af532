"""The graph as a program sees it: a session, and the publishers and subscribers made in it."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar, cast
from uuid import UUID

from ezmsg.control import profiling, requests, settings, sharing
from ezmsg.control.client import ControlConnection
from ezmsg.control.errors import ProcessRequestFailed, SettingsCoercionError
from ezmsg.control.payloads import decode_response, encode_payload
from ezmsg.control.profile_windows import ProfileWindows
from ezmsg.control.resynchronising import settings_changes, topology_changes
from ezmsg.control.session import Session
from ezmsg.control.trace_stream import follow_traces
from ezmsg.control.traces import batch_of
from ezmsg.core.publishing_settings import publish_settings
from ezmsg.core.pubsub.publisher import Publisher
from ezmsg.core.pubsub.subscriber import Subscriber
from ezmsg.core.service import GraphService
from ezmsg.protocol.addresses import Address, AddressType
from ezmsg.protocol.errors import (
    ConnectionLost,
    DeadlineExceeded,
    EzmsgError,
    GraphError,
    SessionRequired,
    SettingsUnavailable,
)
from ezmsg.protocol.model.metadata import GraphMetadata
from ezmsg.protocol.model.process_control import (
    ProcessControlErrorCode,
    ProcessControlOperation,
    ProcessControlResponse,
    ProcessPing,
    ProcessStats,
)
from ezmsg.protocol.model.profiling import (
    ProcessProfilingSnapshot,
    ProcessProfilingTraceBatch,
    ProcessTrace,
    ProfilingStreamControl,
    ProfilingTraceControl,
    ProfilingTraceStreamBatch,
)
from ezmsg.protocol.model.settings import SettingsChangedEvent, SettingsSnapshotValue
from ezmsg.protocol.model.snapshot import GraphSnapshot
from ezmsg.protocol.model.stacks import ProcessStacks
from ezmsg.protocol.model.topology import TopologyChangedEvent

if TYPE_CHECKING:
    from ezmsg.graphserver.embedded import GraphServer

logger = logging.getLogger("ezmsg")

T = TypeVar("T")


class GraphContext:
    """A program's hold on the graph: ``async with GraphContext() as context:``.

    What it connects and registers lasts as long as the context; what it publishes and subscribes is closed on
    leaving. Publishers and subscribers may be made before entering, too; then :meth:`revert` closes them.

    :param graph_address: where the graph server is, else as ``EZMSG_GRAPHSERVER_ADDR`` says, else
        127.0.0.1:25978.
    :param auto_start: whether to start a server if none answers; ``None`` means only if no address was given.
    """

    def __init__(self, graph_address: AddressType | None = None, auto_start: bool | None = None) -> None:
        self._service = GraphService(graph_address)
        self._auto_start = auto_start
        self._clients: set[Publisher | Subscriber] = set()
        self._server: GraphServer | None = None
        self._connection: ControlConnection | None = None
        self._session: Session | None = None
        self._ensuring = asyncio.Lock()
        self._entering = asyncio.Lock()
        self._windows = ProfileWindows()

    @property
    def graph_address(self) -> Address:
        """Where the graph server is."""
        return self._service.address

    @property
    def server_spawned(self) -> bool:
        """Whether this context started the graph server."""
        return self._server is not None

    async def __aenter__(self) -> Self:
        """Open the session; if it is open, that one serves, and the first to leave ends it.

        :raises ServerUnreachable: if no server answers and none may be started.
        """
        async with self._entering:  # so that two who come at once do not open a session each
            if self._session is None:
                await self._open_session()
        return self

    async def _open_session(self) -> None:
        try:
            await self._ensure_server()
            self._connection = await sharing.acquire(self.graph_address)
            session = Session(self._connection)
            await session.open()
        except BaseException:
            await self.revert()
            raise
        self._session = session

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.revert()

    # --- endpoints ----------------------------------------------------------------------------------------

    async def publisher(self, topic: str, **kwargs: Any) -> Publisher:
        """Make a publisher of ``topic``; see :meth:`Publisher.create` for the options."""
        await self._ensure_server()
        publisher = await Publisher.create(topic, self.graph_address, **kwargs)
        self._keep(publisher)
        return publisher

    async def subscriber(self, topic: str, **kwargs: Any) -> Subscriber:
        """Make a subscriber of ``topic``; see :meth:`Subscriber.create` for the options."""
        await self._ensure_server()
        subscriber = await Subscriber.create(topic, self.graph_address, **kwargs)
        self._keep(subscriber)
        return subscriber

    # --- the session --------------------------------------------------------------------------------------

    async def connect(self, from_topic: str, to_topic: str) -> None:
        """Let messages of one topic reach another; return when they do.

        :raises CyclicException: if they could then come back to where they started.
        :raises SessionRequired: outside ``async with``.
        """
        await self._required("connect").connect(from_topic, to_topic)

    async def disconnect(self, from_topic: str, to_topic: str) -> None:
        """Take back what :meth:`connect` did; the edge stays while others own it too.

        :raises SessionRequired: outside ``async with``.
        """
        await self._required("disconnect").disconnect(from_topic, to_topic)

    async def register_metadata(self, metadata: GraphMetadata) -> None:
        """Describe this program's components to the graph server.

        :raises ComponentCollision: if another session describes a component of the same address.
        :raises SessionRequired: outside ``async with``.
        """
        await self._required("register_metadata").register_metadata(metadata)

    async def snapshot(self) -> GraphSnapshot:
        """Return the whole graph as the server knows it.

        The components in its metadata are shared by all snapshots, and not to be changed.

        :raises SessionRequired: outside ``async with``.
        """
        return await self._required("snapshot").snapshot()

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
        if expected_type is ProcessProfilingTraceBatch:  # it travels in columns
            return cast("T", batch_of(decode_response(response, ProcessTrace)))
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
    ) -> ProcessStacks:
        """Ask the process that owns a unit where its threads and its tasks are at this moment.

        :raises ProcessRequestFailed: if it does not answer in time, or is of a release that does not know this.
        :raises SessionRequired: outside ``async with``.
        """
        return await requests.process_stacks(self._joined("process_stacks"), unit_address, timeout)

    # --- profiles of processes ----------------------------------------------------------------------------

    async def process_profiling_snapshot(
        self, unit_address: str, *, timeout: float = requests.DEFAULT_TIMEOUT_S
    ) -> ProcessProfilingSnapshot:
        """Return what the endpoints of a unit's process have counted.

        Windows are those from this context's last snapshot of that process on; in its first one they are 0.

        :raises ProcessRequestFailed: if it does not answer in time.
        :raises SessionRequired: outside ``async with``.
        """
        connection = self._joined("process_profiling_snapshot")
        return self._windows.fill(await profiling.profiling_snapshot(connection, unit_address, timeout))

    async def profiling_snapshot_all(
        self, *, timeout_per_process: float = profiling.ALL_TIMEOUT_S
    ) -> dict[UUID, ProcessProfilingSnapshot]:
        """Return what the endpoints of every process that owns units have counted; all are asked at once.

        A process that does not answer in time is left out and named in the log.

        :raises SessionRequired: outside ``async with``.
        """
        connection = self._joined("profiling_snapshot_all")
        found, missing = await profiling.profiling_snapshot_all(connection, timeout_per_process)
        for process_id, reason in missing.items():
            logger.warning("There is no profile of process %s: %s", process_id, reason)
        return {process_id: self._windows.fill(snapshot) for process_id, snapshot in found.items()}

    async def process_set_profiling_trace(
        self, unit_address: str, control: ProfilingTraceControl, *, timeout: float = requests.DEFAULT_TIMEOUT_S
    ) -> ProcessControlResponse:
        """Have a unit's process trace for this context, in place of what it traced for it before.

        It ends with ``ttl_seconds``, else with this context. What others have traced is not touched. A response
        that is not ``ok`` says why not; then nothing has changed.

        :raises SessionRequired: outside ``async with``.
        """
        session_id = self._required("process_set_profiling_trace").id
        connection = self._joined("process_set_profiling_trace")
        return await profiling.set_profiling_trace(
            connection, unit_address, control, timeout=timeout, session_id=session_id
        )

    async def process_profiling_trace_batch(
        self, unit_address: str, *, max_samples: int = 1000, timeout: float = requests.DEFAULT_TIMEOUT_S
    ) -> ProcessProfilingTraceBatch:
        """Take what a unit's process has traced for this context since the last time, the oldest first.

        :raises ProcessRequestFailed: if it does not answer in time.
        :raises SessionRequired: outside ``async with``.
        """
        session_id = self._required("process_profiling_trace_batch").id
        connection = self._joined("process_profiling_trace_batch")
        return batch_of(
            await profiling.profiling_trace(
                connection, unit_address, max_samples, timeout=timeout, session_id=session_id
            )
        )

    def subscribe_profiling_trace(
        self, control: ProfilingStreamControl
    ) -> AsyncIterator[ProfilingTraceStreamBatch]:
        """Return what all processes trace for this context, as it comes; see :meth:`process_set_profiling_trace`.

        Samples that it reads are in no other batch of this context.

        :raises SessionRequired: outside ``async with``.
        """
        session_id = self._required("subscribe_profiling_trace").id
        return follow_traces(self._joined("subscribe_profiling_trace"), control, session_id)

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

    # --- private names that tools for ezmsg 3 use ---------------------------------------------------------

    @property
    def _session_id(self) -> UUID | None:
        """The session's id, as snapshots show it; ``None`` outside ``async with``."""
        return None if self._session is None else self._session.id

    async def _close_session(self) -> None:
        """End the session and leave the publishers and subscribers as they are."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    # --- every publisher of the graph ---------------------------------------------------------------------

    async def pause(self) -> None:
        """Let every publisher of the graph hold back its messages."""
        await self._service.pause()

    async def resume(self) -> None:
        """Let every publisher of the graph go on."""
        await self._service.resume()

    async def sync(self, timeout: float | None = None) -> None:
        """Pause every publisher, and wait until everything published so far is released; then :meth:`resume`.

        A quiet graph is one that can be changed. ``timeout`` is in seconds; publishers stay paused after it, too.

        :raises DeadlineExceeded: if it takes longer.
        """
        await self._service.sync(timeout)

    async def revert(self) -> None:
        """Close what was made here, end the session, and stop the server if it was started here."""
        clients, self._clients = self._clients, set()
        session, self._session = self._session, None
        connection, self._connection = self._connection, None
        server, self._server = self._server, None
        async with AsyncExitStack() as steps:  # backwards; each is taken even if another fails or is cancelled
            if server is not None:
                steps.push_async_callback(_stop, server)
            if connection is not None:
                steps.push_async_callback(sharing.release, connection)
            if session is not None:
                steps.push_async_callback(session.close)
            for client in clients:
                client.close()
            await asyncio.gather(*(client.wait_closed() for client in clients))

    async def _ensure_server(self) -> None:
        if self._connection is not None:
            return
        async with self._ensuring:  # so that two who come at once do not start a server each
            if self._server is None:
                self._server = await self._service.ensure(self._auto_start)

    def _keep(self, client: Publisher | Subscriber) -> None:
        """Remember to close an endpoint, and forget those that were closed meanwhile."""
        self._clients -= {other for other in self._clients if _has_left(other)}
        self._clients.add(client)

    def _required(self, operation: str) -> Session:
        if self._session is None:
            raise SessionRequired(operation=operation)
        return self._session

    def _joined(self, operation: str) -> ControlConnection:
        """Return the session's connection."""
        self._required(operation)
        assert self._connection is not None
        return self._connection


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


def _has_left(client: Publisher | Subscriber) -> bool:
    """Whether an endpoint is closed and nothing of it is under way, so that nobody must wait for it."""
    leaving = client._closing if isinstance(client, Publisher) else client._withdrawal
    return leaving is not None and leaving.done()


async def _stop(server: "GraphServer") -> None:
    try:
        await asyncio.to_thread(server.stop)
    except RuntimeError:  # the interpreter is at its end, and starts no more threads
        server.stop()
