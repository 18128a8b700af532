"""From one view to the next: what each kind of fact changes. Pure."""

from collections.abc import Callable, Iterable
from functools import reduce as fold
from typing import Any, TypeVar

from attrs import evolve

from ezmsg.control.graph.history import changed, standing
from ezmsg.control.process.faring import Fare
from ezmsg.control.profiling.blaming import Blame, blame
from ezmsg.control.profiling.growth import growth
from ezmsg.control.profiling.rates import WINDOW_S, courses
from ezmsg.protocol.model.process_control import ProcessStats
from ezmsg.protocol.model.profiling import ProcessProfilingSnapshot
from ezmsg.protocol.model.settings import SettingsEventType
from ezmsg.protocol.model.snapshot import Edge, SnapshotProcess
from ezmsg.tui.model import facts, journal
from ezmsg.tui.model.picture import picture
from ezmsg.tui.model.view import HISTORY_LIMIT, Contact, Departed, Kind, Link, Tracing, View

WORTH_BLAMING = 0.01
"""A publisher that waits for a smaller part of the time is no news."""

BLAMES_LIMIT = 3
DEPARTED_S = 60.0
"""For how long a process that went is news."""

Reducer = Callable[[View, Any], View]
F = TypeVar("F", bound=Reducer)

REDUCERS: dict[type, Reducer] = {}


def reduces(fact: type) -> Callable[[F], F]:
    """Make the decorated function the one that says what a fact of this class changes."""

    def register(reducer: F) -> F:
        assert fact not in REDUCERS, f"{fact.__name__} is reduced twice"
        REDUCERS[fact] = reducer
        return reducer

    return register


def reduce(view: View, fact: facts.Fact) -> View:
    """Return the view after a fact."""
    return REDUCERS[type(fact)](view, fact)


def reduced(view: View, told: Iterable[facts.Fact]) -> View:
    """Return the view after several facts."""
    return fold(reduce, told, view)


# --- time and the server -------------------------------------------------------------------------------------


@reduces(facts.Ticked)
def _ticked(view: View, fact: facts.Ticked) -> View:
    now_s = max(view.now_s, fact.now_s)
    departed = tuple(each for each in view.departed if now_s - each.at_s < DEPARTED_S)
    return evolve(view, now_s=now_s, wall=fact.wall, departed=departed)


@reduces(facts.Absent)
def _absent(view: View, fact: facts.Absent) -> View:
    before = view.contact
    if before.link in (Link.LIVE, Link.LOST):
        link = Link.LOST
    else:
        link = Link.REFUSED if fact.refused else Link.WAITING
    since_s = before.since_s if before.link is link else view.now_s
    contact = Contact(link, fact.server, fact.reason, since_s, fact.retry_at_s, before.attempts + 1)
    return evolve(view, contact=contact)


@reduces(facts.Connected)
def _connected(view: View, fact: facts.Connected) -> View:
    before = view.contact
    contact = Contact(Link.LIVE, fact.server, since_s=view.now_s)
    is_new_run = view.epoch not in (None, fact.epoch)
    is_back = before.link is Link.LOST
    view = evolve(view, contact=contact, epoch=fact.epoch)
    if is_new_run:  # its events are counted from 1 again
        view = evolve(view, settings_seq=0, restarts=view.restarts + 1)
    if not is_back:
        return view
    how = "began anew" if is_new_run else "is back"
    return journal.note(view, Kind.WARNING, f"the graph server at {fact.server} {how}")


@reduces(facts.Lost)
def _lost(view: View, fact: facts.Lost) -> View:
    contact = Contact(Link.LOST, view.contact.server, fact.reason, view.now_s)
    view = evolve(view, contact=contact, tracing=evolve(view.tracing, until_s=None))
    return journal.note(view, Kind.WARNING, f"the graph server at {contact.server} is gone: {fact.reason}")


# --- the graph -----------------------------------------------------------------------------------------------


@reduces(facts.GraphSeen)
def _graph_seen(view: View, fact: facts.GraphSeen) -> View:
    now, before = picture(fact.snapshot), view.picture
    gone = [process for key, process in before.processes.items() if key not in now.processes]
    departed = tuple(Departed(process, view.now_s) for process in gone if process.units)
    there = now.processes.keys()
    after = evolve(
        view,
        snapshot=fact.snapshot,
        picture=now,
        courses={key: course for key, course in view.courses.items() if course.process_id in there},
        fares={key: fare for key, fare in view.fares.items() if key in there},
        stats={key: stats for key, stats in view.stats.items() if key in there},
        silent={key: reason for key, reason in view.silent.items() if key in there},
        departed=(*view.departed, *departed),
    )
    if view.snapshot is None:
        return after
    return journal.note_all(after, journal.differences(before, now))


@reduces(facts.TopologyChanged)
def _topology_changed(view: View, fact: facts.TopologyChanged) -> View:
    return journal.note_topology(view, fact.event)


@reduces(facts.Missed)
def _missed(view: View, fact: facts.Missed) -> View:
    count = max(0, fact.last - fact.first + 1)
    view = evolve(view, missed=view.missed + count)
    words = "event" if count == 1 else "events"
    return journal.note(view, Kind.WARNING, f"{count} {words} of {fact.stream} were forgotten before we read them")


# --- settings ------------------------------------------------------------------------------------------------


@reduces(facts.SettingsSeen)
def _settings_seen(view: View, fact: facts.SettingsSeen) -> View:
    return evolve(view, settings=dict(fact.taken.values), settings_seq=fact.taken.seq)


@reduces(facts.SettingsChanged)
def _settings_changed(view: View, fact: facts.SettingsChanged) -> View:
    event = fact.event
    address = event.component_address
    known = view.histories.get(address, ())
    if known and known[-1].seq == event.seq and known[-1].revision == event.value.revision:
        return view  # it was read before the server was lost
    change = changed(event, standing(known))
    view = evolve(view, histories={**view.histories, address: (*known, change)[-HISTORY_LIMIT:]})
    if event.seq > view.settings_seq:
        settings = dict(view.settings)
        if event.event_type is SettingsEventType.SETTINGS_REMOVED:
            settings.pop(address, None)
        else:
            settings[address] = event.value
        view = evolve(view, settings=settings, settings_seq=event.seq)
    return journal.note_change(view, change)


# --- what is counted -----------------------------------------------------------------------------------------


@reduces(facts.Counted)
def _counted(view: View, fact: facts.Counted) -> View:
    found = courses(view.courses, fact.processes)
    counted = (*view.counted, fact.processes)[-(round(WINDOW_S) + 1) :]
    before, after = counted[0], counted[-1]
    return evolve(
        view,
        courses=found,
        counted=counted,
        silent=dict(fact.missing),
        pressure=pressure(before, after) if len(counted) > 1 else {},
        blames=blames(before, after) if len(counted) > 1 else (),
        tracers=frozenset(tracer for process in fact.processes for tracer in process.tracers),
    )


def pressure(
    before: Iterable[ProcessProfilingSnapshot], after: Iterable[ProcessProfilingSnapshot]
) -> dict[Edge, float]:
    """Return for each pair of publisher and subscriber for which part of the time the first waited for the second.

    Subscribers on one event loop are waited for together; those with a full queue, if any has one.
    """
    grown = growth(before, after)
    found: dict[Edge, float] = {}
    for publisher in grown.publishers:
        for exchange_id, held_up_ns in publisher.held_up_ns.items():
            if not held_up_ns or exchange_id is None:
                continue
            there = [each for each in grown.subscribers if each.exchange_id == exchange_id]
            hearing = [each for each in there if publisher.id in each.publishers]
            full = [each for each in hearing if 2 * each.queued >= max(publisher.num_buffers, 1)]
            for subscriber in full or hearing:
                edge = Edge(publisher.topic, subscriber.topic)
                share = min(1.0, held_up_ns / publisher.place.window_ns)
                found[edge] = max(share, found.get(edge, 0.0))
    return found


def blames(
    before: tuple[ProcessProfilingSnapshot, ...], after: tuple[ProcessProfilingSnapshot, ...]
) -> tuple[Blame, ...]:
    """Return whom the publishers waited for that waited longest, the worst first."""
    waits: dict[str, float] = {}
    for publisher in growth(before, after).publishers:
        waits[publisher.topic] = max(
            waits.get(publisher.topic, 0.0), publisher.waited_ns / publisher.place.window_ns
        )
    worst = sorted((topic for topic in waits if waits[topic] >= WORTH_BLAMING), key=lambda topic: -waits[topic])
    return tuple(blame(before, after, topic) for topic in worst[:BLAMES_LIMIT])


@reduces(facts.Fared)
def _fared(view: View, fact: facts.Fared) -> View:
    fares, stats = dict(view.fares), dict(view.stats)
    for answer in fact.answers:
        process = view.picture.processes.get(answer.process_id)
        if process is None:
            continue
        fares[answer.process_id] = fare_of(process, answer, stats.get(answer.process_id))
        if answer.stats is not None:
            stats[answer.process_id] = answer.stats
    return evolve(view, fares=fares, stats=stats)


def fare_of(process: SnapshotProcess, answer: facts.Answer, before: ProcessStats | None) -> Fare:
    """Return how a process fares, its use of the processor since it was asked before."""
    known = process.process_id, process.pid, process.host, process.units
    stats = answer.stats
    if stats is None:
        return Fare(*known, failure=answer.failure or "it did not say why")
    cpu = None
    if before is not None and before.cpu_s is not None and stats.cpu_s is not None:
        passed_s = stats.timestamp - before.timestamp  # wall time, which may jump: then nothing is said
        spent_s = stats.cpu_s - before.cpu_s
        cpu = spent_s / passed_s if passed_s > 0 and spent_s >= 0 else None
    return Fare(*known, cpu, stats.memory_bytes, stats.uptime_s, stats.loop_lateness_s, answer.ping_s)


# --- what somebody does here ---------------------------------------------------------------------------------


@reduces(facts.TraceBegun)
def _trace_begun(view: View, fact: facts.TraceBegun) -> View:
    return evolve(view, tracing=Tracing(fact.until_s))


@reduces(facts.TraceEnded)
def _trace_ended(view: View, fact: facts.TraceEnded) -> View:
    return evolve(view, tracing=Tracing(None, fact.batches, fact.failures))


@reduces(facts.Done)
def _done(view: View, fact: facts.Done) -> View:
    return journal.note(view, Kind.OPERATOR if fact.ok else Kind.WARNING, fact.text)
