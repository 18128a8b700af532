"""Profiles: what endpoints have counted, and traces of single messages as columns.

Counters only rise; a rate is the difference of two snapshots, over the reader's own window. Times of traces are
monotonic, in nanoseconds; ``clock_offset_ns`` of their process, added, makes them wall time, so that those of
several processes line up.
"""

from dataclasses import dataclass, field
from enum import Enum
from uuid import UUID


class ProfileChannelType(Enum):
    """By which transport messages come."""

    LOCAL = "LOCAL"
    SHM = "SHM"
    TCP = "TCP"
    ZENOH = "ZENOH"
    UNKNOWN = "UNKNOWN"

    @classmethod
    def _missing_(cls, value: object) -> "ProfileChannelType":
        """Let another distribution's transport be what it is: none of these."""
        return cls.UNKNOWN


@dataclass
class MetricTotals:
    """Everything measured of one metric while somebody traced it, whether or not it was sampled."""

    count: int = 0
    sum_ns: int = 0
    max_ns: int = 0


@dataclass
class ChannelProfileSnapshot:
    """One channel as its publisher sees it; ``exchange_id`` names the event loop at its other end.

    ``waited_ns_total`` is how long the publisher waited for buffers that this channel released last. What several
    messages wait for at once is counted once, so that the channels' totals add up to no more than the publisher's.
    """

    exchange_id: UUID | None
    kind: ProfileChannelType
    messages_sent_total: int
    bytes_sent_total: int
    inflight_messages_current: int
    waited_ns_total: int


@dataclass
class PublisherProfileSnapshot:
    """What a publisher has counted; the window is the reader's, and 0 in its first snapshot.

    ``endpoint_id`` is ``"<topic>:<id>"``. Bytes are those of payloads; of objects handed on inside the process,
    those of their arrays. ``totals`` is by metric, and rises only while somebody traces.

    ``backpressure_wait_ns_total`` is for how long at least one message waited for a buffer, up to ``timestamp``.
    ``waiting_now`` messages wait then; ``waiting_ns_now`` is the part of the total that is theirs: what has passed
    since the wait began or a buffer was last given to one of them. No channel has been given it yet.
    """

    endpoint_id: str
    topic: str
    messages_published_total: int
    messages_published_window: int
    publish_rate_hz_window: float
    inflight_messages_current: int
    num_buffers: int
    timestamp: float
    bytes_published_total: int = 0
    backpressure_wait_ns_total: int = 0
    channels: list[ChannelProfileSnapshot] = field(default_factory=list)
    totals: dict[str, MetricTotals] = field(default_factory=dict)
    waiting_now: int = 0
    waiting_ns_now: int = 0


@dataclass
class SubscriberProfileSnapshot:
    """What a subscriber has counted; ``exchange_id`` names the event loop that it lives on.

    ``publishers`` are the ids of those that it hears. ``totals`` is by metric, ``tasks`` by the name of a unit's
    function: the time that it spent on messages. Both rise only while somebody traces. Spans within the span of a
    function are in neither, and spans without a name only in ``totals``.

    ``lease_ns_total`` is for how long it had messages in its hands, each for itself, up to ``timestamp``, while
    ``lease_time_ns`` was traced: also those ``held_now``, and those that it took before that began, once they are
    released. So it grows within a window by no more than what lies in it.
    """

    endpoint_id: str
    topic: str
    messages_received_total: int
    messages_received_window: int
    channel_kind_last: ProfileChannelType
    timestamp: float
    bytes_received_total: int = 0
    messages_dropped_total: int = 0
    queued_messages_current: int = 0
    exchange_id: UUID | None = None
    publishers: list[UUID] = field(default_factory=list)
    totals: dict[str, MetricTotals] = field(default_factory=dict)
    tasks: dict[str, MetricTotals] = field(default_factory=dict)
    held_now: int = 0
    lease_ns_total: int = 0


@dataclass
class ProcessProfilingSnapshot:
    """The endpoints of one process, by ``endpoint_id``; timestamps are monotonic, in nanoseconds.

    ``tracers`` names the sessions or clients for which something is traced.
    """

    process_id: UUID
    pid: int
    host: str
    window_seconds: float
    timestamp: float
    publishers: dict[str, PublisherProfileSnapshot] = field(default_factory=dict)
    subscribers: dict[str, SubscriberProfileSnapshot] = field(default_factory=dict)
    clock_offset_ns: int = 0
    tracers: list[str] = field(default_factory=list)


@dataclass
class ProfilingTraceControl:
    """What one client wants to have traced in one process; it replaces what that client wanted before.

    ``sample_mod`` takes every so-manieth message of a publisher. Filters that are ``None`` let everything through.
    Without ``ttl_seconds`` it lasts until the client says otherwise, or is gone.
    """

    enabled: bool
    sample_mod: int = 1
    publisher_topics: list[str] | None = None
    subscriber_topics: list[str] | None = None
    publisher_endpoint_ids: list[str] | None = None
    subscriber_endpoint_ids: list[str] | None = None
    metrics: list[str] | None = None
    ttl_seconds: float | None = None


@dataclass
class ProfilingTraceSample:
    """One measurement; ``timestamp`` is the monotonic time of its end, ``value`` its length, in nanoseconds.

    The time between two messages is 0 of the first one that was published after the trace began.

    ``sample_seq`` is the number of the message among those of publisher ``publisher_id``; ``label`` names the task,
    and ``within`` the task of whose own time, measured beside it, this is a part.
    """

    timestamp: float
    endpoint_id: str
    topic: str
    metric: str
    value: float
    channel_kind: ProfileChannelType | None = None
    sample_seq: int | None = None
    publisher_id: UUID | None = None
    label: str | None = None
    within: str | None = None


@dataclass
class ProcessProfilingTraceBatch:
    """Samples of one process, in the order of time; ``lost_samples`` were overwritten before they were read.

    ``timestamp`` is when it was taken: of one in a stream in seconds of wall time, as the stream's own, else
    monotonic in nanoseconds.
    """

    process_id: UUID
    pid: int
    host: str
    timestamp: float
    samples: list[ProfilingTraceSample] = field(default_factory=list)
    lost_samples: int = 0
    clock_offset_ns: int = 0


@dataclass
class ProfilingTraceStreamBatch:
    """What several processes have traced since the batch before, by process; ``timestamp`` is wall time in seconds.

    ``missing`` says of a process that could not be asked, or traces nothing any more for who asks, why.
    """

    timestamp: float
    batches: dict[UUID, ProcessProfilingTraceBatch] = field(default_factory=dict)
    missing: dict[UUID, str] = field(default_factory=dict)


@dataclass
class ProfilingStreamControl:
    """How a stream of traces comes: ``interval`` in seconds, at most ``max_samples`` of each process at a time."""

    interval: float = 0.05
    max_samples: int = 1000
    process_ids: list[UUID] | None = None
    include_empty_batches: bool = False


@dataclass
class TraceColumns:
    """Samples as columns of little-endian integers, one after the other; row *i* of each is sample *i*.

    ``time_ns``, ``value_ns`` and ``message`` have 8 bytes with sign, the others 2 bytes without: indexes into the
    lists before them. ``label``, ``publisher`` and ``within`` count from 1, as 0 means that there is none;
    ``within`` names a label, and is empty if it would be all 0.
    """

    endpoint_ids: list[str] = field(default_factory=list)
    topics: list[str] = field(default_factory=list)
    metrics: list[str] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    publisher_ids: list[UUID] = field(default_factory=list)
    kinds: list[ProfileChannelType] = field(default_factory=list)
    time_ns: bytes = b""
    value_ns: bytes = b""
    message: bytes = b""
    endpoint: bytes = b""
    metric: bytes = b""
    label: bytes = b""
    publisher: bytes = b""
    kind: bytes = b""
    within: bytes = b""


@dataclass
class ProcessTrace:
    """How a batch of one process travels; see :class:`ProcessProfilingTraceBatch`.

    ``endpoint_ids`` and ``topics`` of the columns have one entry for each endpoint. Unless it is ``traced``, the
    process traces nothing for who asks: what that had wanted has ended, or was never said.
    """

    process_id: UUID
    pid: int
    host: str
    timestamp: float
    clock_offset_ns: int
    lost_samples: int
    columns: TraceColumns
    traced: bool = True
