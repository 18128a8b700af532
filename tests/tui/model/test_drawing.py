"""The drawn graph: boxes do not overlap, every wire reaches its box, wide characters keep their place."""

import re
from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from tests.tui import states

from ezmsg.protocol.model.snapshot import Edge
from ezmsg.tui.model.drawing import Marks, as_svg, as_text, cells
from ezmsg.tui.model.drawn import drawn, marks
from ezmsg.tui.model.filtering import fitting
from ezmsg.tui.model.layering import Drawing, Node, layout


def test_the_recorded_graph_is_drawn() -> None:
    view = states.running()
    found = drawn(view.picture, frozenset(), fitting(""), None)
    drawing = layout(found.nodes, found.steps)

    assert as_text(drawing, marks(view, found, "DEMO/FILT")) == (
        "                    ╭──────╮             ╭────────╮\n"
        "                 ┌─▶│ FILT │╶250 Hz─────▶│ DECODE │\n"
        "╭─────╮          │  ╰──────╯             ╰────────╯\n"
        "│ GEN │╶1000 Hz──┤\n"
        "╰─────╯          │  ╭──────╮\n"
        "                 └─▶│ LOG  │\n"
        "                    ╰──────╯\n"
    )


def test_colours_say_who_is_waited_for_and_what_is_up_and_down_stream() -> None:
    view = states.running()
    found = drawn(view.picture, frozenset(), fitting(""), None)
    written = marks(view, found, "DEMO/FILT")

    assert written.wires["DEMO/FILT", "DEMO/DECODE"] == "bad"
    assert written.wires["DEMO/GEN", "DEMO/FILT"] == "up"
    assert written.boxes == {
        "DEMO/GEN": "up",
        "DEMO/FILT": "chosen",
        "DEMO/DECODE": "down",
        "DEMO/LOG": "box",
    }


def test_a_closed_collection_is_one_box() -> None:
    view = states.running()
    found = drawn(view.picture, frozenset({"DEMO"}), fitting(""), None)

    assert [(node.key, node.text) for node in found.nodes] == [("DEMO", "DEMO (4)")]
    assert found.steps == ()


def test_of_a_graph_with_very_many_boxes_only_what_is_near_is_drawn() -> None:
    view = states.large(300)
    found = drawn(view.picture, frozenset(), fitting(""), "BIG/GROUP5/UNIT100")

    assert found.near == "BIG/GROUP5/UNIT100"
    assert {"BIG/GROUP5/UNIT101", "BIG/GROUP4/UNIT99"} <= set(found.units)
    assert len(found.nodes) <= 100


def test_an_image_needs_nothing_else_and_names_are_escaped() -> None:
    drawing = layout([Node("<A>&", "<A>&", ("O",)), Node("B", "B")], [("<A>&", "B", "O")])
    image = as_svg(drawing, Marks({("<A>&", "O"): "5 Hz"}))

    assert image.startswith("<svg ")
    assert "&lt;A&gt;&amp;" in image
    assert "5 Hz" in image
    assert "<A>" not in image


def test_nothing_and_one_are_graphs_too() -> None:
    assert layout([], []) == Drawing()
    assert as_text(layout([Node("A", "A")], []), Marks()) == "╭───╮\n│ A │\n╰───╯\n"
    assert "│ A │" in as_text(layout([Node("A", "A", ("O",))], [("A", "A", "O")]), Marks())


names = st.sampled_from(["A", "B", "C", "D", "E", "F", "日本", "é", "x" * 40, "\x1b[2J"])
nodes = st.lists(names, min_size=1, max_size=10, unique=True)


@given(nodes, st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=25))
def test_boxes_lie_apart_and_wires_reach_them(keys: list[str], pairs: list[tuple[int, int]]) -> None:
    steps = [(keys[a % len(keys)], keys[b % len(keys)], "O") for a, b in pairs]
    drawing = layout([Node(key, key, ("O",)) for key in keys], steps)

    assert set(drawing.boxes) == set(keys)
    for one, other in combinations(drawing.boxes.values(), 2):
        apart_x = one.x + one.width <= other.x or other.x + other.width <= one.x
        apart_y = one.y + one.height <= other.y or other.y + other.height <= one.y
        assert apart_x or apart_y
    for wire in drawing.wires:
        source, target = drawing.boxes[wire.source], drawing.boxes[wire.target]
        assert wire.points[0][1] in range(source.y, source.y + source.height)
        assert wire.points[-1][1] == target.entry_y
        for (x, y), (end_x, end_y) in zip(wire.points, wire.points[1:], strict=False):
            assert x == end_x or y == end_y
            assert min(x, y, end_x, end_y) >= 0
    for row in cells(drawing, Marks({(key, "O"): "1000 Hz" for key in keys})):
        text = "".join(character for character, _ in row)
        assert cell_len(text) == len(row)
        assert not re.search(r"[\x00-\x1f]", text)


@given(nodes, st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=25))
def test_without_a_cycle_every_wire_leads_to_the_right(keys: list[str], pairs: list[tuple[int, int]]) -> None:
    steps = [(keys[min(a, b)], keys[max(a, b)], "O") for a, b in pairs if a != b and max(a, b) < len(keys)]
    drawing = layout([Node(key, key, ("O",)) for key in keys], steps)

    for source, target, _ in steps:
        assert drawing.boxes[source].layer < drawing.boxes[target].layer


def test_flows_leave_out_what_only_hands_on() -> None:
    view = states.running()

    assert Edge(states.GEN_OUT, states.FILT_IN) in view.picture.flows
