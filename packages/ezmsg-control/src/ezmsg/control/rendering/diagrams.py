"""A graph of topics as the source of a drawing, for Mermaid or for Graphviz; components are boxes round topics."""

from collections.abc import Iterator
from dataclasses import dataclass

from ezmsg.control.errors import UnknownFormat
from ezmsg.control.rendering.compact import SEPARATOR, Graph, levels_up, without_relaying
from ezmsg.protocol.surroundings.visible import visible

_INDENT = "  "
_MERMAID_ENTITIES = str.maketrans({"#": "#35;", '"': "#quot;", "`": "#96;"})
_DOT_ESCAPES = str.maketrans({"\\": "\\\\", '"': '\\"'})


@dataclass(frozen=True)
class _Opening:
    """A box begins."""

    depth: int
    label: str


@dataclass(frozen=True)
class _Closing:
    """The last box that began, and did not end yet, ends."""

    depth: int


@dataclass(frozen=True)
class _Node:
    """A topic."""

    depth: int
    label: str
    topic: str


def draw(graph: Graph, fmt: str, direction: str = "LR", levels: int | None = None) -> str:
    """Return the source of a drawing.

    :param fmt: ``mermaid`` or ``graphviz``.
    :param direction: where the arrows point: ``LR``, ``RL``, ``TB`` or ``BT``.
    :param levels: show the components so many levels above the topics in their place, and leave out topics that
        only hand messages on; ``None`` or 0 shows every topic.
    :raises UnknownFormat: if ``fmt`` is another.
    """
    if levels:
        graph = levels_up(without_relaying(graph)[0], levels)
    return "\n".join(diagram_lines(graph, fmt, direction)) + "\n"


def diagram_lines(graph: Graph, fmt: str, direction: str = "LR", separator: str = SEPARATOR) -> Iterator[str]:
    """Yield the source of a drawing of every topic, line by line; see :func:`draw`."""
    match fmt:
        case "mermaid":
            return _mermaid_lines(graph, direction, separator)
        case "graphviz":
            return _dot_lines(graph, direction, separator)
    raise UnknownFormat(format=fmt, formats=["mermaid", "graphviz"])


def _mermaid_lines(graph: Graph, direction: str, separator: str) -> Iterator[str]:
    names = _names(graph)
    boxes = 0
    yield f"flowchart {direction}"
    for item in _boxed(graph, separator):
        indent = _INDENT * (item.depth + 1)
        match item:
            case _Opening(label=label):
                yield f'{indent}subgraph box{boxes} ["{_label(label, _MERMAID_ENTITIES)}"]'
                boxes += 1
            case _Closing():
                yield f"{indent}end"
            case _Node(label=label, topic=topic):
                yield f'{indent}{names[topic]}["{_label(label, _MERMAID_ENTITIES)}"]'
    for source, target in _edges(graph):
        yield f"{_INDENT}{names[source]} --> {names[target]}"


def _dot_lines(graph: Graph, direction: str, separator: str) -> Iterator[str]:
    names = _names(graph)
    boxes = 0
    yield "digraph ezmsg {"
    yield f'{_INDENT}rankdir="{direction}";'
    for item in _boxed(graph, separator):
        indent = _INDENT * (item.depth + 1)
        match item:
            case _Opening(label=label):
                yield f"{indent}subgraph cluster_{boxes} {{"
                yield f'{indent}{_INDENT}label="{_label(label, _DOT_ESCAPES)}";'
                boxes += 1
            case _Closing():
                yield f"{indent}}}"
            case _Node(label=label, topic=topic):
                yield f'{indent}{names[topic]} [label="{_label(label, _DOT_ESCAPES)}"];'
    for source, target in _edges(graph):
        yield f"{_INDENT}{names[source]} -> {names[target]};"
    yield "}"


def _label(text: str, escapes: dict[int, str]) -> str:
    """Return a name as a drawing has it: on one line, and without what would steer a terminal that shows it."""
    return visible(text.replace("\n", " ")).translate(escapes)


def _boxed(graph: Graph, separator: str) -> Iterator[_Opening | _Closing | _Node]:
    """Yield the topics with the boxes round them; what an address has in common with the one before stays open."""
    open_boxes: list[str] = []
    # Sorted by their parts, so that what lies in one box comes together.
    for *place, label in sorted(topic.split(separator) for topic in graph):
        common = 0
        while common < min(len(place), len(open_boxes)) and place[common] == open_boxes[common]:
            common += 1
        while len(open_boxes) > common:
            open_boxes.pop()
            yield _Closing(len(open_boxes))
        for name in place[common:]:
            yield _Opening(len(open_boxes), name)
            open_boxes.append(name)
        yield _Node(len(open_boxes), label, separator.join([*place, label]))
    while open_boxes:
        open_boxes.pop()
        yield _Closing(len(open_boxes))


def _names(graph: Graph) -> dict[str, str]:
    """Return what each topic is called inside the drawing: its own text may mean something there."""
    return {topic: f"topic{number}" for number, topic in enumerate(sorted(graph))}


def _edges(graph: Graph) -> list[tuple[str, str]]:
    return sorted((source, target) for source, following in graph.items() for target in following)
