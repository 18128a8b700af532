"""Graphs as text, snapshots as JSON: pure functions."""

import json
import math
from enum import Enum
from graphlib import CycleError, TopologicalSorter
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from ezmsg.control.rendering.flow import NOTHING_DESCRIBED, Described, described, ranks
from ezmsg.control.rendering.overview import overview_lines
from ezmsg.control.rendering.tree import tree_lines
from ezmsg.protocol.graph.dag import DAG
from ezmsg.protocol.model.metadata import (
    DynamicSettingsMetadata,
    GraphMetadata,
    InputStreamMetadata,
    TaskMetadata,
    UnitMetadata,
)
from ezmsg.protocol.model.snapshot import Edge, GraphSnapshot, SnapshotProcess, SnapshotSession
from ezmsg.protocol.snapshots.json_form import to_json_form
from ezmsg.protocol.wire.plain import PlainArray

SESSION, PROCESS = UUID(int=1), UUID(int=2)


def unit(**settings: object) -> UnitMetadata:
    return UnitMetadata(
        address="P/U",
        name="U",
        component_type="tests.U",
        settings_type="tests.S",
        initial_settings=(b"\x00\x01", settings),
        dynamic_settings=DynamicSettingsMetadata(True, "P/U/INPUT_SETTINGS", "tests.S"),
        settings_schema=None,
        streams={"IN": InputStreamMetadata("IN", "P/U/IN", "tests.M", leaky=True)},
        tasks=[TaskMetadata("work", "IN")],
        main=None,
        threads=[],
    )


def snapshot(**settings: object) -> GraphSnapshot:
    return GraphSnapshot(
        graph={"A": ["B"], "B": []},
        edge_owners={Edge("A", "B"): ["persistent"]},
        sessions={
            str(SESSION): SnapshotSession([Edge("A", "B")], GraphMetadata(1, "P", {"P/U": unit(**settings)}))
        },
        processes={PROCESS: SnapshotProcess(PROCESS, 7, "host", ["P/U"])},
        epoch=SESSION,
    )


def test_a_long_chain_needs_no_deep_stack() -> None:
    dag = DAG()
    for n in range(3000):
        dag.add_edge(f"{n}", f"{n + 1}", "session")
    lines = list(tree_lines(dag))
    assert len(lines) == 3001
    assert lines[1] == "-> 1"


def test_an_empty_graph_has_no_lines() -> None:
    assert not list(tree_lines(DAG()))


def test_what_comes_twice_is_spelt_out_once() -> None:
    dag = DAG()
    for edge in (("A", "B"), ("A", "C"), ("B", "D"), ("C", "D"), ("D", "E")):
        dag.add_edge(*edge, owner="session")
    dag.add_edge("C", "D")
    assert list(tree_lines(dag)) == [
        "A",
        "-> B",
        "   -> D",
        "      -> E",
        "-> C",
        "   -> D  (persistent)  (see above)",
    ]


def test_data_flows_down_the_lines_and_what_leads_nowhere_is_marked() -> None:
    dag = DAG()
    for edge in (("Z/OUT", "M/IN"), ("M/OUT", "A/IN"), ("M/OUT", "A/INPT"), ("A/OUT", "ELSEWHERE")):
        dag.add_edge(*edge, owner="session")
    streams = ("Z/OUT", "M/IN", "M/OUT", "A/IN", "A/OUT", "A/EXTRA", "A/INPUT_SETTINGS")
    known = Described({topic: topic[0] for topic in streams}, frozenset("ZMA"))
    assert list(tree_lines(dag, known)) == [
        "Z/OUT",
        "-> M/IN",
        "M/OUT",
        "-> A/IN",
        "-> A/INPT  (nowhere: A has no INPT)",
        "A/OUT",
        "-> ELSEWHERE",
        "A/EXTRA  (no edges)",
    ]
    assert described(snapshot()) == Described({"P/U/IN": "P/U"}, frozenset({"P/U"}))


@given(st.dictionaries(st.sampled_from("ABCDEF"), st.sets(st.sampled_from("ABCDEF"), max_size=3), max_size=6))
def test_every_unit_has_a_place_and_an_edge_that_is_in_no_circle_points_onwards(graph: dict[str, set[str]]) -> None:
    topics = {f"{start}/OUT": {f"{end}/OUT" for end in ends} for start, ends in graph.items()}
    placed = ranks(topics, NOTHING_DESCRIBED)
    assert sorted(placed.values()) == list(range(len(placed)))
    assert set(placed) == set(graph) | {end for ends in graph.values() for end in ends}
    for start, ends in graph.items():
        for end in ends - {start}:
            assert placed[start] < placed[end] or _circle(graph) is not None


def _circle(graph: dict[str, set[str]]) -> object:
    try:
        list(TopologicalSorter({node: ends - {node} for node, ends in graph.items()}).static_order())
    except CycleError as error:
        return error
    return None


def test_the_overview() -> None:
    assert list(overview_lines(snapshot())) == [
        "2 topics, 1 edge, 1 session, 1 process",
        f"session {SESSION}  1 edge, root P",
        "   P/U  tests.U",
        f"process {PROCESS}  pid 7 on host",
        "   P/U",
    ]


def test_a_snapshot_survives_json() -> None:
    class Mode(Enum):
        FAST = 1

    array = PlainArray("<f8", (1,), bytes(8))
    form = json.loads(
        json.dumps(
            to_json_form(
                snapshot(
                    mode=Mode.FAST,
                    nan=math.nan,
                    limits=(-math.inf, {3}),
                    array=array,
                    table={1: 2},
                    empty={},
                    odd=object,
                )
            ),
            allow_nan=False,
        )
    )
    assert form["epoch"] == str(SESSION)
    assert form["edge_owners"] == [["A", "B", ["persistent"]]]
    component = form["sessions"][str(SESSION)]["metadata"]["components"]["P/U"]
    assert component["kind"] == "Unit"
    assert component["streams"]["IN"]["kind"] == "InputStream"
    assert component["initial_settings"] == [
        {"$bytes": "AAE="},
        {
            "mode": "FAST",
            "nan": {"$number": "nan"},
            "limits": [{"$number": "-inf"}, [3]],
            "array": {"$array": "<f8", "shape": [1], "data": "AAAAAAAAAAA="},
            "table": {"1": 2},
            "empty": {},
            "odd": "<class 'object'>",
        },
    ]
    assert form["processes"][str(PROCESS)]["units"] == ["P/U"]
