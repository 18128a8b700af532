"""Have processes trace for a while, and take what they traced; in the end nothing stays on."""

import asyncio
import contextlib
from collections.abc import Mapping
from types import TracebackType
from typing import Self
from uuid import UUID

from ezmsg.control.connection.client import ControlConnection
from ezmsg.control.errors import ProcessRequestFailed, UnexpectedPayload
from ezmsg.control.graph.session import Session
from ezmsg.control.profiling.snapshots import profiling_trace, set_profiling_trace
from ezmsg.control.profiling.traces import batch_of
from ezmsg.protocol.errors import ConnectionLost
from ezmsg.protocol.model.profiling import ProcessProfilingTraceBatch, ProfilingTraceControl

MAX_SAMPLES = 10_000
"""How many samples a process gives at a time."""

INTERVAL_S = 0.1
"""How often processes are asked for what they traced, so that little is overwritten."""


class Tracing:
    """Tracing in some processes, from entering to leaving. ``failures`` says why a process did not take part.

    It has a session of its own, so that it and what else is traced on the connection leave each other alone.

    :param units: a unit of each process.
    """

    def __init__(
        self,
        connection: ControlConnection,
        units: Mapping[UUID, str],
        control: ProfilingTraceControl,
        *,
        timeout: float,
    ) -> None:
        self.batches: list[ProcessProfilingTraceBatch] = []
        self.failures: dict[UUID, str] = {}
        self._connection = connection
        self._units = dict(units)
        self._control = control
        self._session = Session(connection)
        self._timeout = timeout

    async def __aenter__(self) -> Self:
        try:
            await self._session.open()
            await self._set(self._control)
        except BaseException:
            await self._end()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._end()

    async def collect_for(self, seconds: float, until: asyncio.Event | None = None) -> None:
        """Take what is traced for so long, or until an event is set, often enough that little is overwritten."""
        loop = asyncio.get_running_loop()
        until = until or asyncio.Event()
        end = loop.time() + seconds
        while (left := end - loop.time()) > 0 and not until.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(until.wait(), min(left, INTERVAL_S))
            await self.collect()

    async def collect(self) -> None:
        """Take what was traced since the last time, from all processes at once."""
        await asyncio.gather(*(self._collect(process_id, unit) for process_id, unit in self._units.items()))

    async def _collect(self, process_id: UUID, unit: str) -> None:
        if process_id in self.failures:
            return
        full = True
        while full:
            try:
                trace = await profiling_trace(
                    self._connection, unit, MAX_SAMPLES, timeout=self._timeout, session_id=self._session.id
                )
                batch = batch_of(trace)
            except (ProcessRequestFailed, UnexpectedPayload) as error:
                self.failures[process_id] = error.reason
                return
            full = len(batch.samples) >= MAX_SAMPLES
            if batch.samples or batch.lost_samples:
                self.batches.append(batch)
            if not trace.traced:
                self.failures[process_id] = "it has ended the trace before it was over"
                return

    async def _set(self, control: ProfilingTraceControl) -> None:
        responses = await asyncio.gather(
            *(
                set_profiling_trace(
                    self._connection, unit, control, timeout=self._timeout, session_id=self._session.id
                )
                for unit in self._units.values()
            )
        )
        for process_id, response in zip(self._units, responses, strict=True):
            if control.enabled and not response.ok:
                self.failures[process_id] = response.error or "the process did not say why"

    async def _end(self) -> None:
        # If the connection is lost, so is the session for which they traced, and they end it by themselves.
        with contextlib.suppress(ConnectionLost):
            if self._session.is_open:
                await self._set(ProfilingTraceControl(enabled=False))
        await self._session.close()
