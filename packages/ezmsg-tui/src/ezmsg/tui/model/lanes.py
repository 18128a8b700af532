"""What was traced, as lanes of time and as a flame of where it went. Pure."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from attrs import field, frozen

from ezmsg.control.exporting.timeline import LEASE, USER, WAIT, timeline
from ezmsg.control.rendering.quantities import duration
from ezmsg.protocol.model.profiling import ProcessProfilingTraceBatch

WAITING, LEASED, WORKING, IDLE = "░", "▒", "█", " "
_STRONGER = (IDLE, LEASED, WAITING, WORKING)


@frozen
class Lane:
    """What one endpoint did, a cell for each part of the window: it waits, holds a message, or its user works."""

    topic: str
    process: str
    cells: str
    busy_ns: int


@frozen
class Lanes:
    """Lanes of the last part of a trace; ``span_ns`` is how long it is."""

    lanes: tuple[Lane, ...] = ()
    span_ns: int = 0


def lanes(batches: Iterable[ProcessProfilingTraceBatch], width: int, span_ns: int = 200_000_000) -> Lanes:
    """Return the end of a trace in lanes of so many cells."""
    lines = timeline(batches)
    rows: dict[tuple[str, str], list[tuple[int, int, str]]] = defaultdict(list)
    for process in lines.processes:
        for track in process.tracks:
            kind = {WAIT: WAITING, LEASE: LEASED, USER: WORKING}.get(track.metric)
            if kind is not None:
                spans = (span for lane in track.lanes for span in lane)
                rows[track.topic, process.name] += [(span.start_ns, span.end_ns, kind) for span in spans]
    end_ns = max((end for spans in rows.values() for _, end, _ in spans), default=0)
    begin_ns = min((start for spans in rows.values() for start, _, _ in spans), default=0)
    if width < 1 or end_ns <= begin_ns:
        return Lanes()
    span_ns = min(span_ns, end_ns - begin_ns)
    since_ns = end_ns - span_ns
    found = [
        Lane(topic, process, _cells(spans, since_ns, span_ns, width), _busy(spans, since_ns))
        for (topic, process), spans in sorted(rows.items())
    ]
    return Lanes(tuple(found), span_ns)


def _cells(spans: Sequence[tuple[int, int, str]], since_ns: int, span_ns: int, width: int) -> str:
    row = [IDLE] * width
    for start, end, kind in spans:
        if end < since_ns:
            continue
        first = max(0, (start - since_ns) * width // span_ns)
        last = min(width - 1, (end - since_ns) * width // span_ns)
        for place in range(first, last + 1):
            if _STRONGER.index(kind) > _STRONGER.index(row[place]):
                row[place] = kind
    return "".join(row)


def _busy(spans: Sequence[tuple[int, int, str]], since_ns: int) -> int:
    return sum(end - max(start, since_ns) for start, end, kind in spans if kind == WORKING and end > since_ns)


@frozen
class Flame:
    """A part of where time went: its name, how long, and the parts of it."""

    name: str
    ns: int
    parts: tuple["Flame", ...] = field(factory=tuple)


def flames(batches: Iterable[ProcessProfilingTraceBatch]) -> Flame:
    """Return where the time of a trace went: by process, unit, stream, and what was done."""
    spent: dict[tuple[str, ...], int] = defaultdict(int)
    for process in timeline(batches).processes:
        for track in process.tracks:
            if track.metric not in (WAIT, USER):
                continue
            unit, _, stream = track.topic.rpartition("/")
            for span in (span for lane in track.lanes for span in lane):
                if span.sample.within is None:
                    spent[process.name, unit or stream, stream, span.name] += span.end_ns - span.start_ns
    return _flame("all", list(spent.items()))


def _flame(name: str, spent: Sequence[tuple[tuple[str, ...], int]]) -> Flame:
    inside: dict[str, list[tuple[tuple[str, ...], int]]] = defaultdict(list)
    for path, ns in spent:
        if path:
            inside[path[0]].append((path[1:], ns))
    parts = sorted((_flame(each, its) for each, its in inside.items()), key=lambda part: (-part.ns, part.name))
    return Flame(name, sum(ns for _, ns in spent), tuple(parts))


def icicle(flame: Flame, width: int) -> list[list[tuple[str, int]]]:
    """Return rows of (text, cells): each part lies under what it is a part of, as wide as its share."""
    rows: list[list[tuple[str, int]]] = []
    level: list[tuple[Flame | None, int]] = [(flame, width)]
    while any(part is not None for part, _ in level):
        rows.append([("" if part is None else _labelled(part, cells), cells) for part, cells in level])
        level = [below for part, cells in level for below in _below(part, cells)]
    return rows


def _below(part: Flame | None, cells: int) -> Iterator[tuple[Flame | None, int]]:
    if part is None:
        yield None, cells
        return
    left = cells
    for each in part.parts:
        own = min(left, round(cells * each.ns / part.ns)) if part.ns else 0
        if own >= 1:
            yield each, own
            left -= own
    if left:
        yield None, left


def _labelled(part: Flame, cells: int) -> str:
    text = f"{part.name} {duration(part.ns)}"
    return text if len(text) < cells else part.name[: max(0, cells - 1)]
