"""The graph as a tree: collections, their units, and the streams of each, with what flows there. Pure."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet

from attrs import field, frozen

from ezmsg.control.profiling.rates import Course
from ezmsg.protocol.model.snapshot import Edge
from ezmsg.tui.model.filtering import Fits, everything
from ezmsg.tui.model.picture import Picture, Unit, is_persistent
from ezmsg.tui.model.view import View


@frozen
class Line:
    """A line of the tree: a part of an address, or a stream (``topic``) of the unit above it.

    ``peers`` are the topics at the other ends of its edges; ``more`` lines lie under it if it is closed.
    """

    key: str
    depth: int
    name: str
    unit: Unit | None = None
    topic: str | None = None
    is_output: bool = False
    peers: tuple[str, ...] = ()
    is_open: bool = True
    more: int = 0
    rate_hz: float | None = None
    waits: float = 0.0
    persistent: bool = False


@frozen
class Traffic:
    """What flows through each topic: the rate at which it is published, or received, and how long it waits."""

    rates: Mapping[str, float] = field(factory=dict)
    waits: Mapping[str, float] = field(factory=dict)


def traffic(courses: Iterable[Course]) -> Traffic:
    """Return what flows through topics, of all their endpoints together."""
    rates: dict[str, float] = defaultdict(float)
    waits: dict[str, float] = {}
    for course in courses:
        if course.rate_hz is not None:
            rates[course.topic] += course.rate_hz
        waits[course.topic] = max(waits.get(course.topic, 0.0), course.waited_share)
    return Traffic(rates, waits)


@frozen
class Shown:
    """What of the tree is wanted: which parts are closed, and what is left out."""

    closed: AbstractSet[str] = frozenset()
    fits: Fits = everything
    hides_quiet: bool = False
    hides_streams: bool = False


def tree_lines(view: View, shown: Shown) -> list[Line]:
    """Return the lines of the tree from the top; what fits a filter is shown with all that it lies in."""
    now = traffic(view.courses.values())
    children = view.picture.children
    wanted = _wanted(view.picture, shown, now)
    lines: list[Line] = []
    stack = [(path, 0) for path in reversed(children.get("", ()))]
    while stack:
        path, depth = stack.pop()
        if wanted is not None and path not in wanted:
            continue
        unit = view.picture.units.get(path)
        inside = children.get(path, ())
        if wanted is not None:
            inside = tuple(each for each in inside if each in wanted)
        streams = [] if unit is None or shown.hides_streams else list(_streams(unit, depth + 1, view, now))
        is_open = path not in shown.closed
        outs = [] if unit is None else [now.rates[each] for each in unit.outputs if each in now.rates]
        waits = max((now.waits.get(each, 0.0) for each in unit.outputs), default=0.0) if unit else 0.0
        lines.append(
            Line(
                path,
                depth,
                path.rpartition("/")[2] or path,
                unit,
                is_open=is_open,
                more=len(inside) + len(streams),
                rate_hz=sum(outs) if outs else None,
                waits=waits,
            )
        )
        if is_open:
            lines += streams
            stack += [(each, depth + 1) for each in reversed(inside)]
    return lines


def _streams(unit: Unit, depth: int, view: View, now: Traffic) -> Iterator[Line]:
    picture = view.picture
    for topic in unit.inputs:
        yield _stream(topic, False, depth, picture, now)
    for topic in unit.outputs:
        yield _stream(topic, True, depth, picture, now)
    if not unit.is_described:  # nobody says what it has: its topics are those of its edges
        for topic in sorted(
            each for each in {*picture.after, *picture.before} if picture.owner(each) == unit.address
        ):
            yield _stream(topic, topic in picture.after, depth, picture, now)


def _stream(topic: str, is_output: bool, depth: int, picture: Picture, now: Traffic) -> Line:
    peers = (picture.after if is_output else picture.before).get(topic, ())
    edges = [Edge(topic, each) if is_output else Edge(each, topic) for each in peers]
    return Line(
        topic,
        depth,
        topic.rpartition("/")[2],
        topic=topic,
        is_output=is_output,
        peers=peers,
        rate_hz=now.rates.get(topic),
        waits=now.waits.get(topic, 0.0) if is_output else 0.0,
        persistent=any(is_persistent(picture.edges[edge]) for edge in edges),
    )


def _wanted(picture: Picture, shown: Shown, now: Traffic) -> set[str] | None:
    """Return the parts of addresses that are shown, ``None`` if all are."""
    if shown.fits is everything and not shown.hides_quiet:
        return None
    wanted: set[str] = set()
    for address, unit in picture.units.items():
        topics = (*unit.inputs, *unit.outputs)
        if not (shown.fits(f"{address} {unit.kind}") or any(map(shown.fits, topics))):
            continue
        if shown.hides_quiet and not any(now.rates.get(topic) for topic in topics):
            continue
        parts = address.split("/")
        wanted |= {"/".join(parts[:count]) for count in range(1, len(parts) + 1)}
    return wanted


def reach(picture: Picture, units: Iterable[str], *, down: bool) -> set[str]:
    """Return the units that some units feed, or that feed them, over any number of edges."""
    steps = picture.down if down else picture.up
    begin = fresh = set(units)
    found: set[str] = set()
    while fresh:
        fresh = {each for place in fresh for each in steps.get(place, ())} - found - begin
        found |= fresh
    return found
