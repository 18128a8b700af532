"""Where the boxes and wires of a drawn graph go: layers from left to right, few crossings, short wires. Pure.

The steps are those of Sugiyama, Tagawa and Toda, "Methods for visual understanding of hierarchical system
structures", IEEE Trans. Syst. Man Cybern. 11(2):109-125, 1981: break cycles, take the longest path for the layer,
put a point into every layer that a wire crosses, order layers by the mean place of neighbours. Heights come from
isotonic regression: as near to the neighbours as the order allows.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import pairwise

from attrs import field, frozen
from rich.cells import cell_len, set_cell_size

SWEEPS = 6
BOX_GAP = 1
LABEL = 9
"""Cells for a label behind a box; what a label says may change, where it stands does not."""

LONGEST_NAME = 24
TRACKS_LIMIT = 24


@frozen
class Node:
    """What becomes a box; ``outputs`` are the groups of wires that leave it, each in a row of its own."""

    key: str
    text: str
    outputs: tuple[str, ...] = ()


@frozen
class Box:
    """A box, in cells; ``rows`` says in which row each group of wires leaves it."""

    key: str
    text: str
    layer: int
    x: int
    y: int
    width: int
    height: int
    rows: Mapping[str, int] = field(factory=dict)

    @property
    def entry_y(self) -> int:
        """In which row wires come in."""
        return self.y + 1


@frozen
class Wire:
    """A way of straight lines from a box to another; ``group`` is the group of the first box."""

    source: str
    target: str
    group: str
    points: tuple[tuple[int, int], ...]


@frozen
class Drawing:
    """Boxes by their keys, and wires; as wide and high as given, in cells."""

    boxes: Mapping[str, Box] = field(factory=dict)
    wires: tuple[Wire, ...] = ()
    width: int = 0
    height: int = 0


Step = tuple[str, str, str]
"""From which node, to which, and in which group of the first."""

_Place = tuple[str, int]
"""A node and -1, or a layer and the number of a step that crosses it."""


def layout(nodes: Sequence[Node], steps: Sequence[Step]) -> Drawing:
    """Return where everything goes. Nodes keep the order in which they are given where nothing else decides."""
    if not nodes:
        return Drawing()
    by_key = {node.key: node for node in nodes}
    wires = [step for step in steps if step[0] != step[1] and step[0] in by_key and step[1] in by_key]
    forward = _forward(list(by_key), wires)
    layer_of = _layers(list(by_key), forward)
    chains = _chains(wires, forward, layer_of)
    layers = _ordered(list(by_key), layer_of, chains)
    heights = {(key, -1): max(3, 2 + len(node.outputs)) for key, node in by_key.items()}
    tops = _tops(layers, chains, heights)
    return _placed(by_key, wires, layers, chains, heights, tops)


def _forward(keys: list[str], wires: Sequence[Step]) -> list[tuple[str, str]]:
    """Return each wire as a pair that closes no cycle: those that would are turned round."""
    after: dict[str, list[str]] = defaultdict(list)
    for source, target, _ in wires:
        after[source].append(target)
    order = _finish_order(keys, after)
    return [(a, b) if order[a] < order[b] else (b, a) for a, b, _ in wires]


def _finish_order(keys: list[str], after: Mapping[str, list[str]]) -> dict[str, int]:
    """Return a place for each node, by depth first: every wire that closes no cycle leads to a later one."""
    seen: set[str] = set()
    finished: list[str] = []
    for root in reversed(keys):
        if root in seen:
            continue
        seen.add(root)
        stack = [(root, iter(reversed(after.get(root, []))))]
        while stack:
            following = stack[-1][1]
            other = next((each for each in following if each not in seen), None)
            if other is None:
                finished.append(stack.pop()[0])
            else:
                seen.add(other)
                stack.append((other, iter(reversed(after.get(other, [])))))
    return {key: place for place, key in enumerate(reversed(finished))}


def _layers(keys: list[str], forward: Sequence[tuple[str, str]]) -> dict[str, int]:
    """Return for each node how many wires the longest way to it has."""
    after: dict[str, list[str]] = defaultdict(list)
    fed: dict[str, int] = dict.fromkeys(keys, 0)
    for a, b in forward:
        after[a].append(b)
        fed[b] += 1
    layer = dict.fromkeys(keys, 0)
    ready = [key for key in keys if not fed[key]]
    for key in ready:
        for other in after[key]:
            layer[other] = max(layer[other], layer[key] + 1)
            fed[other] -= 1
            if not fed[other]:
                ready.append(other)
    return layer


def _chains(
    wires: Sequence[Step], forward: Sequence[tuple[str, str]], layer_of: Mapping[str, int]
) -> list[list[tuple[int, _Place]]]:
    """Return for each wire its places from left to right, each with its layer."""
    chains = []
    for number, (start, end) in enumerate(forward):
        first, last = layer_of[start], layer_of[end]
        between = [(layer, (f"{layer}", number)) for layer in range(first + 1, last)]
        chains.append([(first, (start, -1)), *between, (last, (end, -1))])
    return chains


def _ordered(
    keys: list[str], layer_of: Mapping[str, int], chains: Sequence[list[tuple[int, _Place]]]
) -> list[list[_Place]]:
    """Return the places of each layer from the top, so that few wires cross."""
    layers: list[list[_Place]] = [[] for _ in range(max(layer_of.values()) + 1)]
    for key in keys:
        layers[layer_of[key]].append((key, -1))
    left: dict[_Place, list[_Place]] = defaultdict(list)
    right: dict[_Place, list[_Place]] = defaultdict(list)
    for chain in chains:
        for layer, place in chain[1:-1]:
            layers[layer].append(place)
        for (_, one), (_, other) in pairwise(chain):
            left[other].append(one)
            right[one].append(other)
    for sweep in range(SWEEPS):
        towards = left if sweep % 2 == 0 else right
        sweeping = layers if sweep % 2 == 0 else layers[::-1]
        for beside, places in pairwise(sweeping):
            _order_layer(places, towards, beside)
    return layers


def _order_layer(places: list[_Place], towards: Mapping[_Place, list[_Place]], beside: list[_Place]) -> None:
    where = {place: row for row, place in enumerate(beside)}
    before = {place: row for row, place in enumerate(places)}

    def mean(place: _Place) -> float:
        others = towards.get(place, ())
        return sum(where[each] for each in others) / len(others) if others else before[place]

    means = {place: mean(place) for place in places}
    places.sort(key=lambda place: (means[place], before[place]))


def _tops(
    layers: Sequence[list[_Place]],
    chains: Sequence[list[tuple[int, _Place]]],
    heights: Mapping[_Place, int],
) -> dict[_Place, int]:
    """Return in which row each place begins."""
    near: dict[_Place, list[_Place]] = defaultdict(list)
    for chain in chains:
        for (_, one), (_, other) in pairwise(chain):
            near[one].append(other)
            near[other].append(one)
    tops: dict[_Place, float] = {}
    for places in layers:
        y = 0
        for place in places:
            tops[place] = y
            y += heights.get(place, 1) + BOX_GAP
    for sweep in range(SWEEPS):
        for places in layers if sweep % 2 == 0 else reversed(layers):
            wanted = [_wanted_top(place, near, tops) for place in places]
            sizes = [heights.get(place, 1) + BOX_GAP for place in places]
            tops.update(zip(places, _spread(wanted, sizes), strict=True))
    least = min(tops.values())
    rounded: dict[_Place, int] = {}
    for places in layers:
        y = 0
        for place in places:
            rounded[place] = max(y, round(tops[place] - least))
            y = rounded[place] + heights.get(place, 1) + BOX_GAP
    return rounded


def _wanted_top(place: _Place, near: Mapping[_Place, list[_Place]], tops: Mapping[_Place, float]) -> float:
    others = near.get(place, ())
    if not others:
        return tops[place]
    own = 0.0 if place[1] >= 0 else 1.0  # wires end in the second row of a box
    rows = [tops[each] + (0.0 if each[1] >= 0 else 1.0) for each in others]
    return sum(rows) / len(rows) - own


def _spread(wanted: Sequence[float], sizes: Sequence[int]) -> list[float]:
    """Return tops as near to those wanted as their order and sizes allow (pool adjacent violators)."""
    blocks: list[list[float]] = []  # mean of what is wanted, counted from the block's first place; how many
    offsets: list[float] = []
    offset = 0.0
    for want, size in zip(wanted, sizes, strict=True):
        blocks.append([want - offset, 1.0])
        offsets.append(offset)
        offset += size
        while len(blocks) > 1 and blocks[-2][0] > blocks[-1][0]:
            mean, count = blocks.pop()
            before, its = blocks[-1]
            blocks[-1] = [(before * its + mean * count) / (its + count), its + count]
    means = [mean for mean, count in blocks for _ in range(int(count))]
    return [mean + offset for mean, offset in zip(means, offsets, strict=True)]


def _placed(
    by_key: Mapping[str, Node],
    wires: Sequence[Step],
    layers: Sequence[list[_Place]],
    chains: Sequence[list[tuple[int, _Place]]],
    heights: Mapping[_Place, int],
    tops: Mapping[_Place, int],
) -> Drawing:
    texts = {key: _short(node.text) for key, node in by_key.items()}
    widths = [max((cell_len(texts[key]) + 4 for key, point in places if point < 0), default=3) for places in layers]
    tracks = _tracks(wires, layers, chains)
    lefts: list[int] = []
    x = 0
    for layer, width in enumerate(widths):
        lefts.append(x)
        x += width + LABEL + len(tracks[layer]) + 3 if layer + 1 < len(widths) else width
    boxes: dict[str, Box] = {}
    for layer, places in enumerate(layers):
        for place in places:
            if place[1] < 0:
                node = by_key[place[0]]
                rows = {group: tops[place] + 1 + row for row, group in enumerate(node.outputs)}
                size = widths[layer], heights[place]
                boxes[node.key] = Box(node.key, texts[node.key], layer, lefts[layer], tops[place], *size, rows)
    drawn = tuple(
        Wire(*step, _points(step, chain, boxes, tops, lefts, widths, tracks))
        for step, chain in zip(wires, chains, strict=True)
    )
    bottom = max([box.y + box.height for box in boxes.values()] + [y + 1 for wire in drawn for _, y in wire.points])
    return Drawing(boxes, drawn, x + 1, bottom)


def _short(text: str) -> str:
    return text if cell_len(text) <= LONGEST_NAME else set_cell_size(text, LONGEST_NAME - 1) + "…"


def _tracks(
    wires: Sequence[Step], layers: Sequence[list[_Place]], chains: Sequence[list[tuple[int, _Place]]]
) -> list[dict[tuple[_Place, str], int]]:
    """Return for each gap between two layers the column in which what leaves a place turns up or down."""
    leaving: list[dict[tuple[_Place, str], None]] = [{} for _ in layers]
    for step, chain in zip(wires, chains, strict=True):
        for layer, place in chain[:-1]:
            leaving[layer][place, step[2]] = None
    found = []
    for places, starts in zip(layers, leaving, strict=True):
        row = {place: number for number, place in enumerate(places)}
        # The lowest turns first, so that what goes down from above does not cross what goes right from below.
        ordered = sorted(starts, key=lambda start: (-row[start[0]], start[1]))
        found.append({start: number % TRACKS_LIMIT for number, start in enumerate(ordered)})
    return found


def _points(
    step: Step,
    chain: list[tuple[int, _Place]],
    boxes: Mapping[str, Box],
    tops: Mapping[_Place, int],
    lefts: Sequence[int],
    widths: Sequence[int],
    tracks: Sequence[Mapping[tuple[_Place, str], int]],
) -> tuple[tuple[int, int], ...]:
    """Return the corners of a wire from its source to its target."""
    source, _, group = step
    is_turned = chain[0][1][0] != source
    points: list[tuple[int, int]] = []
    for (layer, place), (_, following) in pairwise(chain):
        y = _row(place, group if not is_turned else "", boxes, tops)
        next_y = _row(following, group if is_turned else "", boxes, tops)
        right = lefts[layer] + widths[layer]
        track = right + LABEL + 1 + tracks[layer].get((place, group), 0)
        start = right if place[1] < 0 else lefts[layer]
        points += [(start, y), (track, y), (track, next_y), (lefts[layer + 1] - 1, next_y)]
    return tuple(reversed(points)) if is_turned else tuple(points)


def _row(place: _Place, group: str, boxes: Mapping[str, Box], tops: Mapping[_Place, int]) -> int:
    if place[1] >= 0:
        return tops[place]
    box = boxes[place[0]]
    return box.rows.get(group, box.entry_y) if group else box.entry_y
