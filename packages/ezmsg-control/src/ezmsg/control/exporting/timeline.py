"""Traces of several processes on one clock: spans in lanes, and which receive belongs to which publish.

What every format of traces has in common. Times are wall time in nanoseconds since 1970. The monotonic clock is one
for all processes of a host: their offsets to wall time differ only by what was set on the wall clock since each of
them started, so one offset serves them all, and no message seems to come before it was sent.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import count
from uuid import UUID

from attrs import define, field, frozen

from ezmsg.protocol.model.profiling import ProcessProfilingTraceBatch, ProfilingTraceSample

PUBLISH, WAIT, LEASE, USER = "publish_delta_ns", "backpressure_wait_ns", "lease_time_ns", "user_span_ns"

_NAMES = {PUBLISH: "publish", WAIT: "wait for a buffer", LEASE: "lease"}
_SAME_CLOCK_NS = 1_000_000_000
"""Offsets that differ by more are of different monotonic clocks, as of several machines of one name."""


@define(eq=False)
class Span:
    """One measurement; that of a publish has no length, and says as ``value_ns`` how long ago the last one was.

    ``flows`` are the ways to receives that begin here, or the one that ends here. ``bond`` is the same number for a
    publish and all receives of its message, 0 if there is nothing to be joined.
    """

    name: str
    start_ns: int
    end_ns: int
    value_ns: int
    sample: ProfilingTraceSample
    flows: list[int] = field(factory=list)
    bond: int = 0


@frozen
class Track:
    """What belongs into one row: an endpoint's spans of one kind. In a lane they follow one another."""

    endpoint_id: str
    topic: str
    metric: str
    name: str
    lanes: list[list[Span]]


@frozen
class Loss:
    """Samples that were overwritten before they were read, some time before ``at_ns``."""

    at_ns: int
    samples: int


@frozen
class ProcessTimeline:
    """What one process has traced. No two processes have the same ``shown_pid``; ``name`` has the real one."""

    process_id: UUID
    shown_pid: int
    name: str
    tracks: list[Track]
    losses: list[Loss]


@frozen
class Timeline:
    """Everything; ``origin_ns`` is the earliest time in it."""

    processes: list[ProcessTimeline]
    origin_ns: int


def timeline(batches: Iterable[ProcessProfilingTraceBatch]) -> Timeline:
    """Put batches on one clock: any number for each process, in their order."""
    by_process: dict[UUID, list[ProcessProfilingTraceBatch]] = defaultdict(list)
    for batch in batches:
        by_process[batch.process_id].append(batch)
    shown_pids = _shown_pids(by_process)
    offsets = _offsets(by_process)
    processes = [
        _process(process_id, shown_pids[process_id], offsets[process_id], by_process[process_id])
        for process_id in sorted(by_process)
    ]
    spans = [span for process in processes for span in _spans(process)]
    losses = [loss for process in processes for loss in process.losses]
    origin_ns = min([*(span.start_ns for span in spans), *(loss.at_ns for loss in losses)], default=0)
    _join(processes)
    return Timeline(processes, origin_ns)


def _process(
    process_id: UUID, shown_pid: int, offset_ns: int, batches: Sequence[ProcessProfilingTraceBatch]
) -> ProcessTimeline:
    rows: dict[tuple[str, str, str, str], list[Span]] = defaultdict(list)
    for batch in batches:
        for sample in batch.samples:
            span = _span(sample, offset_ns)
            rows[sample.topic, sample.endpoint_id, sample.metric, span.name].append(span)
    tracks = [
        Track(endpoint_id, topic, metric, name, _lanes(spans))
        for (topic, endpoint_id, metric, name), spans in sorted(rows.items())
    ]
    name = f"pid {batches[0].pid} on {batches[0].host}"
    losses = [Loss(_first_ns(batch) + offset_ns, batch.lost_samples) for batch in batches if batch.lost_samples]
    return ProcessTimeline(process_id, shown_pid, name, tracks, losses)


def _span(sample: ProfilingTraceSample, offset_ns: int) -> Span:
    end_ns, value_ns = int(sample.timestamp) + offset_ns, int(sample.value)
    name = _NAMES.get(sample.metric, sample.metric) if sample.label is None else sample.label
    start_ns = end_ns if sample.metric == PUBLISH else end_ns - max(value_ns, 0)
    return Span(name, start_ns, end_ns, value_ns, sample)


def _lanes(spans: list[Span]) -> list[list[Span]]:
    """Spread spans over as few lanes as it takes, so that in each they follow one another."""
    lanes: list[list[Span]] = []
    for span in sorted(spans, key=lambda span: (span.start_ns, span.end_ns)):
        for lane in lanes:
            if lane[-1].end_ns <= span.start_ns:
                lane.append(span)
                break
        else:
            lanes.append([span])
    return lanes


def _first_ns(batch: ProcessProfilingTraceBatch) -> int:
    return int(batch.samples[0].timestamp if batch.samples else batch.timestamp)


def _shown_pids(by_process: dict[UUID, list[ProcessProfilingTraceBatch]]) -> dict[UUID, int]:
    """Give those that have the pid of another, on another host or in another container, one that nobody has."""
    shown: dict[UUID, int] = {}
    taken = {batches[0].pid for batches in by_process.values()}
    free = max(taken, default=0)
    for process_id, batches in sorted(by_process.items()):
        pid = batches[0].pid
        if pid in shown.values():
            free += 1
            pid = free
        shown[process_id] = pid
    return shown


def _offsets(by_process: dict[UUID, list[ProcessProfilingTraceBatch]]) -> dict[UUID, int]:
    offsets: dict[UUID, int] = {}
    of_host: dict[str, list[int]] = defaultdict(list)
    for process_id, batches in sorted(by_process.items()):
        own = batches[-1].clock_offset_ns
        known = of_host[batches[0].host]
        shared = [offset for offset in known if abs(offset - own) <= _SAME_CLOCK_NS]
        if not shared:
            known.append(own)
        offsets[process_id] = shared[0] if shared else own
    return offsets


def _spans(process: ProcessTimeline) -> Iterable[Span]:
    return (span for track in process.tracks for lane in track.lanes for span in lane)


def _join(processes: list[ProcessTimeline]) -> None:
    """Join each publish to every receive of its message; as a flow cannot fork, each way has its own number."""
    publishes: dict[tuple[UUID, int], Span] = {}
    receives: dict[tuple[UUID, int], dict[str, Span]] = defaultdict(dict)
    for process in processes:
        for span in _spans(process):
            publisher_id, message = span.sample.publisher_id, span.sample.sample_seq
            if publisher_id is None or message is None:
                continue
            if span.sample.metric == PUBLISH:
                publishes.setdefault((publisher_id, message), span)
            elif span.sample.metric in (LEASE, USER):
                _keep_first(receives[publisher_id, message], span)
    flows = count(1)
    for bond, (message_id, publish) in enumerate(publishes.items(), 1):
        for _, receive in sorted(receives.get(message_id, {}).items()):
            flow = next(flows)
            publish.flows.append(flow)
            receive.flows.append(flow)
            publish.bond = receive.bond = bond


def _keep_first(receives: dict[str, Span], span: Span) -> None:
    """Keep of one subscriber's spans its lease; without one, the first thing that a task did with the message."""
    known = receives.get(span.sample.endpoint_id)
    if known is None or _order(span) < _order(known):
        receives[span.sample.endpoint_id] = span


def _order(span: Span) -> tuple[bool, int]:
    return span.sample.metric != LEASE, span.start_ns
