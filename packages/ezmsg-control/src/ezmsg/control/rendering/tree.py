"""A graph of topics as an indented tree, in ASCII, so that it reads the same in a terminal and in a file."""

from collections.abc import Iterator

from ezmsg.protocol.graph.dag import DAG

_INDENT = "   "


def tree_lines(dag: DAG) -> Iterator[str]:
    """Yield the graph line by line, from the topics that nothing feeds on down.

    What follows a topic is shown where it comes up first; later it says so. An edge that outlives every session
    is marked.
    """
    shown: set[str] = set()
    fed = {topic for successors in dag.graph.values() for topic in successors}
    # A stack and not recursion: a chain may be longer than Python's stack is deep.
    stack = [(topic, "", 0) for topic in sorted(dag.graph.keys() - fed, reverse=True)]
    while stack:
        topic, mark, depth = stack.pop()
        successors = sorted(dag.graph.get(topic, ()), reverse=True)
        again = "  (see above)" if topic in shown and successors else ""
        arrow = _INDENT * (depth - 1) + "-> " if depth else ""
        yield f"{arrow}{topic}{mark}{again}"
        if topic not in shown:
            shown.add(topic)
            stack += [(following, _mark(dag, topic, following), depth + 1) for following in successors]


def _mark(dag: DAG, from_topic: str, to_topic: str) -> str:
    return "  (persistent)" if None in dag.edge_owners[from_topic, to_topic] else ""
