"""Compact snapshots: what was packed comes back whole; what does not fit together is refused with a reason."""

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ezmsg.protocol.errors import InvalidMessage
from ezmsg.protocol.graph.dag import DAG
from ezmsg.protocol.messages.sessions import CompactSnapshot, ShownSession, SnapshotTaken
from ezmsg.protocol.model.metadata import GraphMetadata
from ezmsg.protocol.model.snapshot import Edge, GraphSnapshot, SnapshotSession
from ezmsg.protocol.snapshots.compact import expand, pack_edges
from ezmsg.protocol.testing import snapshots
from ezmsg.protocol.wire.plain import pack

EMPTY = GraphSnapshot({}, {}, {})
TOPICS = st.sampled_from(["", "A", "A/B", "B", "Ä", "\ud800", "Z"])
OWNERS = st.frozensets(st.sampled_from([None, "one", "other"]), min_size=1)

# Written once: what a released server has sent. Topics, starts, ends, groups of owners, group of each edge.
GOLDEN = bytes.fromhex("9593a141a142a1439200009201029291a36f6e6592a36f6e65aa70657273697374656e74920001")


def name(owner: object) -> str:
    return "persistent" if owner is None else str(owner)


def compact(edges: bytes, sessions: list[ShownSession] | None = None) -> SnapshotTaken:
    return SnapshotTaken(EMPTY, CompactSnapshot(edges, sessions or []))


@given(st.dictionaries(st.tuples(TOPICS, TOPICS).filter(lambda edge: edge[0] < edge[1]), OWNERS))
def test_edges_come_back_whole_and_sorted(owners: dict[tuple[str, str], frozenset[Any]]) -> None:
    dag = DAG()
    for edge, names in owners.items():
        for owner in names:
            dag.add_edge(*edge, owner)
    shown = [ShownSession("one"), ShownSession("other"), ShownSession("owns nothing")]
    whole = expand(compact(pack_edges(dag.graph, dag.edge_owners, name), shown), {})
    edges = [Edge(*edge) for edge in sorted(owners)]
    expected = GraphSnapshot(
        graph={topic: sorted(dag.graph[topic]) for topic in sorted(dag.graph)},
        edge_owners={edge: sorted(map(name, owners[edge])) for edge in edges},
        sessions={
            each.session_id: SnapshotSession([edge for edge in edges if each.session_id in owners[edge]], None)
            for each in shown
        },
    )
    assert whole == expected
    assert repr(whole) == repr(expected), "in another order"


def test_what_a_released_server_has_sent_is_understood() -> None:
    whole = expand(compact(GOLDEN, [ShownSession("one")]), {})
    assert whole.graph == {"A": ["B", "C"], "B": [], "C": []}
    assert whole.edge_owners == {Edge("A", "B"): ["one"], Edge("A", "C"): ["one", "persistent"]}
    assert whole.sessions["one"].edges == [Edge("A", "B"), Edge("A", "C")]


@given(snapshots())
def test_a_plain_answer_is_the_snapshot_itself(snapshot: GraphSnapshot) -> None:
    assert expand(SnapshotTaken(snapshot), {}) is snapshot


def test_metadata_is_found_by_its_digest() -> None:
    metadata = GraphMetadata(1, None, {})
    whole = expand(compact(GOLDEN, [ShownSession("one", b"d"), ShownSession("two")]), {b"d": metadata})
    assert whole.sessions["one"].metadata is metadata
    assert whole.sessions["two"].metadata is None


def test_no_two_edges_share_a_list_of_owners() -> None:
    whole = expand(compact(pack([["A", "B", "C"], [0, 1], [1, 2], [["one"]], [0, 0]])), {})
    whole.edge_owners[Edge("A", "B")].append("more")
    assert whole.edge_owners[Edge("B", "C")] == ["one"]


def test_metadata_that_is_neither_sent_nor_known_is_refused() -> None:
    with pytest.raises(InvalidMessage, match="neither sent nor known"):
        expand(compact(GOLDEN, [ShownSession("one", b"d")]), {})


@pytest.mark.parametrize(
    "columns",
    [
        None,
        [["A", "B"], [0], [1], [["one"]]],
        [["A", 2], [0], [1], [["one"]], [0]],
        [["A", "B"], [0], [1], ["one"], [0]],
        [["A", "B"], [0], [1], [[None]], [0]],
        [["A", "B"], [0], [True], [["one"]], [0]],
        [["A", "B"], [0], [2], [["one"]], [0]],
        [["A", "B"], [0], [-1], [["one"]], [0]],
        [["A", "B"], [0], [1], [["one"]], [1]],
        [["A", "B"], [0], [1], [["one"]], [-1]],
        [["A", "B"], [0, 0], [1], [["one"]], [0]],
        [["A", "B"], [0], [1], [["one"]], [0, 0]],
        [["A", "B"], [0], [1], [["one"]], []],
    ],
    ids=str,
)
def test_columns_that_do_not_fit_together_are_refused(columns: object) -> None:
    with pytest.raises(InvalidMessage):
        expand(compact(pack(columns)), {})


@given(st.binary(max_size=60))
def test_any_bytes_are_edges_or_refused(data: bytes) -> None:
    with suppress(InvalidMessage):
        expand(compact(data), {})
