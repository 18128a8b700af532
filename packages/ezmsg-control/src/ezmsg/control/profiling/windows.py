"""Windows of profiles: each reader has its own, from one of its snapshots of a process to the next."""

from uuid import UUID

from ezmsg.protocol.model.profiling import ProcessProfilingSnapshot

NS_IN_S = 1e9

PROCESSES_LIMIT = 10_000
"""So many processes are remembered; the one that was looked at longest ago is forgotten first."""


class ProfileWindows:
    """What one reader has seen of each process the last time."""

    def __init__(self) -> None:
        self._seen: dict[UUID, tuple[float, dict[str, int]]] = {}

    def fill(self, snapshot: ProcessProfilingSnapshot) -> ProcessProfilingSnapshot:
        """Fill in how much has happened since the last snapshot of this process, nothing in its first; return it.

        An endpoint that is new since then has a window as long as the others'.
        """
        totals = {each.endpoint_id: each.messages_published_total for each in snapshot.publishers.values()}
        totals |= {each.endpoint_id: each.messages_received_total for each in snapshot.subscribers.values()}
        before = self._seen.pop(snapshot.process_id, None)
        self._seen[snapshot.process_id] = snapshot.timestamp, totals
        while len(self._seen) > PROCESSES_LIMIT:
            del self._seen[next(iter(self._seen))]
        if before is None:
            return snapshot
        since, known = before
        snapshot.window_seconds = window_s = max(0.0, snapshot.timestamp - since) / NS_IN_S
        for publisher in snapshot.publishers.values():
            count = publisher.messages_published_total - known.get(publisher.endpoint_id, 0)
            publisher.messages_published_window = count
            publisher.publish_rate_hz_window = count / window_s if window_s else 0.0
        for subscriber in snapshot.subscribers.values():
            count = subscriber.messages_received_total - known.get(subscriber.endpoint_id, 0)
            subscriber.messages_received_window = count
        return snapshot
