"""What is legal in a graph and most likely a mistake, in words: edges that carry nothing, streams without any.

Programs connect to topics of other programs, and others connect to theirs while they run, so nothing of this is an
error. Pure; `ezmsg.core.graph.crawl` has it said, once when a graph is resolved.
"""

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence

from attrs import frozen

from ezmsg.core.graph.addressable import SEPARATOR
from ezmsg.core.graph.bindings import publications_of, subscription_of
from ezmsg.core.graph.component import Component
from ezmsg.core.graph.endpoints import Edge
from ezmsg.core.graph.streams import SETTINGS_STREAM, InputStream, OutputStream, Stream
from ezmsg.core.graph.unit import Unit

_SOME = 5
"""So many are named in one line."""


@frozen
class Advice:
    """A sentence or two for the log, and how loud they are to be said."""

    level: int
    text: str


def advice_on(components: Mapping[str, Component], edges: Sequence[Edge]) -> Iterator[Advice]:
    """Yield what is to be said of a graph, each thing once.

    :param components: all components by address.
    :param edges: the edges as they were declared, before they are led over relays.
    """
    streams = {stream.address: stream for each in components.values() for stream in each.streams.values()}
    of_units = {
        stream.address: stream
        for each in components.values()
        if isinstance(each, Unit)
        for stream in each.streams.values()
    }
    for edge in dict.fromkeys(edges):
        yield from _unknown_topics(edge, components, streams)
        yield from _against_the_stream(edge, of_units)
    yield from _unconnected(components, edges, of_units)


def _unknown_topics(
    edge: Edge, components: Mapping[str, Component], streams: Mapping[str, Stream]
) -> Iterator[Advice]:
    for topic in edge:
        if topic in streams:
            continue
        owner = components.get(topic) or components.get(topic.rpartition(SEPARATOR)[0])
        near = _near(topic, owner, streams)
        if owner is None and near is None:
            continue  # a topic of its own, or of another program
        if owner is not None and owner.address == topic:
            what = "is a component, and messages pass between its streams"
        else:
            what = "is no stream of this program"
        names = ", ".join(owner.streams) if owner is not None else ""
        hint = f"Is {near} meant?" if near else f"Its streams are: {names or 'none'}."
        yield Advice(logging.WARNING, f"The edge {_shown(edge)} carries nothing by itself: {topic} {what}. {hint}")


def _near(topic: str, owner: Component | None, streams: Iterable[str]) -> str | None:
    """Return the topic that may be meant: of the component that is named, else one that is written almost so."""
    import difflib  # for who has written something wrong

    if owner is not None and owner.address != topic:
        similar = {name.upper(): name for name in owner.streams}
        found = difflib.get_close_matches(topic.rpartition(SEPARATOR)[2].upper(), similar, n=1, cutoff=0.6)
        return owner.streams[similar[found[0]]].address if found else None
    folded = {each.upper(): each for each in streams}
    close = difflib.get_close_matches(topic.upper(), folded, n=1, cutoff=0.85)
    return folded[close[0]] if close else None


def _against_the_stream(edge: Edge, of_units: Mapping[str, Stream]) -> Iterator[Advice]:
    start, end = of_units.get(edge[0]), of_units.get(edge[1])
    if isinstance(start, InputStream) and start.name != SETTINGS_STREAM:
        text = (
            f"The edge {_shown(edge)} leads out of an inlet: what comes to {edge[0]} goes to {edge[1]} as well, "
            "and nothing that the unit makes of it. For that, begin the edge at one of its outlets."
        )
        yield Advice(logging.WARNING, text)
    if isinstance(end, OutputStream):
        text = (
            f"The edge {_shown(edge)} leads into an outlet: whoever hears {edge[1]} hears {edge[0]} as well, "
            "and the unit does not. If it shall, end the edge at one of its inlets."
        )
        yield Advice(logging.WARNING, text)


def _unconnected(
    components: Mapping[str, Component], edges: Sequence[Edge], of_units: Mapping[str, Stream]
) -> Iterator[Advice]:
    forth: dict[str, list[str]] = {}
    back: dict[str, list[str]] = {}
    for start, end in edges:
        forth.setdefault(start, []).append(end)
        back.setdefault(end, []).append(start)
    known = {stream.address for each in components.values() for stream in each.streams.values()}
    lonely: list[str] = []
    inlets: list[str] = []
    outlets: list[str] = []
    units = [each for each in components.values() if isinstance(each, Unit)]
    for unit in units:
        used = list(_used(unit))
        silent = [
            each
            for each in used
            if not _reaches(each, back if isinstance(each, InputStream) else forth, known, of_units)
        ]
        if used and len(silent) == len(used) and len(units) > 1:
            lonely.append(unit.address)
            continue
        inlets += [each.address for each in silent if isinstance(each, InputStream)]
        outlets += [each.address for each in silent if isinstance(each, OutputStream)]
    if lonely:
        text = f"Connected to nothing in this program: {_some(lonely)}. Name it in connections or in network()."
        yield Advice(logging.WARNING, text)
    if inlets:
        text = f"Nothing in this program leads to {_some(inlets)}, so that nothing comes there."
        yield Advice(logging.INFO, text)
    if outlets:
        yield Advice(logging.INFO, f"Nobody in this program hears {_some(outlets)}.")


def _used(unit: Unit) -> Iterator[Stream]:
    """Yield the streams that a function of the unit reads or publishes on, each once."""
    used: dict[str, Stream] = {}
    for func in unit.tasks.values():
        inlet = subscription_of(unit, func)
        if inlet is not None and inlet.name != SETTINGS_STREAM:
            used[inlet.address] = inlet
        used.update({outlet.address: outlet for outlet in publications_of(unit, func)})
    yield from used.values()


def _reaches(
    stream: Stream, following: Mapping[str, list[str]], known: set[str], of_units: Mapping[str, Stream]
) -> bool:
    """Return whether edges lead to a stream of the other kind, or to a topic that is not of this program."""
    seen: set[str] = set()
    waiting = list(following.get(stream.address, ()))
    while waiting:
        topic = waiting.pop()
        if topic in seen:
            continue
        seen.add(topic)
        other = of_units.get(topic)
        if topic not in known and topic not in following:
            return True
        if other is not None and isinstance(other, InputStream) is not isinstance(stream, InputStream):
            return True
        waiting += following.get(topic, ())
    return False


def _shown(edge: Edge) -> str:
    return f"{edge[0]} -> {edge[1]}"


def _some(names: Iterable[str]) -> str:
    listed = list(names)
    more = f" and {len(listed) - _SOME} more" if len(listed) > _SOME else ""
    return ", ".join(listed[:_SOME]) + more
