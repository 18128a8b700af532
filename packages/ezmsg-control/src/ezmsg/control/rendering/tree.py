"""A graph of topics as an indented tree, in ASCII, so that it reads the same in a terminal and in a file."""

from collections.abc import Iterator

from ezmsg.control.rendering.flow import NOTHING_DESCRIBED, SEPARATOR, SETTINGS_STREAM, Described, ranks
from ezmsg.protocol.graph.dag import DAG

_INDENT = "   "


def tree_lines(dag: DAG, known: Described = NOTHING_DESCRIBED) -> Iterator[str]:
    """Yield the graph line by line, from the topics that nothing feeds on down, in the order in which data flows.

    What follows a topic is shown where it comes up first; later it says so. An edge that outlives every session
    is marked, and so is one that leads nowhere: its unit has no such stream. Streams without an edge come last;
    those for settings have one only while somebody publishes there, and are left out.
    """
    shown: set[str] = set()
    fed = {topic for successors in dag.graph.values() for topic in successors}
    rank = ranks(dag.graph, known)
    roots = sorted(dag.graph.keys() - fed, key=lambda topic: (rank[known.owner(topic)], topic))
    # A stack and not recursion: a chain may be longer than Python's stack is deep.
    stack = [(topic, "", 0) for topic in reversed(roots)]
    while stack:
        topic, mark, depth = stack.pop()
        successors = sorted(dag.graph.get(topic, ()), reverse=True)
        again = "  (see above)" if topic in shown and successors else ""
        arrow = _INDENT * (depth - 1) + "-> " if depth else ""
        yield f"{arrow}{topic}{_nowhere(topic, known)}{mark}{again}"
        if topic not in shown:
            shown.add(topic)
            stack += [(following, _mark(dag, topic, following), depth + 1) for following in successors]
    for topic in sorted(known.unit_of.keys() - shown):
        if topic.rpartition(SEPARATOR)[2] != SETTINGS_STREAM:
            yield f"{topic}  (no edges)"


def _nowhere(topic: str, known: Described) -> str:
    unit = known.missing_at(topic)
    return "" if unit is None else f"  (nowhere: {unit} has no {topic.rpartition(SEPARATOR)[2]})"


def _mark(dag: DAG, from_topic: str, to_topic: str) -> str:
    return "  (persistent)" if None in dag.edge_owners[from_topic, to_topic] else ""
