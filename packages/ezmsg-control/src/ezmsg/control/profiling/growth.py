"""What endpoints counted between two snapshots of all processes. Pure.

A counter that cannot have grown by what the difference says, because its process or endpoint came, went or was
reset in between, is left out, and a sentence says so: never a wrong number.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from uuid import UUID

from attrs import field, frozen

from ezmsg.control.profiling.apportioning import apportion
from ezmsg.protocol.model.profiling import (
    MetricTotals,
    ProcessProfilingSnapshot,
    PublisherProfileSnapshot,
    SubscriberProfileSnapshot,
)

LEASE, USER_SPAN = "lease_time_ns", "user_span_ns"

_Hearing = tuple[UUID | None, UUID | None]
"""A publisher's id, and the event loop that hears it."""


@frozen
class Place:
    """A process; ``window_ns`` is the time between its two snapshots."""

    process_id: UUID
    pid: int
    host: str
    window_ns: int


@frozen
class PublisherGrowth:
    """What a publisher did; ``held_up_ns`` is how much of its wait each event loop that hears it has caused."""

    place: Place
    id: UUID | None
    endpoint_id: str
    topic: str
    num_buffers: int
    messages: int
    waited_ns: int
    held_up_ns: dict[UUID | None, int]


@frozen
class TaskGrowth:
    """What a unit's function did for one subscriber, while it was traced."""

    calls: int
    spent_ns: int


@frozen
class SubscriberGrowth:
    """What a subscriber did; ``busy_ns`` is how long it had messages in its hands, while it was traced.

    ``queued`` is how many messages waited for it at least, as far as that is known: at both ends of the window. A
    leaky one that has left some out has made nobody wait.
    """

    place: Place
    endpoint_id: str
    topic: str
    exchange_id: UUID | None
    publishers: frozenset[UUID]
    messages: int
    queued: int
    busy_ns: int
    tasks: dict[str, TaskGrowth]


@frozen
class Growth:
    """Everything that has grown, in a fixed order, and in ``gaps`` what cannot be told."""

    publishers: list[PublisherGrowth] = field(factory=list)
    subscribers: list[SubscriberGrowth] = field(factory=list)
    gaps: list[str] = field(factory=list)


def growth(before: Iterable[ProcessProfilingSnapshot], after: Iterable[ProcessProfilingSnapshot]) -> Growth:
    """Return what was counted between two snapshots of the same processes, in any order."""
    earlier = {process.process_id: process for process in before}
    later = {process.process_id: process for process in after}
    grown = Growth()
    hearers = _hearers(earlier.values())
    for process_id in sorted({*earlier, *later}):
        old, new = earlier.get(process_id), later.get(process_id)
        if new is None:
            assert old is not None
            grown.gaps.append(f"The {_name(old)} was not there at the end, or did not answer.")
        elif old is None:
            grown.gaps.append(f"The {_name(new)} was not there at the beginning, or did not answer.")
        elif (old.pid, old.host) != (new.pid, new.host) or new.timestamp <= old.timestamp:
            grown.gaps.append(f"The {_name(new)} is not the one that it was at the beginning.")
        else:
            _add_process(grown, old, new, hearers)
    return grown


def _add_process(
    grown: Growth,
    old: ProcessProfilingSnapshot,
    new: ProcessProfilingSnapshot,
    hearers: Mapping[_Hearing, list[str]],
) -> None:
    place = Place(new.process_id, new.pid, new.host, max(1, round(new.timestamp - old.timestamp)))
    gone = sorted({*old.publishers, *old.subscribers} - {*new.publishers, *new.subscribers})
    grown.gaps.extend(f"{endpoint_id} in the {_name(new)} was gone at the end." for endpoint_id in gone)
    for endpoint_id, publisher in sorted(new.publishers.items()):
        published = _publisher(place, old.publishers.get(endpoint_id), publisher)
        if published is None:
            grown.gaps.append(_reset(endpoint_id, new))
            continue
        grown.publishers.append(published)
        reopened = [each for each, held_up_ns in published.held_up_ns.items() if held_up_ns < 0]
        if reopened:
            grown.gaps.append(f"A channel of {endpoint_id} in the {_name(new)} was opened anew.")
        for exchange_id in reopened:
            del published.held_up_ns[exchange_id]
        grown.gaps.extend(_vanished(old.publishers.get(endpoint_id), publisher, new, hearers))
        _fit_window(published, publisher)
    for endpoint_id, subscriber in sorted(new.subscribers.items()):
        received = _subscriber(place, old.subscribers.get(endpoint_id), subscriber)
        if received is None:
            grown.gaps.append(_reset(endpoint_id, new))
        else:
            grown.subscribers.append(received)


def _publisher(
    place: Place, old: PublisherProfileSnapshot | None, new: PublisherProfileSnapshot
) -> PublisherGrowth | None:
    messages = new.messages_published_total - (old.messages_published_total if old else 0)
    waited_ns = new.backpressure_wait_ns_total - (old.backpressure_wait_ns_total if old else 0)
    if min(messages, waited_ns) < 0:
        return None
    held_up_ns = _held_up(new)
    for exchange_id, known_ns in _held_up(old).items():
        if exchange_id in held_up_ns:
            held_up_ns[exchange_id] -= known_ns
    return PublisherGrowth(
        place=place,
        id=_id_in(new.endpoint_id),
        endpoint_id=new.endpoint_id,
        topic=new.topic,
        num_buffers=new.num_buffers,
        messages=messages,
        waited_ns=waited_ns,
        held_up_ns=held_up_ns,
    )


def _fit_window(published: PublisherGrowth, now: PublisherProfileSnapshot) -> None:
    """Make what channels have caused fit the wait within the window.

    A channel is given a whole wait when it ends, also what of it was before the window; then all is scaled down.
    The wait that goes on at the end of the window is for those who hold the buffers then. What is still left was
    for channels that are gone, or was given up: nobody can be named for that.
    """
    held_up_ns = published.held_up_ns
    rest_ns = published.waited_ns - sum(held_up_ns.values())
    if rest_ns < 0:
        loops = sorted(held_up_ns, key=str)
        parts = apportion(published.waited_ns, [held_up_ns[exchange_id] for exchange_id in loops])
        held_up_ns.update(zip(loops, parts, strict=True))
    elif rest_ns > 0:
        holders = sorted(
            (channel for channel in now.channels if channel.inflight_messages_current > 0),
            key=lambda channel: str(channel.exchange_id),
        )
        waiting_ns = min(rest_ns, now.waiting_ns_now)
        parts = apportion(waiting_ns, [channel.inflight_messages_current for channel in holders])
        for channel, part_ns in zip(holders, parts, strict=True):
            held_up_ns[channel.exchange_id] = held_up_ns.get(channel.exchange_id, 0) + part_ns


def _hearers(processes: Iterable[ProcessProfilingSnapshot]) -> dict[_Hearing, list[str]]:
    """Return who hears what, by publisher and event loop."""
    found: dict[_Hearing, list[str]] = defaultdict(list)
    for process in processes:
        for subscriber in process.subscribers.values():
            for publisher in subscriber.publishers:
                found[publisher, subscriber.exchange_id].append(subscriber.topic)
    return found


def _vanished(
    old: PublisherProfileSnapshot | None,
    new: PublisherProfileSnapshot,
    process: ProcessProfilingSnapshot,
    hearers: Mapping[_Hearing, list[str]],
) -> Iterator[str]:
    """Say which channels of a publisher are gone, and with them the count of what was waited for them."""
    there = {channel.exchange_id for channel in new.channels}
    for channel in old.channels if old else ():
        if channel.exchange_id not in there:
            topics = sorted(hearers.get((_id_in(new.endpoint_id), channel.exchange_id), ()))
            to = ", ".join(topics) or "somebody unknown"
            yield f"The channel of {new.endpoint_id} in the {_name(process)} to {to} was gone at the end."


def _held_up(publisher: PublisherProfileSnapshot | None) -> dict[UUID | None, int]:
    held_up_ns: dict[UUID | None, int] = defaultdict(int)
    for channel in publisher.channels if publisher else ():
        held_up_ns[channel.exchange_id] += channel.waited_ns_total
    return dict(held_up_ns)


def _subscriber(
    place: Place, old: SubscriberProfileSnapshot | None, new: SubscriberProfileSnapshot
) -> SubscriberGrowth | None:
    messages = new.messages_received_total - (old.messages_received_total if old else 0)
    held_ns = new.lease_ns_total - (old.lease_ns_total if old else 0)
    dropped = new.messages_dropped_total - (old.messages_dropped_total if old else 0)
    tasks = _grown(old.tasks if old else {}, new.tasks)
    if min(messages, held_ns, dropped, *(min(task.calls, task.spent_ns) for task in tasks.values()), 0) < 0:
        return None
    queued = min(old.queued_messages_current, new.queued_messages_current) if old and not dropped else 0
    # Who took nothing, although something lay there all the time, had one message in its hands all the time.
    is_stuck = messages == 0 and queued > 0
    busy_ns = held_ns or sum(task.spent_ns for task in tasks.values())
    return SubscriberGrowth(
        place=place,
        endpoint_id=new.endpoint_id,
        topic=new.topic,
        exchange_id=new.exchange_id,
        publishers=frozenset(new.publishers),
        messages=messages,
        queued=queued,
        busy_ns=max(busy_ns, place.window_ns) if is_stuck else busy_ns,
        tasks=tasks,
    )


def _grown(old: Mapping[str, MetricTotals], new: Mapping[str, MetricTotals]) -> dict[str, TaskGrowth]:
    nothing = MetricTotals()
    return {
        name: TaskGrowth(totals.count - old.get(name, nothing).count, totals.sum_ns - old.get(name, nothing).sum_ns)
        for name, totals in sorted(new.items())
    }


def _id_in(endpoint_id: str) -> UUID | None:
    try:
        return UUID(endpoint_id.rpartition(":")[2])
    except ValueError:
        return None


def _reset(endpoint_id: str, process: ProcessProfilingSnapshot) -> str:
    return f"The counters of {endpoint_id} in the {_name(process)} were reset."


def _name(process: ProcessProfilingSnapshot) -> str:
    return f"process with pid {process.pid} on {process.host}"


def with_what_left(
    first: Iterable[ProcessProfilingSnapshot], second: Iterable[ProcessProfilingSnapshot]
) -> list[ProcessProfilingSnapshot]:
    """Return the second look at processes, and from the first what had left between the two: at the end, a gap."""
    seen = {process.process_id: process for process in first}
    for process in second:
        old = seen.get(process.process_id)
        seen[process.process_id] = (
            process
            if old is None
            else replace(
                process,
                publishers={**old.publishers, **process.publishers},
                subscribers={**old.subscribers, **process.subscribers},
            )
        )
    return list(seen.values())


def concerned(processes: Iterable[ProcessProfilingSnapshot], topic: str) -> set[UUID]:
    """Return the processes with publishers on a topic, and all that hear them, or those who hear these."""
    snapshots = list(processes)
    found = {
        process.process_id
        for process in snapshots
        if any(publisher.topic == topic for publisher in process.publishers.values())
    }
    fresh = set(found)
    while fresh:
        published = {
            _id_in(endpoint_id)
            for process in snapshots
            if process.process_id in fresh
            for endpoint_id in process.publishers
        }
        fresh = {
            process.process_id
            for process in snapshots
            if any(not published.isdisjoint(each.publishers) for each in process.subscribers.values())
        } - found
        found |= fresh
    return found
