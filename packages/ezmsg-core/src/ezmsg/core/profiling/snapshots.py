"""What endpoints have counted, as plain data. Totals only: windows belong to who reads."""

import time
from typing import TYPE_CHECKING

from ezmsg.core.profiling.endpoints import ProfiledPublisher, ProfiledSender, ProfiledSubscriber, endpoint_id
from ezmsg.protocol.model.profiling import (
    ChannelProfileSnapshot,
    MetricTotals,
    ProfileChannelType,
    PublisherProfileSnapshot,
    SubscriberProfileSnapshot,
)

if TYPE_CHECKING:
    from ezmsg.core.profiling.tracers import SubscriberTracer, Tracer


def of_publisher(publisher: ProfiledPublisher, tracer: "Tracer | None") -> PublisherProfileSnapshot:
    """Return what a publisher has counted; waits that go on count up to now."""
    waiting, waited_ns, since_ns = publisher.waits
    now_ns = time.perf_counter_ns()
    waiting_ns = now_ns - since_ns if waiting else 0
    messages, sent_bytes = publisher.next_message, publisher.bytes_published
    return PublisherProfileSnapshot(
        endpoint_id=endpoint_id(publisher),
        topic=publisher.topic,
        messages_published_total=messages,
        messages_published_window=0,
        publish_rate_hz_window=0.0,
        inflight_messages_current=publisher.window.busy,
        num_buffers=publisher.window.size,
        timestamp=float(now_ns),
        bytes_published_total=sent_bytes,
        backpressure_wait_ns_total=waited_ns + waiting_ns,
        channels=[_of_channel(sender, messages, sent_bytes) for sender in publisher.senders],
        totals=_totals(tracer),
        waiting_now=waiting,
        waiting_ns_now=waiting_ns,
    )


def of_subscriber(subscriber: ProfiledSubscriber, tracer: "SubscriberTracer | None") -> SubscriberProfileSnapshot:
    """Return what a subscriber has counted; messages that it holds count up to now."""
    now_ns = time.perf_counter_ns()
    held, lease_ns = (0, 0) if tracer is None else tracer.leases_until(now_ns)
    return SubscriberProfileSnapshot(
        endpoint_id=endpoint_id(subscriber),
        topic=subscriber.topic,
        messages_received_total=subscriber.messages_received,
        messages_received_window=0,
        channel_kind_last=ProfileChannelType(subscriber.kind_last),
        timestamp=float(now_ns),
        bytes_received_total=subscriber.bytes_received,
        messages_dropped_total=subscriber.dropped,
        queued_messages_current=subscriber.queued,
        exchange_id=subscriber.exchange_id,
        publishers=subscriber.publisher_ids,
        totals=_totals(tracer),
        tasks={} if tracer is None else dict(tracer.tasks),
        held_now=held,
        lease_ns_total=lease_ns,
    )


def _of_channel(sender: ProfiledSender, messages: int, sent_bytes: int) -> ChannelProfileSnapshot:
    return ChannelProfileSnapshot(
        exchange_id=sender.exchange_id,
        kind=ProfileChannelType(sender.kind),
        messages_sent_total=max(0, messages - sender.messages_before),  # it may have been attached a moment ago
        bytes_sent_total=max(0, sent_bytes - sender.bytes_before),
        inflight_messages_current=sender.held,
        waited_ns_total=sender.waited_ns,
    )


def _totals(tracer: "Tracer | None") -> dict[str, MetricTotals]:
    if tracer is None:
        return {}
    tracer.settle()
    return dict(tracer.totals)
