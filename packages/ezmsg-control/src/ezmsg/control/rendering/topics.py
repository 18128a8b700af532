"""Topics as tables: who publishes and hears them, and what flows there. Pure."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches

from attrs import frozen

from ezmsg.control.profiling.rates import Course
from ezmsg.control.rendering.columns import aligned
from ezmsg.control.rendering.flow import described
from ezmsg.control.rendering.quantities import size
from ezmsg.protocol.model.metadata import UnitMetadata
from ezmsg.protocol.model.snapshot import GraphSnapshot

_NOTHING = "-"


@frozen
class Topic:
    """What is known of a topic; ``type`` is that of its messages, as a program says it."""

    name: str
    unit: str
    type: str
    feeds: tuple[str, ...]
    fed_by: tuple[str, ...]


@frozen
class Flow:
    """What flows through a topic, counted where it is published; ``None`` where nothing was."""

    topic: str
    rate_hz: float | None
    bytes_per_s: float | None
    subscribers: int
    dropped: int
    waited_share: float
    window_s: float


def topics(snapshot: GraphSnapshot) -> dict[str, Topic]:
    """Return every topic that is in an edge, or that a unit says it has, by its name."""
    known = described(snapshot)
    types: dict[str, str] = {}
    for session in snapshot.sessions.values():
        for component in session.metadata.components.values() if session.metadata else ():
            if isinstance(component, UnitMetadata):
                types.update((stream.address, stream.msg_type) for stream in component.streams.values())
    feeding: dict[str, list[str]] = defaultdict(list)
    for edge in sorted(snapshot.edge_owners):
        feeding[edge.to_topic].append(edge.from_topic)
    names = sorted({*snapshot.graph, *feeding, *known.unit_of})
    return {
        name: Topic(
            name,
            known.owner(name),
            types.get(name, ""),
            tuple(sorted(snapshot.graph.get(name, ()))),
            tuple(feeding[name]),
        )
        for name in names
    }


def unknown(topic: str, known: Iterable[str]) -> str:
    """Return that a topic is neither a unit's nor in an edge, and which may be meant; empty if it is.

    Somebody may publish there all the same: who has no unit tells of no topic.
    """
    names = list(known)
    if topic in names:
        return ""
    near = get_close_matches(topic, names)
    several = "one of these " if len(near) > 1 else ""
    meant = f"; is {several}meant: {', '.join(near)}?" if several else f"; is {near[0]} meant?" if near else "."
    return f"No unit has a topic {topic} yet{meant}"


def flows(courses: Iterable[Course]) -> dict[str, Flow]:
    """Return what flows through each topic that has a publisher, of all its publishers together."""
    published: dict[str, list[Course]] = defaultdict(list)
    topic_of: dict[str, str] = {}
    heard: dict[str, list[Course]] = defaultdict(list)
    given = list(courses)
    for course in given:
        if course.role == "publisher":
            published[course.topic].append(course)
            topic_of[course.endpoint_id.rpartition(":")[2]] = course.topic
    for course in given:
        for topic in {topic_of.get(str(publisher)) for publisher in course.publishers} - {None}:
            heard[topic or ""].append(course)
    return {
        topic: Flow(
            topic,
            _sum(each.rate_hz for each in its),
            _sum(each.bytes_per_s for each in its),
            len(heard[topic]),
            sum(each.dropped for each in heard[topic]),
            max(each.waited_share for each in its),
            max(each.seconds for each in its),
        )
        for topic, its in sorted(published.items())
    }


def list_lines(known: Mapping[str, Topic]) -> Iterator[str]:
    """Yield a head and a line for each topic."""
    rows = [("TOPIC", "UNIT", "FED BY", "FEEDS", "TYPE")]
    rows += [
        (each.name, each.unit, str(len(each.fed_by)), str(len(each.feeds)), each.type or _NOTHING)
        for each in known.values()
    ]
    return aligned(rows)


def info_lines(topic: Topic) -> Iterator[str]:
    """Yield what is known of one topic."""
    yield f"{topic.name}   unit {topic.unit}" + (f"   {topic.type}" if topic.type else "")
    for other in topic.fed_by:
        yield f"   <- {other}"
    for other in topic.feeds:
        yield f"   -> {other}"
    if not topic.fed_by and not topic.feeds:
        yield "   no edges"


def flow_lines(known: Mapping[str, Flow], *, bytes_first: bool = False) -> Iterator[str]:
    """Yield a head and a line for each topic that has a publisher."""
    columns = ("RATE", "BYTES/S") if not bytes_first else ("BYTES/S", "RATE")
    rows = [("TOPIC", *columns, "WAITS", "SUBS", "DROPPED")]
    for each in known.values():
        rate = _NOTHING if each.rate_hz is None else f"{each.rate_hz:.1f} Hz"
        amount = _NOTHING if each.bytes_per_s is None else size(round(each.bytes_per_s))
        first, second = (amount, rate) if bytes_first else (rate, amount)
        waits = f"{100 * each.waited_share:.1f} %" if each.waited_share else _NOTHING
        rows.append((each.topic, first, second, waits, str(each.subscribers), str(each.dropped)))
    return aligned(rows)


def _sum(numbers: Iterable[float | None]) -> float | None:
    known = [each for each in numbers if each is not None]
    return sum(known) if known else None
