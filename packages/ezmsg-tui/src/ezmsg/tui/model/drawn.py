"""Which boxes and wires the drawn graph has: units, or collections in their place, and what flows between. Pure."""

from collections import defaultdict
from collections.abc import Mapping
from collections.abc import Set as AbstractSet

from attrs import field, frozen

from ezmsg.protocol.model.snapshot import Edge
from ezmsg.tui.model.drawing import Marks
from ezmsg.tui.model.filtering import Fits
from ezmsg.tui.model.layering import Node, Step
from ezmsg.tui.model.picture import Picture
from ezmsg.tui.model.tree import Traffic, reach, traffic
from ezmsg.tui.model.view import View
from ezmsg.tui.model.wording import hz

BOXES_LIMIT = 100
"""Of a graph with more boxes only what is near the chosen one is drawn."""

WARN, BAD = 0.01, 0.1
"""From which part of the time on, that a publisher waits for a wire, the wire is drawn in another colour."""


@frozen
class Drawn:
    """What is to be laid out; ``units`` are those in each box, ``flows`` the edges in each wire.

    ``near`` names the box whose surroundings these are, if the whole would be too much.
    """

    nodes: tuple[Node, ...] = ()
    steps: tuple[Step, ...] = ()
    units: Mapping[str, tuple[str, ...]] = field(factory=dict)
    flows: Mapping[tuple[str, str], tuple[Edge, ...]] = field(factory=dict)
    near: str | None = None


def drawn(picture: Picture, closed: AbstractSet[str], fits: Fits, chosen: str | None) -> Drawn:
    """Return what is drawn of a picture; closed collections are boxes, with all that is in them."""
    wanted = [address for address, unit in picture.units.items() if fits(f"{address} {unit.kind}")]
    box_of = {address: _box(address, closed) for address in wanted}
    found = _drawn(picture, box_of)
    if len(found.nodes) <= BOXES_LIMIT:
        return found
    centre = chosen if chosen in box_of else next(iter(box_of))
    box = box_of[centre]
    near = _near(found, box)
    return _drawn(picture, {address: each for address, each in box_of.items() if each in near}, box)


def _box(address: str, closed: AbstractSet[str]) -> str:
    parts = address.split("/")
    paths = ("/".join(parts[:count]) for count in range(1, len(parts)))
    return next((path for path in paths if path in closed), address)


def _drawn(picture: Picture, box_of: Mapping[str, str], near: str | None = None) -> Drawn:
    flows: dict[tuple[str, str], list[Edge]] = defaultdict(list)
    outputs: dict[str, dict[str, None]] = defaultdict(dict)
    steps: dict[Step, None] = {}
    ends: set[str] = set()
    for edge in picture.flows:
        source, target = box_of.get(picture.owner(edge[0])), box_of.get(picture.owner(edge[1]))
        if source is None or target is None or source == target:
            continue
        flows[source, target].append(edge)
        outputs[source][edge[0]] = None
        steps[source, target, edge[0]] = None
        ends |= {source, target}
    units: dict[str, list[str]] = defaultdict(list)
    for address, box in box_of.items():
        # A collection is what its units lie in; it is a box only if it is closed, or data flows through it.
        if not picture.units[address].is_collection or address != box or address in ends:
            units[box].append(address)
    nodes = tuple(Node(box, _title(box, its), tuple(outputs.get(box, ()))) for box, its in units.items())
    return Drawn(
        nodes,
        tuple(steps),
        {box: tuple(its) for box, its in units.items()},
        {wire: tuple(its) for wire, its in flows.items()},
        near,
    )


def _title(box: str, units: list[str]) -> str:
    name = box.rpartition("/")[2] or box
    return name if units == [box] else f"{name} ({len(units)})"


def _near(found: Drawn, box: str) -> set[str]:
    """Return the boxes that are nearest to one, as many as are drawn."""
    beside: dict[str, set[str]] = defaultdict(set)
    for source, target, _ in found.steps:
        beside[source].add(target)
        beside[target].add(source)
    near, fresh = {box}, [box]
    for place in fresh:
        for other in sorted(beside[place] - near):
            if len(near) >= BOXES_LIMIT // 2:
                return near
            near.add(other)
            fresh.append(other)
    return near


def marks(view: View, found: Drawn, chosen: str | None) -> Marks:
    """Return what is written into a drawing: rates, back-pressure, and what lies up- and downstream of one box."""
    now = traffic(view.courses.values())
    labels = {
        (node.key, topic): hz(now.rates[topic])
        for node in found.nodes
        for topic in node.outputs
        if topic in now.rates
    }
    up, down = _ways(view.picture, found, chosen)
    wires = {wire: _wire_tone(view, wire, flows, now, chosen, up, down) for wire, flows in found.flows.items()}
    boxes = {node.key: _box_tone(node.key, chosen, up, down) for node in found.nodes}
    return Marks(labels, wires, boxes)


def _ways(picture: Picture, found: Drawn, chosen: str | None) -> tuple[set[str], set[str]]:
    if chosen is None or chosen not in found.units:
        return set(), set()
    box_of = {unit: box for box, units in found.units.items() for unit in units}
    ways = []
    for down in (False, True):
        units = reach(picture, found.units[chosen], down=down)
        ways.append({box_of[unit] for unit in units if unit in box_of} - {chosen})
    return ways[0], ways[1]


def _box_tone(box: str, chosen: str | None, up: set[str], down: set[str]) -> str:
    if box == chosen:
        return "chosen"
    return "up" if box in up else "down" if box in down else "box"


def _wire_tone(
    view: View,
    wire: tuple[str, str],
    flows: tuple[Edge, ...],
    now: Traffic,
    chosen: str | None,
    up: set[str],
    down: set[str],
) -> str:
    """Return what a wire's colour says: that somebody is waited for, else what is chosen, else that it is quiet."""
    share = max((view.pressure.get(edge, 0.0) for edge in flows), default=0.0)
    if share >= WARN:
        return "bad" if share >= BAD else "warn"
    if chosen is not None:
        if wire[0] in up and (wire[1] in up or wire[1] == chosen):
            return "up"
        if wire[1] in down and (wire[0] in down or wire[0] == chosen):
            return "down"
    return "" if any(now.rates.get(edge.from_topic) for edge in flows) else "quiet"
