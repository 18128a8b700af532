"""What a process answers of its profile; what it knows is handed in, as this package has no publishers."""

import asyncio
from collections.abc import Collection
from typing import Protocol
from uuid import UUID

from ezmsg.control.errors import UnexpectedPayload
from ezmsg.control.process.answers import Operation
from ezmsg.control.process.payloads import decode_payload, encode_payload
from ezmsg.protocol import model
from ezmsg.protocol.model.process_control import ProcessControlOperation, ProcessControlRequest

DEFAULT_MAX_SAMPLES = 1000
"""So many samples are in a batch unless a request says otherwise."""

SHORTEST_S = 0.001
"""Nobody looks more often than this whether a time to live is over, in seconds."""


class Profiling(Protocol):
    """The profile of a process. An origin is the session or the client that asks."""

    def snapshot(self, process_id: UUID) -> "model.ProcessProfilingSnapshot":
        """Return what the endpoints have counted."""

    def set_trace(self, origin: UUID, control: "model.ProfilingTraceControl") -> None:
        """Trace for an origin as it wants."""

    def take_trace(self, process_id: UUID, origin: UUID, max_samples: int) -> "model.ProcessTrace":
        """Return what was traced for an origin and is not yet read."""

    def end_trace(self, origin: UUID) -> None:
        """An origin is gone."""

    def origins(self) -> Collection[object]:
        """Return those for whom something is traced."""

    def expire(self) -> float | None:
        """End what has lived its time; return in how many seconds to look again, ``None`` if nothing is to end."""

    def end_all(self) -> int:
        """End the traces of all origins; return of how many."""


class ProfilingAnswers:
    """The operations of a process that are about its profile, see ``operations``."""

    def __init__(self, process_id: UUID, profiling: Profiling) -> None:
        self._process_id = process_id
        self._profiling = profiling
        self._last_batches: dict[UUID, tuple[str, bytes]] = {}
        self._expiring: asyncio.TimerHandle | None = None
        self.operations: dict[ProcessControlOperation | str, Operation] = {
            ProcessControlOperation.GET_PROFILING_SNAPSHOT: self._snapshot,
            ProcessControlOperation.SET_PROFILING_TRACE: self._set_trace,
            ProcessControlOperation.GET_PROFILING_TRACE_BATCH: self._take_trace,
        }

    async def _snapshot(self, _: ProcessControlRequest, __: UUID | None) -> bytes:
        return encode_payload(self._profiling.snapshot(self._process_id))

    async def _set_trace(self, request: ProcessControlRequest, origin: UUID | None) -> bytes:
        control = decode_payload(request.payload or b"", model.ProfilingTraceControl)
        assert origin is not None, "the server names who asks"
        self._profiling.set_trace(origin, control)
        self._last_batches.pop(origin, None)
        self._expire()
        return encode_payload(None)

    def _expire(self) -> None:
        """End what has lived its time, and look again: a timer may fire a moment before a time to live is over."""
        if self._expiring is not None:
            self._expiring.cancel()
        left_s = self._profiling.expire()
        later = asyncio.get_running_loop().call_later
        self._expiring = None if left_s is None else later(max(left_s, SHORTEST_S), self._expire)

    async def _take_trace(self, request: ProcessControlRequest, origin: UUID | None) -> bytes:
        assert origin is not None, "the server names who asks"
        max_samples, batch = _wanted(request.payload)
        known = self._last_batches.get(origin)
        if batch and known is not None and known[0] == batch:
            return known[1]  # it was made before, and did not arrive
        trace = encode_payload(self._profiling.take_trace(self._process_id, origin, max_samples))
        if batch:
            self._last_batches = {**self._kept(), origin: (batch, trace)}
        return trace

    def _kept(self) -> dict[UUID, tuple[str, bytes]]:
        tracers = set(self._profiling.origins())
        return {origin: last for origin, last in self._last_batches.items() if origin in tracers}


def _wanted(payload: bytes | None) -> tuple[int, str]:
    """Return how many samples a request wants, and the name of the batch if it has one.

    Who asks again for a batch of the same name gets the same batch again, so that nothing is lost on the way.
    """
    wanted = decode_payload(payload, dict) if payload else {}
    max_samples, batch = wanted.get("max_samples", DEFAULT_MAX_SAMPLES), wanted.get("batch", "")
    if type(max_samples) is not int or max_samples < 1 or type(batch) is not str:
        reason = f"max_samples is {max_samples!r} and batch {batch!r}, not a whole number from 1 on and a text"
        raise UnexpectedPayload(expected="a wish for samples", reason=reason)
    return max_samples, batch
