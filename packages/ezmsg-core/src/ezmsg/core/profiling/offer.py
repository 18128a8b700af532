"""What this process answers of its profile, for the clients of one graph server."""

import os
import socket
import time
from collections.abc import Collection
from uuid import UUID

from ezmsg.core.profiling.registry import REGISTRY, Registry
from ezmsg.protocol import model

LOOKS = 5
"""So often the clocks are compared, and the look that took the shortest time is believed."""


class ProfileOffer:
    """Answers for all endpoints of the process; remembers whom it traces for, to end that with the connection."""

    def __init__(self, registry: Registry = REGISTRY) -> None:
        self._registry = registry
        self._origins: set[UUID] = set()

    def snapshot(self, process_id: UUID) -> "model.ProcessProfilingSnapshot":
        """Return what the endpoints have counted until now."""
        return model.ProcessProfilingSnapshot(
            process_id=process_id,
            pid=os.getpid(),
            host=socket.gethostname(),
            window_seconds=0.0,
            timestamp=float(time.perf_counter_ns()),
            publishers={each.endpoint_id: each for each in self._registry.publishers()},
            subscribers={each.endpoint_id: each for each in self._registry.subscribers()},
            clock_offset_ns=clock_offset_ns(),
            tracers=sorted(str(origin) for origin in self._registry.origins()),
        )

    def set_trace(self, origin: UUID, control: "model.ProfilingTraceControl") -> None:
        """Trace for a client as it wants, in place of what it wanted before.

        :raises InvalidTraceControl: if that is not possible; then nothing changes.
        """
        self._registry.set_trace(origin, control)
        self._origins.add(origin)

    def take_trace(self, process_id: UUID, origin: UUID, max_samples: int) -> "model.ProcessTrace":
        """Return what was traced for a client since the last time, at most so many samples."""
        columns, lost = self._registry.take_trace(origin, max_samples)
        return model.ProcessTrace(
            process_id=process_id,
            pid=os.getpid(),
            host=socket.gethostname(),
            timestamp=float(time.perf_counter_ns()),
            clock_offset_ns=clock_offset_ns(),
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

    def expire(self) -> float | None:
        """End what has lived its time; return in how many seconds to look again, ``None`` if nothing is to end."""
        return self._registry.expire()

    def end_all(self) -> int:
        """End the traces of all clients, as nobody would tell when they are gone; return of how many."""
        ended = len(self._origins.intersection(self._registry.origins()))
        for origin in tuple(self._origins):
            self.end_trace(origin)
        return ended


def clock_offset_ns() -> int:
    """Return what, added to a time of this process's monotonic clock, gives wall time.

    It is measured anew each time, as wall time is set now and then, and passes while the machine sleeps.
    """
    looks = []
    for _ in range(LOOKS):
        before_ns, wall_ns, after_ns = time.perf_counter_ns(), time.time_ns(), time.perf_counter_ns()
        looks.append((after_ns - before_ns, wall_ns - (before_ns + after_ns) // 2))
    return min(looks)[1]
