"""Blame: for whom a publisher waits.

A publisher that has no free buffer waits for the subscribers that still hold one. How long it waited for each event
loop is counted where it waits; among the subscribers on that loop it is shared out by how long each held messages:
in its hands or, where one's queue was full all the time, in the queue. A subscriber that was busy because its unit
waited in its own publishing hands its part on to those it waited for, so that the one who is slow gets it, however
far down. All shares are whole nanoseconds and add up to the wait.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from uuid import UUID

from attrs import define, field, frozen

from ezmsg.control.errors import NobodyPublishes
from ezmsg.control.profiling.apportioning import apportion
from ezmsg.control.profiling.growth import USER_SPAN, Growth, PublisherGrowth, SubscriberGrowth, growth
from ezmsg.protocol.model.profiling import ProcessProfilingSnapshot, ProcessProfilingTraceBatch

_LEAST_PART = 1_000
"""Parts of the wait that are smaller than one in so many are not followed further down."""

_UNSEEN_PART = 10
"""If no more than one in so many parts of a wait is seen in nobody's hands, it is shared like the rest."""


@frozen
class TaskBlame:
    """A unit's function, and its part in what its subscriber is blamed for. Percentiles are of traced calls.

    ``source`` is where it is defined, as ``"<file>:<line>"`` on the machine of its program, if that is known.
    """

    name: str
    waited_ns: int
    calls: int
    spent_ns: int
    p50_ns: int | None = None
    p99_ns: int | None = None
    source: str | None = None


@frozen
class Culprit:
    """A subscriber that was waited for; ``through`` are the inputs of units that only waited in turn.

    ``share`` is of the whole wait. ``busy_share`` is how much of the window it had messages in its hands.
    """

    topic: str
    endpoint_id: str
    process_id: UUID
    pid: int
    host: str
    waited_ns: int
    share: float
    busy_share: float
    tasks: list[TaskBlame]
    through: list[str]


@frozen
class Blame:
    """How long the publishers of a topic waited within a window, and for whom; the worst comes first.

    ``share`` is of the window. For ``unattributed_ns`` nobody can be named; ``gaps`` are sentences that say what
    could not be measured, here or elsewhere in the graph.
    """

    topic: str
    publishers: list[str]
    num_buffers: int
    window_ns: int
    messages: int
    waited_ns: int
    share: float
    culprits: list[Culprit]
    unattributed_ns: int
    gaps: list[str]


def blame(
    before: Sequence[ProcessProfilingSnapshot],
    after: Sequence[ProcessProfilingSnapshot],
    topic: str,
    traces: Iterable[ProcessProfilingTraceBatch] = (),
    sources: Mapping[tuple[str, str], str] | None = None,
) -> Blame:
    """Say for whom the publishers of a topic waited between two snapshots of all processes.

    :param traces: what was traced in between, for percentiles of the tasks' times.
    :param sources: where functions are defined, by the topic that they subscribe to and their name.
    :raises NobodyPublishes: if the topic has no publisher.
    """
    known = topics_of((*before, *after))
    if topic not in known:
        raise NobodyPublishes(topic=topic, topics=sorted(known))
    grown = growth(before, after)
    traced = list(traces)
    publishers = [publisher for publisher in grown.publishers if publisher.topic == topic]
    waited_ns = sum(publisher.waited_ns for publisher in publishers)
    ledger = _Ledger(grown, waited_ns, sources or {})
    for publisher in publishers:
        ledger.spread(publisher, publisher.waited_ns, ())
    watched_ns = sum(publisher.place.window_ns for publisher in publishers)
    return Blame(
        topic=topic,
        publishers=[publisher.endpoint_id for publisher in publishers],
        num_buffers=max((publisher.num_buffers for publisher in publishers), default=0),
        window_ns=max((publisher.place.window_ns for publisher in publishers), default=0),
        messages=sum(publisher.messages for publisher in publishers),
        waited_ns=waited_ns,
        # Endpoints are looked at one after the other, each a moment before or after its process.
        share=min(1.0, waited_ns / watched_ns) if watched_ns else 0.0,
        culprits=list(ledger.culprits(_Percentiles(traced))),
        unattributed_ns=ledger.unattributed_ns,
        gaps=[*grown.gaps, *sorted(ledger.gaps), *_losses(traced)],
    )


def topics_of(processes: Iterable[ProcessProfilingSnapshot]) -> set[str]:
    """Return the topics that have publishers."""
    return {publisher.topic for each in processes for publisher in each.publishers.values()}


def longest_waiting(before: Sequence[ProcessProfilingSnapshot], after: Sequence[ProcessProfilingSnapshot]) -> str:
    """Return the topic whose publishers waited longest between two snapshots; of equals, the first by its name.

    :raises NobodyPublishes: if there is none.
    """
    waited: Counter[str] = Counter()
    for publisher in growth(before, after).publishers:
        waited[publisher.topic] += publisher.waited_ns
    if not waited:
        raise NobodyPublishes(topic="", topics=sorted(topics_of((*before, *after))))
    return min(waited, key=lambda topic: (-waited[topic], topic))


@define(eq=False)
class _Ledger:
    """Who was given how much of the wait, by the subscriber and the way to it."""

    grown: Growth
    waited_ns: int
    sources: Mapping[tuple[str, str], str]
    unattributed_ns: int = 0
    gaps: set[str] = field(factory=set)
    _given: dict[tuple[str, tuple[str, ...]], int] = field(factory=dict)
    _subscribers: dict[str, SubscriberGrowth] = field(factory=dict)

    def spread(self, publisher: PublisherGrowth, amount_ns: int, through: tuple[str, ...]) -> None:
        """Give a publisher's wait, or as much of it as it is blamed for, to those that it waited for."""
        loops = sorted(publisher.held_up_ns.items(), key=lambda each: str(each[0]))
        rest_ns = publisher.waited_ns - sum(publisher.held_up_ns.values())
        *parts, unknown_ns = apportion(amount_ns, [*(held_up_ns for _, held_up_ns in loops), rest_ns])
        self.unattributed_ns += unknown_ns
        for (exchange_id, _), part_ns in zip(loops, parts, strict=True):
            self._give_loop(publisher, exchange_id, part_ns, through)

    def culprits(self, percentiles: "_Percentiles") -> Iterator[Culprit]:
        """Yield everybody who was given anything, the worst first."""
        for (endpoint_id, through), given_ns in sorted(self._given.items(), key=lambda each: (-each[1], each[0])):
            subscriber = self._subscribers[endpoint_id]
            yield Culprit(
                topic=subscriber.topic,
                endpoint_id=endpoint_id,
                process_id=subscriber.place.process_id,
                pid=subscriber.place.pid,
                host=subscriber.place.host,
                waited_ns=given_ns,
                share=given_ns / self.waited_ns,
                busy_share=subscriber.busy_ns / subscriber.place.window_ns,
                tasks=_tasks(subscriber, given_ns, percentiles, self.sources),
                through=list(through),
            )

    def _give_loop(
        self, publisher: PublisherGrowth, exchange_id: UUID | None, amount_ns: int, through: tuple[str, ...]
    ) -> None:
        if amount_ns == 0:
            return
        there = [
            subscriber
            for subscriber in self.grown.subscribers
            if exchange_id is not None
            and subscriber.exchange_id == exchange_id
            and publisher.id in subscriber.publishers
        ]
        if not there:
            self.unattributed_ns += amount_ns
            return
        held_ns, unseen_ns = _held_ns(there, publisher.held_up_ns[exchange_id], publisher.num_buffers)
        if unseen_ns:
            names = ", ".join(subscriber.topic for subscriber in there)
            self.gaps.add(
                f"Not all of what is done with messages of {names} was seen, as it is not after recv(). For that "
                "time nobody is named."
                if any(held_ns)
                else f"Nothing was traced that would tell which of {names} was waited for."
            )
        *parts, unknown_ns = apportion(amount_ns, [*held_ns, unseen_ns])
        self.unattributed_ns += unknown_ns
        for subscriber, part_ns, own_ns in zip(there, parts, held_ns, strict=True):
            self._give(subscriber, part_ns, own_ns, through)

    def _give(self, subscriber: SubscriberGrowth, amount_ns: int, held_ns: int, through: tuple[str, ...]) -> None:
        """Give a subscriber its part, less what its unit passes on because it waited itself."""
        if amount_ns == 0:
            return
        # What is next to nothing goes no further, so that a graph of many ways costs no more than it tells.
        ends_here = subscriber.topic in through or amount_ns * _LEAST_PART < self.waited_ns
        outputs = [] if ends_here else self._waiting_outputs(subscriber)
        busy_ns = sum(each.busy_ns for each in self.grown.subscribers if _same_unit(each, subscriber))
        # While it was waited for, it held something, whether or not that was seen in its hands.
        busy_ns = max(busy_ns, held_ns, amount_ns)
        waits = [output.waited_ns for output in outputs]
        # A unit that also publishes on its own may have waited for longer than it was busy with messages.
        passed_ns = amount_ns * min(sum(waits), busy_ns) // busy_ns if busy_ns else 0
        kept_ns = amount_ns - passed_ns
        if kept_ns:
            key = subscriber.endpoint_id, through
            self._given[key] = self._given.get(key, 0) + kept_ns
            self._subscribers[subscriber.endpoint_id] = subscriber
        for output, part_ns in zip(outputs, apportion(passed_ns, waits), strict=True):
            self.spread(output, part_ns, (*through, subscriber.topic))

    def _waiting_outputs(self, subscriber: SubscriberGrowth) -> list[PublisherGrowth]:
        return [each for each in self.grown.publishers if _same_unit(each, subscriber) and each.waited_ns > 0]


def _held_ns(there: Sequence[SubscriberGrowth], waited_ns: int, num_buffers: int) -> tuple[list[int], int]:
    """Return for how long each subscriber of an event loop held messages, and for how long it is not seen who did.

    Most programs hold in their hands what they work on, and if that is as long as was waited, it tells all: a queue
    may be full only because another one keeps the event loop busy. But who takes copies with ``recv()`` works while
    messages wait in the queue. The one that is waited for has the oldest message under way, and all later ones; so
    where hands tell too little, who is the only one with a full queue counts as having held messages all the time.
    """
    held_ns = [subscriber.busy_ns for subscriber in there]
    if len(there) == 1:
        return [max(held_ns[0], 1)], 0
    unseen_ns = waited_ns - sum(held_ns)
    if unseen_ns * _UNSEEN_PART <= waited_ns:
        return held_ns, 0
    full = [place for place, subscriber in enumerate(there) if 2 * subscriber.queued >= max(num_buffers, 1)]
    if len(full) == 1:
        (place,) = full
        held_ns[place] = max(held_ns[place], there[place].place.window_ns)
        return held_ns, 0
    return held_ns, unseen_ns


class _Percentiles:
    """How long single calls of tasks took."""

    def __init__(self, traces: Iterable[ProcessProfilingTraceBatch]) -> None:
        self._spans: dict[tuple[str, str], list[int]] = {}
        for batch in traces:
            for sample in batch.samples:
                if sample.metric == USER_SPAN and sample.label is not None and sample.within is None:
                    key = sample.endpoint_id, sample.label
                    self._spans.setdefault(key, []).append(int(sample.value))
        for spans in self._spans.values():
            spans.sort()

    def at(self, endpoint_id: str, task: str, percent: int) -> int | None:
        """Return the nearest rank, ``None`` if no call was traced."""
        spans = self._spans.get((endpoint_id, task))
        return None if not spans else spans[max(0, -(-len(spans) * percent // 100) - 1)]


def _losses(traces: Iterable[ProcessProfilingTraceBatch]) -> list[str]:
    lost: Counter[tuple[int, str]] = Counter()
    for batch in traces:
        lost[batch.pid, batch.host] += batch.lost_samples
    return [
        f"Of what the process with pid {pid} on {host} traced, {count} samples were lost. "
        "Percentiles are of the rest."
        for (pid, host), count in sorted(lost.items())
        if count
    ]


def _tasks(
    subscriber: SubscriberGrowth,
    given_ns: int,
    percentiles: _Percentiles,
    sources: Mapping[tuple[str, str], str],
) -> list[TaskBlame]:
    parts = apportion(given_ns, [task.spent_ns for task in subscriber.tasks.values()]) if subscriber.tasks else []
    tasks = [
        TaskBlame(
            name=name,
            waited_ns=part_ns,
            calls=task.calls,
            spent_ns=task.spent_ns,
            p50_ns=percentiles.at(subscriber.endpoint_id, name, 50),
            p99_ns=percentiles.at(subscriber.endpoint_id, name, 99),
            source=sources.get((subscriber.topic, name)),
        )
        for (name, task), part_ns in zip(subscriber.tasks.items(), parts, strict=True)
    ]
    return sorted(tasks, key=lambda task: (-task.waited_ns, task.name))


def _same_unit(endpoint: PublisherGrowth | SubscriberGrowth, subscriber: SubscriberGrowth) -> bool:
    """Whether an endpoint belongs to the unit of a subscriber: its topic is of the same component there."""
    unit = subscriber.topic.rpartition("/")[0]
    if endpoint.place != subscriber.place or not unit:
        return endpoint is subscriber
    return endpoint.topic.rpartition("/")[0] == unit
