"""What is told to a monitoring system: the server's own state, and what each process has counted. Pure.

A process is known by its id, which ``ezmsg_process_up`` joins to its pid and host. Traced time is only there while
somebody traces; nothing here begins to.
"""

from collections.abc import Mapping, Sequence

from attrs import frozen

from ezmsg.graphserver.metrics.open_metrics import Exposition, Family
from ezmsg.protocol.model.profiling import (
    MetricTotals,
    ProcessProfilingSnapshot,
    PublisherProfileSnapshot,
    SubscriberProfileSnapshot,
)

_SECOND = 1_000_000_000

_SERVER = Family("ezmsg_server", "info", "The graph server: its versions, and the id of this run of it.")
_CLIENTS = Family("ezmsg_server_clients", "gauge", "Clients that are connected.")
_SESSIONS = Family("ezmsg_server_sessions", "gauge", "Sessions that are open.")
_PROCESSES = Family("ezmsg_server_processes", "gauge", "Processes that are registered.")
_EDGES = Family("ezmsg_server_edges", "gauge", "Connections between topics.")
_PUBLISHERS = Family("ezmsg_server_publishers", "gauge", "Publishers that are declared.")
_SUBSCRIBERS = Family("ezmsg_server_subscribers", "gauge", "Subscribers that are declared.")
_TOPOLOGY = Family("ezmsg_server_topology_events", "counter", "Changes of the graph.")
_SETTINGS = Family("ezmsg_server_settings_events", "counter", "Changes of settings.")
_LATE = Family("ezmsg_server_late_replies", "counter", "Answers that came after their deadline, and were dropped.")
_UP = Family("ezmsg_process_up", "gauge", "1 if the process has told what it counted, 0 if it did not answer.")
_TRACERS = Family("ezmsg_process_tracers", "gauge", "Clients for which the process traces.")

_PUBLISHED = Family("ezmsg_published_messages", "counter", "Messages that a publisher has published.")
_PUBLISHED_BYTES = Family("ezmsg_published_bytes", "counter", "Payloads that it has published.", "bytes")
_WAITED = Family(
    "ezmsg_backpressure_wait_seconds", "counter", "How long it waited for a free buffer.", "seconds", _SECOND
)
_IN_FLIGHT = Family("ezmsg_inflight_messages", "gauge", "Buffers of a publisher that subscribers hold.")
_BUFFERS = Family("ezmsg_publisher_buffers", "gauge", "Buffers that a publisher has.")
_SENT = Family("ezmsg_channel_messages", "counter", "Messages that went over a channel to one event loop.")
_SENT_BYTES = Family("ezmsg_channel_bytes", "counter", "Payloads that went over a channel.", "bytes")
_HELD_UP = Family(
    "ezmsg_channel_wait_seconds", "counter", "How long a publisher waited for this channel.", "seconds", _SECOND
)
_CHANNEL_IN_FLIGHT = Family("ezmsg_channel_inflight_messages", "gauge", "Buffers that a channel holds.")

_RECEIVED = Family("ezmsg_received_messages", "counter", "Messages that a subscriber has received.")
_RECEIVED_BYTES = Family("ezmsg_received_bytes", "counter", "Payloads that it has received.", "bytes")
_DROPPED = Family("ezmsg_dropped_messages", "counter", "Messages that a leaky subscriber has left out.")
_QUEUED = Family("ezmsg_queued_messages", "gauge", "Messages that wait to be taken by a subscriber.")
_TRACED = Family("ezmsg_traced_seconds", "counter", "Time that was traced, by metric.", "seconds", _SECOND)
_MEASURED = Family("ezmsg_traced_measurements", "counter", "How many measurements that time consists of.")
_TASK = Family(
    "ezmsg_task_seconds", "counter", "Time of user_span_ns by the function that spent it.", "seconds", _SECOND
)
_CALLS = Family("ezmsg_task_calls", "counter", "How many calls of the function that time consists of.")


@frozen
class ServerFigures:
    """How much there is of what the server knows."""

    epoch: str
    version: str
    revision: str
    clients: int
    sessions: int
    processes: int
    edges: int
    publishers: int
    subscribers: int
    topology_events: int
    settings_events: int
    late_replies: int


@frozen
class ProcessFigures:
    """What a process has counted; ``None`` if it did not say."""

    process_id: str
    pid: int
    host: str
    counted: ProcessProfilingSnapshot | None


def metrics_text(server: ServerFigures, processes: Sequence[ProcessFigures]) -> str:
    """Return the whole page."""
    page = Exposition()
    page.add(_SERVER, 1, version=server.version, protocol=server.revision, epoch=server.epoch)
    for family, value in (
        (_CLIENTS, server.clients),
        (_SESSIONS, server.sessions),
        (_PROCESSES, server.processes),
        (_EDGES, server.edges),
        (_PUBLISHERS, server.publishers),
        (_SUBSCRIBERS, server.subscribers),
        (_TOPOLOGY, server.topology_events),
        (_SETTINGS, server.settings_events),
        (_LATE, server.late_replies),
    ):
        page.add(family, value)
    for process in processes:
        _add_process(page, process)
    return page.text()


def _add_process(page: Exposition, process: ProcessFigures) -> None:
    counted, name = process.counted, process.process_id
    page.add(_UP, int(counted is not None), process=name, pid=str(process.pid), host=process.host)
    if counted is None:
        return
    page.add(_TRACERS, len(counted.tracers), process=name)
    for endpoint, publisher in counted.publishers.items():
        _add_publisher(page, publisher, {"process": name, "topic": publisher.topic, "endpoint": endpoint})
    for endpoint, subscriber in counted.subscribers.items():
        _add_subscriber(page, subscriber, {"process": name, "topic": subscriber.topic, "endpoint": endpoint})


def _add_publisher(page: Exposition, publisher: PublisherProfileSnapshot, labels: dict[str, str]) -> None:
    page.add(_PUBLISHED, publisher.messages_published_total, **labels)
    page.add(_PUBLISHED_BYTES, publisher.bytes_published_total, **labels)
    page.add(_WAITED, publisher.backpressure_wait_ns_total, **labels)
    page.add(_IN_FLIGHT, publisher.inflight_messages_current, **labels)
    page.add(_BUFFERS, publisher.num_buffers, **labels)
    for channel in publisher.channels:
        of_channel = {**labels, "receiver": str(channel.exchange_id or ""), "transport": channel.kind.value}
        page.add(_SENT, channel.messages_sent_total, **of_channel)
        page.add(_SENT_BYTES, channel.bytes_sent_total, **of_channel)
        page.add(_HELD_UP, channel.waited_ns_total, **of_channel)
        page.add(_CHANNEL_IN_FLIGHT, channel.inflight_messages_current, **of_channel)
    _add_traced(page, publisher.totals, labels)


def _add_subscriber(page: Exposition, subscriber: SubscriberProfileSnapshot, labels: dict[str, str]) -> None:
    page.add(_RECEIVED, subscriber.messages_received_total, **labels)
    page.add(_RECEIVED_BYTES, subscriber.bytes_received_total, **labels)
    page.add(_DROPPED, subscriber.messages_dropped_total, **labels)
    page.add(_QUEUED, subscriber.queued_messages_current, **labels)
    _add_traced(page, subscriber.totals, labels)
    for task, totals in subscriber.tasks.items():
        page.add(_TASK, totals.sum_ns, **labels, task=task)
        page.add(_CALLS, totals.count, **labels, task=task)


def _add_traced(page: Exposition, traced: Mapping[str, MetricTotals], labels: dict[str, str]) -> None:
    for metric, totals in traced.items():
        page.add(_TRACED, totals.sum_ns, **labels, metric=metric)
        page.add(_MEASURED, totals.count, **labels, metric=metric)
