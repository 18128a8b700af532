"""The profile of this process, by the name that programs for ezmsg 3 know."""

from uuid import UUID, uuid4

from ezmsg.control.profiling.traces import batch_of
from ezmsg.control.profiling.windows import ProfileWindows
from ezmsg.core.profiling.offer import ProfileOffer
from ezmsg.core.profiling.registry import REGISTRY
from ezmsg.protocol.model.profiling import (
    ProcessProfilingSnapshot,
    ProcessProfilingTraceBatch,
    ProfilingTraceControl,
)


class ProfileRegistry:
    """Reads the profile of the process that it is in. Each has windows and traces of its own.

    Publishers and subscribers are in it from their beginning to their end, without anybody's doing.
    """

    def __init__(self) -> None:
        self._offer = ProfileOffer()
        self._origin = uuid4()
        self._process_id = uuid4()
        self._windows = ProfileWindows()

    def set_process_id(self, process_id: UUID, *, reset: bool = False) -> None:
        """Say under which id the process is known; ``reset`` ends this registry's trace and its window."""
        self._process_id = process_id
        if reset:
            self._offer.end_trace(self._origin)
            self._windows = ProfileWindows()

    def set_trace_control(self, control: ProfilingTraceControl) -> None:
        """Trace as is wanted, in place of what this registry was told before.

        :raises InvalidTraceControl: if that is not possible; then nothing changes.
        """
        self._offer.set_trace(self._origin, control)

    def trace_enabled(self) -> bool:
        """Return whether anything is traced because of this registry."""
        return self._origin in REGISTRY.origins()

    def snapshot(self) -> ProcessProfilingSnapshot:
        """Return what the endpoints have counted; the window is that since this registry's last snapshot."""
        return self._windows.fill(self._offer.snapshot(self._process_id))

    def trace_batch(self, max_samples: int = 1000) -> ProcessProfilingTraceBatch:
        """Return what was traced since the last batch, at most so many samples."""
        return batch_of(self._offer.take_trace(self._process_id, self._origin, max_samples))
