"""Snapshots of processes as they might have counted, made by hand: a graph in which units wait for one another."""

from uuid import UUID, uuid5

from attrs import define, field

from ezmsg.protocol.model.profiling import (
    ChannelProfileSnapshot,
    MetricTotals,
    ProcessProfilingSnapshot,
    ProfileChannelType,
    PublisherProfileSnapshot,
    SubscriberProfileSnapshot,
)

SPACE = UUID(int=0x5EED)
SECOND = 1_000_000_000


def id_of(name: str) -> UUID:
    return uuid5(SPACE, name)


def endpoint(topic: str) -> str:
    return f"{topic}:{id_of(topic)}"


@define
class Process:
    """One process with one event loop; counters are those of one moment."""

    name: str
    timestamp: float = 1 * SECOND
    pid: int = 0
    publishers: dict[str, PublisherProfileSnapshot] = field(factory=dict)
    subscribers: dict[str, SubscriberProfileSnapshot] = field(factory=dict)

    def publishes(self, topic: str, waited: dict[str, int], messages: int = 0, more_ns: int = 0) -> "Process":
        """``waited`` is by the process that was waited for, in nanoseconds; ``more_ns`` for nobody knows whom."""
        channels = [
            ChannelProfileSnapshot(id_of(f"loop of {name}"), ProfileChannelType.SHM, messages, 0, 0, waited_ns)
            for name, waited_ns in waited.items()
        ]
        whole_ns = sum(waited.values()) + more_ns
        self.publishers[endpoint(topic)] = PublisherProfileSnapshot(
            endpoint(topic), topic, messages, 0, 0.0, 1, 32, self.timestamp, 0, whole_ns, channels
        )
        return self

    def hears(
        self,
        topic: str,
        publishers: list[str],
        lease_ns: int = 0,
        tasks: dict[str, int] | None = None,
        messages: int = 0,
    ) -> "Process":
        self.subscribers[endpoint(topic)] = SubscriberProfileSnapshot(
            endpoint(topic),
            topic,
            messages,
            0,
            ProfileChannelType.SHM,
            self.timestamp,
            exchange_id=id_of(f"loop of {self.name}"),
            publishers=[id_of(each) for each in publishers],
            tasks={name: MetricTotals(messages, spent_ns) for name, spent_ns in (tasks or {}).items()},
            lease_ns_total=lease_ns,
        )
        return self

    def snapshot(self) -> ProcessProfilingSnapshot:
        return ProcessProfilingSnapshot(
            id_of(self.name),
            self.pid or 100 + len(self.name),
            "lab",
            0.0,
            self.timestamp,
            dict(self.publishers),
            dict(self.subscribers),
        )


def began(*processes: Process) -> list[ProcessProfilingSnapshot]:
    """The same processes and endpoints ten seconds before, with nothing counted."""
    earlier = []
    for process in processes:
        start = Process(process.name, process.timestamp - 10 * SECOND, process.pid)
        for publisher in process.publishers.values():
            start.publishes(publisher.topic, {})
        for subscriber in process.subscribers.values():
            start.hears(subscriber.topic, [])
            start.subscribers[subscriber.endpoint_id].publishers = list(subscriber.publishers)
        earlier.append(start.snapshot())
    return earlier


def ended(*processes: Process) -> list[ProcessProfilingSnapshot]:
    return [process.snapshot() for process in processes]
