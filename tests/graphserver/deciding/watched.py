"""Dicts that tell what an operation costs: they note the topics looked at, and refuse to be gone through."""

from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ezmsg.graphserver.deciding.graph_state import GraphState


class Watch:
    """Says whether an operation is being watched, and which topics it has looked at."""

    def __init__(self) -> None:
        self.is_on = False
        self.visited: set[str] = set()

    @contextmanager
    def on(self) -> Iterator[set[str]]:
        """Watch what happens inside; the topics looked at are in the set."""
        self.is_on, self.visited = True, set()
        try:
            yield self.visited
        finally:
            self.is_on = False


class Unscanned(dict[Any, Any]):
    """A dict whose keys can be looked up, but not gone through or copied, while it is watched."""

    def __init__(self, watch: Watch, content: dict[Any, Any]) -> None:
        super().__init__(content)
        self.watch = watch

    def __iter__(self) -> Iterator[Any]:
        self.refuse()
        return super().__iter__()

    def keys(self) -> Any:
        self.refuse()
        return super().keys()

    def values(self) -> Any:
        self.refuse()
        return super().values()

    def items(self) -> Any:
        self.refuse()
        return super().items()

    def copy(self) -> Any:
        self.refuse()
        return super().copy()

    def refuse(self) -> None:
        assert not self.watch.is_on, "an operation went through all there is"


class Adjacency(Unscanned):
    """The neighbours of each topic; every look at a topic's is noted."""

    def __getitem__(self, topic: str) -> Any:
        self.watch.visited.add(topic)
        return super().__getitem__(topic)

    def get(self, topic: str, default: Any = None) -> Any:
        self.watch.visited.add(topic)
        return super().get(topic, default)

    def __missing__(self, topic: str) -> set[str]:
        neighbours = self[topic] = set[str]()
        return neighbours


class FirstOnly(OrderedDict[Any, Any]):
    """An ordered dict of which nobody looks at more than the first entry, while it is watched."""

    def __init__(self, watch: Watch, content: OrderedDict[Any, Any]) -> None:
        super().__init__(content)
        self.watch = watch

    def values(self) -> Any:
        yield from self._watched(super().values())

    def items(self) -> Any:
        yield from self._watched(super().items())

    def _watched(self, entries: Any) -> Iterator[Any]:
        for place, entry in enumerate(entries):
            assert place == 0 or not self.watch.is_on, "an operation went through all that wait"
            yield entry


def watch_state(state: GraphState) -> Watch:
    """Put watched dicts in place of all that grow with the graph, and return what watches them.

    Not of the calls that are out: they are no part of the graph.
    """
    watch = Watch()
    dag = state.edges._dag
    for name in ("graph", "_predecessors"):
        setattr(dag, name, Adjacency(watch, getattr(dag, name)))
    for owner in (
        state.edges,
        dag,
        dag._order,
        state.endpoints,
        state.sessions,
        state.processes,
        state.settings,
        state.peers,
        state,
    ):
        for name, value in vars(owner).items():
            if type(value) is dict:
                setattr(owner, name, Unscanned(watch, value))
    return watch
