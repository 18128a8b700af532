"""What processes have counted, as text for people: publishers with ``->``, subscribers with ``<-``."""

from collections.abc import Iterable, Iterator

from ezmsg.control.rendering.columns import padded, places
from ezmsg.control.rendering.quantities import counted, duration, size
from ezmsg.protocol.model.profiling import (
    ProcessProfilingSnapshot,
    PublisherProfileSnapshot,
    SubscriberProfileSnapshot,
)


def profile_lines(processes: Iterable[ProcessProfilingSnapshot]) -> Iterator[str]:
    """Yield each process with its endpoints, by topic."""
    ordered = sorted(processes, key=lambda process: (process.host, process.pid))
    topics = [each.topic for process in ordered for each in process.publishers.values()]
    topics += [each.topic for process in ordered for each in process.subscribers.values()]
    width = max(map(places, topics), default=0)
    for process in ordered:
        tracers = f", traced by {len(process.tracers)}" if process.tracers else ""
        yield f"pid {process.pid} on {process.host}{tracers}"
        for publisher in sorted(process.publishers.values(), key=lambda each: each.topic):
            yield f"   -> {padded(publisher.topic, width)}   {_published(publisher)}"
        for subscriber in sorted(process.subscribers.values(), key=lambda each: each.topic):
            yield f"   <- {padded(subscriber.topic, width)}   {_received(subscriber)}"


def _published(publisher: PublisherProfileSnapshot) -> str:
    parts = [
        counted(publisher.messages_published_total, "message"),
        size(publisher.bytes_published_total),
        f"{publisher.inflight_messages_current} of {counted(publisher.num_buffers, 'buffer')} in use",
    ]
    if publisher.backpressure_wait_ns_total:
        parts.append(f"waited {duration(publisher.backpressure_wait_ns_total)}")
    return "   ".join(parts)


def _received(subscriber: SubscriberProfileSnapshot) -> str:
    parts = [
        counted(subscriber.messages_received_total, "message"),
        size(subscriber.bytes_received_total),
        f"{subscriber.queued_messages_current} {'waits' if subscriber.queued_messages_current == 1 else 'wait'}",
        subscriber.channel_kind_last.value.lower(),
    ]
    if subscriber.lease_ns_total and subscriber.messages_received_total:
        parts.append(f"held {duration(subscriber.lease_ns_total // subscriber.messages_received_total)} each")
    spans = subscriber.totals.get("user_span_ns")
    if spans is not None and spans.count:
        parts.append(f"user code {duration(spans.sum_ns // spans.count)} each")
    if subscriber.messages_dropped_total:
        parts.append(f"{subscriber.messages_dropped_total} dropped")
    return "   ".join(parts)
