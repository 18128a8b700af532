"""Graphs as drawings: every topic and edge is in it once, whatever the topics are called, and boxes close."""

import re
from collections import defaultdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ezmsg.control import GraphService
from ezmsg.control.errors import UnknownFormat
from ezmsg.control.rendering.compact import levels_up, without_relaying
from ezmsg.control.rendering.diagrams import draw
from ezmsg.protocol.graph.dag import DAG, CyclicException

Edges = list[tuple[str, str]]


def graph(*edges: tuple[str, str]) -> dict[str, set[str]]:
    made: defaultdict[str, set[str]] = defaultdict(set)
    for source, target in edges:
        made[source].add(target)
        made[target] |= set()
    return dict(made)


@st.composite
def dags(draw: st.DrawFn) -> dict[str, set[str]]:
    names = st.lists(st.text('AB"#`\\\n{}[]', min_size=1, max_size=2), min_size=1, max_size=3).map("/".join)
    dag = DAG()
    for source, target in draw(st.lists(st.tuples(names, names), max_size=12)):
        try:
            dag.add_edge(source, target)
        except CyclicException:
            continue
    return dict(dag.graph)


def reachable(edges: dict[str, set[str]], source: str) -> set[str]:
    seen: set[str] = set()
    waiting = [source]
    while waiting:
        for target in edges[waiting.pop()] - seen:
            seen.add(target)
            waiting.append(target)
    return seen


SMALL = graph(("A/X/OUT", "B/IN"), ("B/OUT", "C"), ("C", "C/D/IN"))


def test_mermaid() -> None:
    assert draw(SMALL, "mermaid").splitlines() == [
        "flowchart LR",
        '  subgraph box0 ["A"]',
        '    subgraph box1 ["X"]',
        '      topic0["OUT"]',
        "    end",
        "  end",
        '  subgraph box2 ["B"]',
        '    topic1["IN"]',
        '    topic2["OUT"]',
        "  end",
        '  topic3["C"]',
        '  subgraph box3 ["C"]',
        '    subgraph box4 ["D"]',
        '      topic4["IN"]',
        "    end",
        "  end",
        "  topic0 --> topic1",
        "  topic2 --> topic3",
        "  topic3 --> topic4",
    ]


def test_graphviz() -> None:
    assert draw(SMALL, "graphviz", "TB", levels=1).splitlines() == [
        "digraph ezmsg {",
        '  rankdir="TB";',
        "  subgraph cluster_0 {",
        '    label="A";',
        '    topic0 [label="X"];',
        "  }",
        '  topic1 [label="B"];',
        "  subgraph cluster_1 {",
        '    label="C";',
        '    topic2 [label="D"];',
        "  }",
        "  topic0 -> topic1;",
        "  topic1 -> topic2;",
        "}",
    ]


def test_another_form_is_refused() -> None:
    with pytest.raises(
        UnknownFormat, match=r"EZ-4003  A graph cannot be written as 'svg'\. Choose one of mermaid"
    ) as caught:
        draw({}, "svg")
    assert isinstance(caught.value, ValueError)


@given(dags())
def test_every_topic_and_edge_is_drawn_once_and_boxes_close(edges: dict[str, set[str]]) -> None:
    count = sum(map(len, edges.values()))
    mermaid = draw(edges, "mermaid").splitlines()
    assert len([line for line in mermaid if re.fullmatch(r' +topic\d+\["[^"]+"\]', line)]) == len(edges)
    assert len([line for line in mermaid if re.fullmatch(r"  topic\d+ --> topic\d+", line)]) == count
    opened = [line for line in mermaid if re.fullmatch(r' +subgraph box\d+ \["[^"]+"\]', line)]
    assert len(opened) == len([line for line in mermaid if line.strip() == "end"])
    assert len(mermaid) == 1 + len(edges) + count + 2 * len(opened)
    dot = draw(edges, "graphviz").splitlines()
    text = r'"(?:[^"\\]|\\.)+"'
    assert len([line for line in dot if re.fullmatch(rf" +topic\d+ \[label={text}\];", line)]) == len(edges)
    assert len([line for line in dot if re.fullmatch(r"  topic\d+ -> topic\d+;", line)]) == count
    assert sum(line.endswith("{") for line in dot) == sum(line.strip() == "}" for line in dot)


@given(dags())
def test_without_relaying_reaches_the_same(edges: dict[str, set[str]]) -> None:
    left, relaying = without_relaying(edges)
    fed = {target for following in edges.values() for target in following}
    assert relaying == sorted(topic for topic in fed if edges[topic])
    assert left.keys() == edges.keys() - set(relaying)
    for topic in left:
        assert left[topic] == reachable(edges, topic) - set(relaying)


@given(st.dictionaries(st.sampled_from("ABCD"), st.sets(st.sampled_from("ABCD"))))
def test_a_circle_breaks_no_picture(edges: dict[str, set[str]]) -> None:
    whole = {**{topic: set() for following in edges.values() for topic in following}, **edges}
    left, relaying = without_relaying(whole)
    assert left.keys() == whole.keys() - set(relaying)
    assert not set().union(*left.values()) & set(relaying)
    levels_up(whole, 2)
    draw(whole, "mermaid")


@pytest.mark.parametrize(
    ("levels", "expected"),
    [
        (0, SMALL),
        (1, graph(("A/X", "B"), ("B", "C"), ("C", "C/D"))),
        (2, graph(("A", "B"), ("B", "C"))),
        (9, graph(("A", "B"), ("B", "C"))),
    ],
)
def test_levels_up(levels: int, expected: dict[str, set[str]]) -> None:
    assert levels_up(SMALL, levels) == expected


NESTED = graph(
    ("TOP", "SYS/A/IN"),
    ("SYS/A/OUT", "SYS/C/INPUT"),
    ("SYS/C/INPUT", "SYS/C/U/IN"),
    ("SYS/C/U/OUT", "SYS/C/OUTPUT"),
    ("SYS/C/OUTPUT", "SYS/B/IN"),
)


@pytest.mark.parametrize(
    ("levels", "edges"),
    [
        (
            1,
            [
                *(("TOP", "SYS/A"), ("SYS/A", "SYS/C/INPUT"), ("SYS/C/INPUT", "SYS/C/U")),
                *(("SYS/C/U", "SYS/C/OUTPUT"), ("SYS/C/OUTPUT", "SYS/B")),
            ],
        ),
        (2, [("TOP", "SYS/A"), ("SYS/A", "SYS/C"), ("SYS/C", "SYS/B")]),
        (3, [("TOP", "SYS")]),
    ],
)
def test_a_collections_own_topics_stay_beside_its_units(levels: int, edges: list[tuple[str, str]]) -> None:
    up = levels_up(NESTED, levels)
    assert sorted((name, target) for name, following in up.items() for target in following) == sorted(edges)
    assert levels_up(NESTED, 0) == NESTED


async def test_a_service_draws_the_graph_of_its_server(server: object) -> None:
    service = GraphService(server.address)  # type: ignore[attr-defined]
    await service.connect("A/OUT", "B/IN")
    assert '"IN"' in await service.get_formatted_graph("mermaid")
    assert (await service.get_formatted_graph("graphviz", "TB", 1)).splitlines() == [
        "digraph ezmsg {",
        '  rankdir="TB";',
        '  topic0 [label="A"];',
        '  topic1 [label="B"];',
        "  topic0 -> topic1;",
        "}",
    ]
    with pytest.raises(ValueError, match="'svg'"):
        await service.get_formatted_graph("svg")
