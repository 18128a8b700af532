"""The time line: what happened, in sentences, of all kinds in one order. Pure."""

from collections.abc import Iterable, Iterator

from attrs import evolve

from ezmsg.control.graph.history import Change
from ezmsg.control.rendering.quantities import counted
from ezmsg.control.rendering.settings import text_of
from ezmsg.protocol.model.settings import SettingsEventType
from ezmsg.protocol.model.snapshot import Edge
from ezmsg.protocol.model.topology import TopologyChangedEvent, TopologyEventType
from ezmsg.tui.model.picture import Picture, Whose
from ezmsg.tui.model.view import JOURNAL_LIMIT, Entry, Kind, Place, View

_SOME = 3
_LONG = 40

Line = tuple[Kind, str, Place | None]


def note(view: View, kind: Kind, text: str, place: Place | None = None, at: float | None = None) -> View:
    """Return the view with one more line; its time is that of the view unless it is given."""
    number = view.journal[-1].number + 1 if view.journal else 1
    entry = Entry(number, view.wall if at is None else at, kind, text, place)
    return evolve(view, journal=(*view.journal, entry)[-JOURNAL_LIMIT:])


def note_all(view: View, lines: Iterable[Line]) -> View:
    """Return the view with more lines, of now."""
    number = view.journal[-1].number if view.journal else 0
    entries = [Entry(number + more, view.wall, *line) for more, line in enumerate(lines, 1)]
    return evolve(view, journal=(*view.journal, *entries)[-JOURNAL_LIMIT:]) if entries else view


def note_topology(view: View, event: TopologyChangedEvent) -> View:
    """Tell an event that is from before we came, or that no snapshot shows; of the others a snapshot tells more."""
    topics = _named(event.changed_topics)
    if event.event_type is TopologyEventType.CHANNEL_CUT:
        text = f"a subscriber of {topics} was cut off: its process does not answer"
        return note(view, Kind.WARNING, text, _topic_place(event), event.timestamp)
    seen = None if view.snapshot is None else view.snapshot.topology_seq
    if seen is None or event.seq > seen:
        return view
    if event.event_type is TopologyEventType.PROCESS_CHANGED:
        return note(view, Kind.PROCESS, "a process came, went or owned other units", None, event.timestamp)
    if event.event_type is TopologyEventType.GRAPH_CHANGED:
        text = f"edges or units changed at {topics}"
        return note(view, Kind.TOPOLOGY, text, _topic_place(event), event.timestamp)
    return note(view, Kind.TOPOLOGY, "something changed that this release does not know", None, event.timestamp)


def note_change(view: View, change: Change) -> View:
    """Tell a change of settings."""
    what = ", ".join(f"{each.path} {_short(each.before)} -> {_short(each.after)}" for each in change.fields[:_SOME])
    if len(change.fields) > _SOME:
        what += f" and {len(change.fields) - _SOME} more"
    if change.kind is SettingsEventType.SETTINGS_REMOVED:
        what = "settings removed"
    elif not what:
        what = "initial settings" if change.kind is SettingsEventType.INITIAL_SETTINGS else "settings reported"
    by = f"   by {change.by}" if change.by else ""
    return note(view, Kind.SETTINGS, f"{change.address}   {what}{by}", Place("settings", change.address), change.at)


def differences(before: Picture, after: Picture) -> Iterator[Line]:
    """Yield what came and what went between two pictures, a line each."""
    yield from _edges("disconnected", before.edges.keys() - after.edges.keys())
    yield from _edges("connected", after.edges.keys() - before.edges.keys())
    for process_id, process in before.processes.items():
        if process_id not in after.processes:
            owned = f", with {_named(process.units)}" if process.units else ""
            text = f"process {process.pid} on {process.host} is gone{owned}"
            yield Kind.WARNING if process.units else Kind.PROCESS, text, Place("processes")
    for process_id, process in after.processes.items():
        if process_id not in before.processes:
            owned = f", with {_named(process.units)}" if process.units else ""
            place = Place("processes", str(process_id))
            yield Kind.PROCESS, f"process {process.pid} on {process.host} came{owned}", place
    yield from _sessions("ended", before.sessions, {each.id for each in after.sessions})
    yield from _sessions("began", after.sessions, {each.id for each in before.sessions})


def _edges(what: str, edges: Iterable[Edge]) -> Iterator[Line]:
    ordered = sorted(edges)
    for edge in ordered[: 2 * _SOME]:
        yield Kind.TOPOLOGY, f"{what} {edge.from_topic} -> {edge.to_topic}", Place("topology", edge.from_topic)
    if len(ordered) > 2 * _SOME:
        more = counted(len(ordered) - 2 * _SOME, "more edge")
        yield Kind.TOPOLOGY, f"{what} {more}", Place("topology")


def _sessions(what: str, sessions: Iterable[Whose], others: set[str]) -> Iterator[Line]:
    for session in sessions:
        if session.id not in others:
            whose = f" of {session.client}" if session.client else ""
            root = f", {session.root}" if session.root else ""
            yield Kind.TOPOLOGY, f"session {session.id[:8]}{whose} {what}{root}", Place("sessions", session.id)


def _topic_place(event: TopologyChangedEvent) -> Place:
    return Place("topology", event.changed_topics[0] if event.changed_topics else "")


def _named(names: Iterable[str]) -> str:
    ordered = sorted(names)
    more = f" and {len(ordered) - _SOME} more" if len(ordered) > _SOME else ""
    return ", ".join(ordered[:_SOME]) + more if ordered else "no topic"


def _short(value: object) -> str:
    text = text_of(value)
    return text if len(text) <= _LONG else f"{text[: _LONG - 3]}..."
