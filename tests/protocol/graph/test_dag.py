"""The graph of topics against a plain model, and the cost of its cycle check."""

import copy
from collections import defaultdict
from collections.abc import Iterator
from contextlib import suppress
from itertools import pairwise
from typing import NoReturn

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from ezmsg.protocol.errors import EzmsgError
from ezmsg.protocol.graph.dag import DAG, CyclicException

TOPICS = st.sampled_from("ABCDEFGH")
OWNERS = st.sampled_from([None, 1, 2, "session"])


def reachable(edges: set[tuple[str, str]], start: str) -> set[str]:
    """Everything reachable from ``start``, itself included, by a plain depth-first search of all edges."""
    seen: set[str] = set()
    stack = [start]
    while stack:
        node = stack.pop()
        if node not in seen:
            seen.add(node)
            stack += [to_node for from_node, to_node in edges if from_node == node]
    return seen


class DagMachine(RuleBasedStateMachine):
    """The model is a dictionary from edge to owners."""

    def __init__(self) -> None:
        super().__init__()
        self.dag = DAG()
        self.model: dict[tuple[str, str], set[int | str | None]] = {}

    @rule(from_node=TOPICS, to_node=TOPICS, owner=OWNERS)
    def add(self, from_node: str, to_node: str, owner: int | str | None) -> None:
        edges = set(self.model)
        if from_node in reachable(edges, to_node):
            with pytest.raises(CyclicException) as caught:
                self.dag.add_edge(from_node, to_node, owner)
            path = caught.value.path
            assert (path[0], path[-1]) == (to_node, from_node)
            assert len(set(path)) == len(path)
            assert set(pairwise(path)) <= edges
            return
        assert self.dag.add_edge(from_node, to_node, owner) is ((from_node, to_node) not in self.model)
        self.model.setdefault((from_node, to_node), set()).add(owner)

    @rule(from_node=TOPICS, to_node=TOPICS, owner=OWNERS)
    def remove(self, from_node: str, to_node: str, owner: int | str | None) -> None:
        owners = self.model.get((from_node, to_node), set())
        gone = owners == {owner}
        assert self.dag.remove_edge(from_node, to_node, owner) is gone
        owners.discard(owner)
        if gone:
            del self.model[from_node, to_node]

    @rule(owner=OWNERS)
    def remove_owner(self, owner: int | str | None) -> None:
        gone = {edge for edge, owners in self.model.items() if owners == {owner}}
        assert self.dag.remove_owner(owner) == gone
        self.model = {edge: owners - {owner} for edge, owners in self.model.items() if edge not in gone}

    @invariant()
    def same_as_the_model(self) -> None:
        self.dag.validate()
        assert self.dag.edge_owners == self.model
        assert self.dag.nodes == {node for edge in self.model for node in edge}
        successors = defaultdict(set, {node: set[str]() for node in self.dag.nodes})
        predecessors = copy.deepcopy(successors)
        for from_node, to_node in self.model:
            successors[from_node].add(to_node)
            predecessors[to_node].add(from_node)
        assert self.dag.graph == successors
        assert self.dag.invgraph == predecessors

    @rule(topic=TOPICS)
    def reach(self, topic: str) -> None:
        edges = set(self.model)
        downstream, upstream = self.dag.downstream(topic), self.dag.upstream(topic)
        assert downstream[0] == upstream[0] == topic
        assert sorted(downstream) == sorted(reachable(edges, topic))
        assert sorted(upstream) == sorted(reachable({(b, a) for a, b in edges}, topic))


TestDag = DagMachine.TestCase
TestDag.settings = settings(max_examples=2 * settings().max_examples, stateful_step_count=60)


def chain(*topics: str) -> DAG:
    dag = DAG()
    for from_node, to_node in pairwise(topics):
        dag.add_edge(from_node, to_node)
    return dag


def test_topology_changes_with_the_first_owner_in_and_the_last_one_out() -> None:
    dag = DAG()
    assert dag.add_edge("A", "B", "one")
    assert not dag.add_edge("A", "B", "one")
    assert not dag.add_edge("A", "B", "two")
    assert not dag.remove_edge("A", "B", "one")
    assert not dag.remove_edge("A", "B", "one")
    assert not dag.remove_edge("A", "B")
    assert dag.remove_edge("A", "B", "two")
    assert dag == DAG()
    dag.validate()


def test_an_owner_takes_away_only_what_nobody_else_holds() -> None:
    dag = chain("A", "B", "C")
    dag.add_edge("A", "B", "session")
    dag.add_edge("C", "D", "session")
    assert dag.remove_owner("session") == {("C", "D")}
    assert dag == chain("A", "B", "C")
    assert dag.remove_owner("session") == set()
    assert dag.remove_owner(None) == {("A", "B"), ("B", "C")}
    assert dag == DAG()


def test_a_refusal_names_the_path_and_leaves_no_trace() -> None:
    dag = chain("A", "B", "C", "D")
    before = copy.deepcopy(dag)
    with pytest.raises(CyclicException, match="EZ-2003") as caught:
        dag.add_edge("D", "B", "session")
    assert isinstance(caught.value, EzmsgError)
    assert (caught.value.from_topic, caught.value.to_topic) == ("D", "B")
    assert list(caught.value.path) == ["B", "C", "D"]
    assert dag == before
    dag.validate()


def test_the_path_is_a_shortest_one() -> None:
    dag = chain("A", "B", "C", "D", "E")
    dag.add_edge("B", "E")
    with pytest.raises(CyclicException) as caught:
        dag.add_edge("E", "A")
    assert list(caught.value.path) == ["A", "B", "E"]


@pytest.mark.parametrize("dag", [DAG(), chain("A", "B")])
def test_a_topic_cannot_feed_itself(dag: DAG) -> None:
    before = copy.deepcopy(dag)
    with pytest.raises(CyclicException) as caught:
        dag.add_edge("A", "A")
    assert list(caught.value.path) == ["A"]
    assert dag == before
    dag.validate()


def test_an_owner_that_cannot_be_hashed_leaves_no_trace() -> None:
    dag = DAG()
    with pytest.raises(TypeError):
        dag.add_edge("A", "B", ["session"])  # type: ignore[arg-type]
    assert dag == DAG()
    dag.validate()


def test_reach_is_breadth_first_and_starts_with_the_topic_itself() -> None:
    dag = chain("A", "B", "C", "D")
    dag.add_edge("A", "D")
    assert dag.downstream("A") in (["A", "B", "D", "C"], ["A", "D", "B", "C"])
    assert dag.upstream("C") == ["C", "B", "A"]
    assert dag.downstream("X") == dag.upstream("X") == ["X"]
    assert "X" not in dag.graph


def test_the_copies_can_be_changed_without_harm() -> None:
    dag = chain("A", "B", "C")
    dag.nodes.clear()
    dag.invgraph["B"].clear()
    dag.graph.copy().clear()
    dag.validate()
    assert dag == chain("A", "B", "C")


def test_a_careless_look_at_an_unknown_topic_breaks_nothing_later() -> None:
    dag = chain("A", "B")
    assert dag.graph["X"] == set()
    dag.add_edge("B", "X")
    dag.validate()
    dag.remove_edge("B", "X")
    assert dag == chain("A", "B")


class Watched(defaultdict[str, set[str]]):
    """An adjacency that notes the nodes looked up and refuses to be scanned or copied."""

    def __init__(self) -> None:
        super().__init__(set)
        self.visited: set[str] = set()

    def __getitem__(self, node: str) -> set[str]:
        self.visited.add(node)
        return super().__getitem__(node)

    def get(self, node: str, default: set[str] | None = None) -> set[str] | None:  # type: ignore[override]
        self.visited.add(node)
        return super().get(node, default)

    def _refuse(self) -> NoReturn:
        raise AssertionError("the whole graph was scanned")

    def __iter__(self) -> Iterator[str]:
        self._refuse()

    keys = values = items = copy = __copy__ = _refuse


class WatchedDag(DAG):
    """A graph that can tell which nodes an operation visited."""

    def __init__(self) -> None:
        super().__init__()
        self.graph = Watched()
        self._predecessors = Watched()

    def visits(self, from_node: str, to_node: str) -> set[str]:
        """Try to add an edge, and return the nodes looked up meanwhile."""
        visited: set[str] = set()
        for side in (self.graph, self._predecessors):
            assert isinstance(side, Watched)
            side.visited = visited
        with suppress(CyclicException):
            self.add_edge(from_node, to_node)
        return visited


def watched_chain(length: int) -> WatchedDag:
    dag = WatchedDag()
    for number in range(length):
        dag.add_edge(f"{number}", f"{number + 1}")
    return dag


@pytest.mark.parametrize("numbers", [range(1000), range(1000, -1, -1)], ids=["downward", "upward"])
def test_a_chain_grows_at_either_end_without_a_search(numbers: range) -> None:
    dag = WatchedDag()
    for here, there in pairwise(numbers):
        from_node, to_node = sorted([here, there])
        assert dag.visits(f"{from_node}", f"{to_node}") == {f"{from_node}", f"{to_node}"}


def test_a_cycle_check_visits_only_what_lies_between_the_ends() -> None:
    dag = watched_chain(1000)
    assert dag.visits("503", "500") == {"500", "501", "502", "503"}
    assert dag.visits("10", "990") == {"10", "990"}


def test_a_search_stops_at_both_limits_of_the_region() -> None:
    dag = watched_chain(995)
    for from_node, to_node in pairwise(["x0", "x1", "x2", "x3"]):
        dag.add_edge(from_node, to_node)
    for number in range(995, 1000):
        dag.add_edge(f"{number}", f"{number + 1}")
    # Not 996 and on, which already come after x3, nor x0, which as a fresh source comes before everything.
    assert dag.visits("x3", "993") == {"993", "994", "995", "x1", "x2", "x3"}


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 20), st.integers(0, 20)), min_size=40, max_size=80))
def test_no_edge_costs_more_than_its_affected_region(edges: list[tuple[int, int]]) -> None:
    dag = WatchedDag()
    for here, there in edges:
        from_node, to_node = f"{here}", f"{there}"
        before = dict(dag._order._position)
        ceiling, floor = before.get(from_node, 0), before.get(to_node, 0)
        region = {node for node, position in before.items() if floor <= position <= ceiling}
        known = {from_node, to_node} <= before.keys()
        assert dag.visits(from_node, to_node) <= (region if known else set()) | {from_node, to_node}
        outside = before.keys() - region - {from_node, to_node}
        assert all(dag._order._position[node] == before[node] for node in outside)


def test_an_edge_lets_go_at_the_cost_of_its_own_ends() -> None:
    dag = watched_chain(1000)
    dag.add_edge("500", "leaf", "session")
    assert isinstance(dag.graph, Watched)
    visited: set[str] = set()
    dag.graph.visited = visited
    dag.remove_owner("session")
    assert visited == {"500", "leaf"}


def test_months_of_comings_and_goings_leave_the_order_no_larger() -> None:
    dag = chain("A", "B", "C")
    for number in range(1000):
        dag.add_edge("B", f"new{number}", "session")
        dag.add_edge(f"new{number}", "C", "session")
        dag.remove_owner("session")
    dag.validate()
    assert dag._order._position.keys() == {"A", "B", "C"}
