"""The graph as a tree: what lies in what, in the order of the data; filters and what is left out."""

from tests.tui import states

from ezmsg.tui.model.filtering import fitting
from ezmsg.tui.model.tree import Shown, reach, tree_lines


def names(shown: Shown) -> list[str]:
    return [f"{'  ' * line.depth}{line.name}" for line in tree_lines(states.running(), shown)]


def test_everything_in_the_order_of_the_data() -> None:
    assert names(Shown()) == [
        "DEMO",
        "  GEN",
        "    OUTPUT",
        "  FILT",
        "    INPUT",
        "    OUTPUT",
        "  DECODE",
        "    INPUT",
        "    OUTPUT",
        "  LOG",
        "    INPUT",
    ]


def test_a_closed_part_hides_what_lies_in_it() -> None:
    (line,) = tree_lines(states.running(), Shown(closed=frozenset({"DEMO"})))

    assert (line.name, line.more, line.is_open) == ("DEMO", 4, False)


def test_what_fits_is_shown_with_all_that_it_lies_in() -> None:
    assert names(Shown(fits=fitting("butter"), hides_streams=True)) == ["DEMO", "  FILT"]
    assert names(Shown(fits=fitting("log"), hides_streams=True)) == ["DEMO", "  LOG"]
    assert names(Shown(fits=fitting("nothing"))) == []


def test_streams_say_what_flows_and_with_whom_they_are_joined() -> None:
    lines = {line.key: line for line in tree_lines(states.running(), Shown())}

    assert lines[states.GEN_OUT].peers == (states.FILT_IN, states.LOG_IN)
    assert round(lines[states.GEN_OUT].rate_hz or 0) == 1000
    assert lines[states.FILT_OUT].waits > 0.4
    assert lines[states.FILT_IN].peers == (states.GEN_OUT,)


def test_topics_that_nobody_describes_are_there_too() -> None:
    view = states.reduced(states.View(), [states.facts.GraphSeen(states.graph(more=[("LOOSE/OUT", "OTHER")]))])
    lines = {line.key: line for line in tree_lines(view, Shown())}

    assert lines["LOOSE/OUT"].peers == ("OTHER",)
    assert lines["LOOSE/OUT"].persistent
    assert "OTHER" in lines


def test_up_and_down_stream() -> None:
    picture = states.running().picture

    assert reach(picture, ["DEMO/GEN"], down=True) == {"DEMO/FILT", "DEMO/LOG", "DEMO/DECODE"}
    assert reach(picture, ["DEMO/DECODE"], down=False) == {"DEMO/FILT", "DEMO/GEN"}


def test_filters() -> None:
    assert fitting("")("anything")
    assert fitting("FILT out")("demo/filt/OUTPUT")
    assert not fitting("FILT !out")("demo/filt/OUTPUT")
    assert fitting("demo/*/in")("DEMO/FILT/INPUT")
    assert not fitting("demo/*/in")("DEMO/FILT/OUTPUT")
