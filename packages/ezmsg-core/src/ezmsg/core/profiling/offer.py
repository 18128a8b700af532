"""What this process answers of its profile, for the clients of one graph server."""

import os
import socket
import time
from collections.abc import Collection
from uuid import UUID

from ezmsg.core.profiling.registry import REGISTRY, Registry
from ezmsg.protocol.model.profiling import ProcessProfilingSnapshot, ProcessTrace, ProfilingTraceControl

CLOCK_OFFSET_NS = time.time_ns() - time.perf_counter_ns()
"""Added to a time of this process's monotonic clock, it gives wall time."""


class ProfileOffer:
    """Answers for all endpoints of the process; remembers whom it traces for, to end that with the connection."""

    def __init__(self, registry: Registry = REGISTRY) -> None:
        self._registry = registry
        self._origins: set[UUID] = set()

    def snapshot(self, process_id: UUID) -> ProcessProfilingSnapshot:
        """Return what the endpoints have counted until now."""
        return ProcessProfilingSnapshot(
            process_id=process_id,
            pid=os.getpid(),
            host=socket.gethostname(),
            window_seconds=0.0,
            timestamp=float(time.perf_counter_ns()),
            publishers={each.endpoint_id: each for each in self._registry.publishers()},
            subscribers={each.endpoint_id: each for each in self._registry.subscribers()},
            clock_offset_ns=CLOCK_OFFSET_NS,
            tracers=sorted(str(origin) for origin in self._registry.origins()),
        )

    def set_trace(self, origin: UUID, control: ProfilingTraceControl) -> None:
        """Trace for a client as it wants, in place of what it wanted before.

        :raises InvalidTraceControl: if that is not possible; then nothing changes.
        """
        self._registry.set_trace(origin, control)
        self._origins.add(origin)

    def take_trace(self, process_id: UUID, origin: UUID, max_samples: int) -> ProcessTrace:
        """Return what was traced for a client since the last time, at most so many samples."""
        columns, lost = self._registry.take_trace(origin, max_samples)
        return ProcessTrace(
            process_id=process_id,
            pid=os.getpid(),
            host=socket.gethostname(),
            timestamp=float(time.perf_counter_ns()),
            clock_offset_ns=CLOCK_OFFSET_NS,
            lost_samples=lost,
            columns=columns,
            traced=self._registry.traces_for(origin),
        )

    def end_trace(self, origin: UUID) -> None:
        """A client is gone."""
        self._origins.discard(origin)
        self._registry.end_trace(origin)

    def origins(self) -> Collection[object]:
        """Return those for whom something is traced."""
        return self._registry.origins()

    def expire(self) -> None:
        """End what has lived its time."""
        self._registry.expire()

    def end_all(self) -> int:
        """End the traces of all clients, as nobody would tell when they are gone; return of how many."""
        ended = len(self._origins.intersection(self._registry.origins()))
        for origin in tuple(self._origins):
            self.end_trace(origin)
        return ended
