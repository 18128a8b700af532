"""Traces of several processes as one stream: in each interval all are asked at once, and none waits for another.

The server keeps nothing of it. Who reads slowly asks less often, and is told how many samples that has cost.
"""

import asyncio
import contextlib
import math
import time
from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing
from uuid import UUID, uuid4

from ezmsg.control.connection.client import ControlConnection
from ezmsg.control.errors import InvalidTimeout, ProcessRequestFailed, UnexpectedPayload
from ezmsg.control.graph.operations import take_snapshot
from ezmsg.control.graph.resynchronising import topology_changes
from ezmsg.control.process.requests import DEFAULT_TIMEOUT_S
from ezmsg.control.profiling.snapshots import profiling_trace, units_of_processes
from ezmsg.control.profiling.traces import batch_of
from ezmsg.protocol.errors import EzmsgError
from ezmsg.protocol.model.profiling import ProcessTrace, ProfilingStreamControl, ProfilingTraceStreamBatch
from ezmsg.protocol.model.topology import TopologyEventType

INTERVAL_FLOOR_S = 0.01
"""No process is asked more often than this, in seconds."""

NOT_TRACED = "nothing is traced there for us: that was never asked for, or has ended"
"""What is said of a process that answers, and has no trace for who asks."""


class Processes:
    """The processes of a graph, each with a unit by which it can be asked; from a snapshot, and events since."""

    def __init__(self, connection: ControlConnection) -> None:
        self.units: dict[UUID, str] = {}
        self._connection = connection
        self._following: asyncio.Task[None] | None = None

    async def begin(self) -> None:
        """Learn what there is now, and follow what changes; :meth:`end` must follow."""
        seq = await self._look()
        self._following = asyncio.create_task(self._follow(seq))

    async def end(self) -> None:
        """Follow no more."""
        if self._following is not None:
            self._following.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._following

    def check(self) -> None:
        """Raise what ended the following, if it has ended."""
        if self._following is not None and self._following.done():
            self._following.result()

    async def _follow(self, seq: int) -> None:
        async with aclosing(topology_changes(self._connection, seq)) as events:
            async for event in events:
                if event.event_type is TopologyEventType.PROCESS_CHANGED and event.seq > seq:
                    seq = await self._look()

    async def _look(self) -> int:
        snapshot = await take_snapshot(self._connection)
        self.units = units_of_processes(snapshot)
        return snapshot.topology_seq or 0


class Asking:
    """The requests for batches that are under way, at most one for each process.

    Something is expected to be traced in processes that are named, and in those in which something was.
    """

    def __init__(
        self, connection: ControlConnection, control: ProfilingStreamControl, session_id: UUID | None
    ) -> None:
        self._connection = connection
        self._max_samples = control.max_samples
        self._expected = set(control.process_ids or ())
        self._session_id = session_id
        self._name = uuid4().hex
        self._received: dict[UUID, int] = {}
        self._tasks: dict[UUID, asyncio.Task[ProcessTrace]] = {}

    def ask(self, units: dict[UUID, str]) -> None:
        """Ask those processes who are not being asked; forget those that are gone."""
        self._received = {process: count for process, count in self._received.items() if process in units}
        for process, unit in units.items():
            if process not in self._tasks:
                self._tasks[process] = asyncio.create_task(self._ask(process, unit))

    async def answers(self, timeout_s: float, batch: ProfilingTraceStreamBatch) -> None:
        """Wait for all answers, though not for long, and put those that there are into a batch."""
        if self._tasks:
            await asyncio.wait(self._tasks.values(), timeout=timeout_s)
        for process in [process for process, task in self._tasks.items() if task.done()]:
            try:
                trace = self._tasks.pop(process).result()
                batch.batches[process] = batch_of(trace)
                if trace.traced:
                    self._expected.add(process)
                elif process in self._expected:
                    batch.missing[process] = NOT_TRACED
            except (ProcessRequestFailed, UnexpectedPayload) as error:
                batch.missing[process] = error.reason
            else:
                self._received[process] = self._received.get(process, 0) + 1

    async def end(self) -> None:
        """Ask no more."""
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    async def _ask(self, process: UUID, unit: str) -> ProcessTrace:
        return await profiling_trace(
            self._connection,
            unit,
            self._max_samples,
            batch=f"{self._name}/{self._received.get(process, 0)}",
            timeout=DEFAULT_TIMEOUT_S,
            session_id=self._session_id,
        )


async def follow_traces(
    connection: ControlConnection, control: ProfilingStreamControl, session_id: UUID | None = None
) -> AsyncGenerator[ProfilingTraceStreamBatch, None]:
    """Return what processes trace for this session or client; what that is, `set_profiling_trace` says.

    A process that does not answer is named in `missing`, once until it answers again; so is one that traces nothing
    for us, if something was traced there before, or if the control names it.

    :raises InvalidTimeout: if the interval is no finite time from 0 on.
    :raises ConnectionLost: at a step, if the connection to the server is over, or was lost meanwhile: what was to
        be traced is forgotten then, and must be said again.
    """
    interval_s = _checked_interval(control.interval)
    processes = Processes(connection)
    asking = Asking(connection, control, session_id)
    told: set[UUID] = set()
    losses: list[EzmsgError] = []
    forget = connection.on_lost(losses.append)
    loop = asyncio.get_running_loop()
    try:
        await processes.begin()
        while True:
            until = loop.time() + interval_s
            processes.check()
            if losses:
                raise losses[0]
            units = _chosen(processes.units, control.process_ids)
            asking.ask(units)
            batch = ProfilingTraceStreamBatch(0.0)
            await asking.answers(interval_s, batch)
            for process in control.process_ids or ():
                if process not in units:
                    batch.missing[process] = "there is no such process, or it owns no units"
            news = batch.missing.keys() - told
            told = (told | batch.missing.keys()) - (batch.batches.keys() - batch.missing.keys())
            if not control.include_empty_batches:
                batch.batches = {each: b for each, b in batch.batches.items() if b.samples or b.lost_samples}
            if batch.batches or news or control.include_empty_batches:
                batch.timestamp = time.time()
                for each in batch.batches.values():
                    each.timestamp = batch.timestamp
                yield batch
            await asyncio.sleep(max(0.0, until - loop.time()))
    finally:
        forget()
        await asking.end()
        await processes.end()


def _chosen(units: dict[UUID, str], wanted: Iterable[UUID] | None) -> dict[UUID, str]:
    return dict(units) if wanted is None else {each: units[each] for each in wanted if each in units}


def _checked_interval(interval: float) -> float:
    if not (math.isfinite(interval) and interval >= 0):
        raise InvalidTimeout(operation="A stream of traces", seconds=interval)
    return max(interval, INTERVAL_FLOOR_S)
