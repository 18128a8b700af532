"""What one client wants to have traced, checked and applied to endpoints."""

import math
import os
from collections import deque
from collections.abc import Iterable, Sequence
from uuid import UUID
from weakref import ref

from attrs import field

from ezmsg.core.errors import InvalidOption, InvalidTraceControl
from ezmsg.core.profiling.endpoints import ProfiledPublisher, ProfiledSubscriber, endpoint_id
from ezmsg.core.profiling.metrics import METRICS
from ezmsg.core.profiling.recording import Recording
from ezmsg.core.profiling.ring import Ring
from ezmsg.core.profiling.tracers import Tracer
from ezmsg.protocol.declared import declared
from ezmsg.protocol.model.profiling import ProfilingTraceControl

Endpoint = ProfiledPublisher | ProfiledSubscriber

CAPACITY_VARIABLE = "EZMSG_PROFILE_TRACE_MAX_SAMPLES"
DEFAULT_CAPACITY = 10_000

ENDED_LIMIT = 64
"""The samples of so many endpoints that have left are kept until they are read."""


@declared(frozen=False, eq=False)
class Recorded:
    """A recording, and whom it is of; nobody may keep an endpoint alive that its program has forgotten."""

    endpoint_id: str
    topic: str
    endpoint: "ref[Endpoint]"
    tracer: Tracer
    recording: Recording


@declared(frozen=False, eq=False)
class Control:
    """A client's wish, and what was recorded because of it.

    ``deadline_ns`` is when it is over, on the clock of the endpoints; what it has recorded until then can still be
    read.
    """

    wish: ProfilingTraceControl
    since_ns: int
    deadline_ns: float = math.inf
    live: dict[UUID, Recorded] = field(factory=dict)
    ended: deque[Recorded] = field(factory=deque)
    lost: int = 0
    over: bool = False

    def wants(self, endpoint: Endpoint, is_publisher: bool) -> bool:
        """Whether the filters let an endpoint through, and it is not over."""
        wish = self.wish
        if self.over:
            return False
        if is_publisher:
            topics, ids = wish.publisher_topics, wish.publisher_endpoint_ids
        else:
            topics, ids = wish.subscriber_topics, wish.subscriber_endpoint_ids
        return (topics is None or endpoint.topic in topics) and (ids is None or endpoint_id(endpoint) in ids)

    def begin(self, endpoint: Endpoint, tracer: Tracer) -> None:
        """Record an endpoint."""
        metrics = frozenset(METRICS if self.wish.metrics is None else self.wish.metrics)
        recording = Recording(metrics, self.wish.sample_mod, self.since_ns, Ring(capacity()))
        self.live[endpoint.id] = Recorded(endpoint_id(endpoint), endpoint.topic, ref(endpoint), tracer, recording)
        tracer.add(recording)

    def recorded(self) -> list[Recorded]:
        """Return everything that may have something to read."""
        for identity in [identity for identity, recorded in self.live.items() if recorded.endpoint() is None]:
            self.leave(identity)
        return [*self.ended, *self.live.values()]

    def leave(self, identity: UUID) -> None:
        """An endpoint has left; what was recorded of it can still be read."""
        recorded = self.live.pop(identity, None)
        if recorded is None:
            return
        recorded.tracer.remove(recorded.recording)
        if recorded.recording.ring.waiting:
            self.ended.append(recorded)
        while len(self.ended) > ENDED_LIMIT:
            ring = self.ended.popleft().recording.ring
            self.lost += ring.lost + ring.waiting

    def end(self) -> list[Recorded]:
        """Record nothing more; return what was recorded until now. What is not yet read still can be."""
        ended, self.live, self.over = list(self.live.values()), {}, True
        for recorded in ended:
            recorded.tracer.remove(recorded.recording)
        self.ended.extend(recorded for recorded in ended if recorded.recording.ring.waiting)
        return ended


def check(
    wish: ProfilingTraceControl, publishers: Sequence[ProfiledPublisher], subscribers: Sequence[ProfiledSubscriber]
) -> None:
    """Refuse a wish that cannot be met in this process.

    :raises InvalidTraceControl: if so; it says what would be possible.
    """
    if not wish.enabled:
        return
    if wish.sample_mod < 1:
        raise InvalidTraceControl(option="sample_mod", value=str(wish.sample_mod), reason="it counts from 1 on")
    ttl = wish.ttl_seconds
    if ttl is not None and not (ttl > 0 and math.isfinite(ttl)):
        raise InvalidTraceControl(option="ttl_seconds", value=str(ttl), reason="it is a finite time above 0")
    _check_known("metrics", wish.metrics, METRICS)
    _check_known("publisher_topics", wish.publisher_topics, (each.topic for each in publishers))
    _check_known("subscriber_topics", wish.subscriber_topics, (each.topic for each in subscribers))
    _check_known("publisher_endpoint_ids", wish.publisher_endpoint_ids, map(endpoint_id, publishers))
    _check_known("subscriber_endpoint_ids", wish.subscriber_endpoint_ids, map(endpoint_id, subscribers))


def capacity() -> int:
    """Return how many samples of an endpoint are kept until they are read.

    :raises InvalidOption: if the environment says something that is no number from 1 on.
    """
    said = os.environ.get(CAPACITY_VARIABLE, "")
    if not said:
        return DEFAULT_CAPACITY
    if not (said.isdecimal() and int(said) > 0):
        raise InvalidOption(option=CAPACITY_VARIABLE, value=repr(said), reason="it is a whole number from 1 on")
    return int(said)


def _check_known(option: str, wanted: Iterable[str] | None, known: Iterable[str]) -> None:
    if wanted is None:
        return
    there = set(known)
    unknown = sorted(set(wanted) - there)
    if unknown:
        what = f"this process has {', '.join(sorted(there))}" if there else "this process has none"
        raise InvalidTraceControl(option=option, value=", ".join(unknown), reason=what)
