"""In which processes something may be traced for a session or a client, so that they can be told when it is gone.

Whether it still is, only the process knows: the server does not open requests. One too many that is told does no
harm.
"""

from uuid import UUID

from ezmsg.graphserver.deciding.state import index


class Profiles:
    """Origins, which are the ids of sessions and clients, and processes."""

    def __init__(self) -> None:
        self._processes: dict[UUID, set[UUID]] = {}
        self._origins: dict[UUID, set[UUID]] = {}

    def traced(self, origin: UUID, process_id: UUID) -> None:
        """A process is asked to trace for an origin."""
        index.add(self._processes, origin, process_id)
        index.add(self._origins, process_id, origin)

    def __contains__(self, origin: UUID) -> bool:
        return origin in self._processes

    def origin_gone(self, origin: UUID) -> list[UUID]:
        """Forget an origin; return the processes that may trace for it, sorted."""
        processes = sorted(self._processes.pop(origin, ()))
        for process_id in processes:
            index.discard(self._origins, process_id, origin)
        return processes

    def process_gone(self, process_id: UUID) -> None:
        """Forget a process."""
        for origin in self._origins.pop(process_id, ()):
            index.discard(self._processes, origin, process_id)

    def validate(self) -> None:
        """Assert every invariant. For tests."""
        pairs = [(origin, process) for origin, processes in self._processes.items() for process in processes]
        assert self._origins == index.grouped((process, origin) for origin, process in pairs)
