"""Relays: what they are declared with, how edges lead over them, and which process runs them."""

import pickle
from collections.abc import Callable
from dataclasses import fields
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import ezmsg.core as ez
from ezmsg.core.errors import InvalidComponent, InvalidOption
from ezmsg.core.graph.crawl import ResolvedGraph, resolve_graph
from ezmsg.core.graph.endpoints import Edge, lead_over_relays
from ezmsg.core.graph.relays import ResolvedRelay, resolve_relay
from ezmsg.protocol.errors import CyclicException


class Source(ez.Unit):
    OUT = ez.OutputStream(int)


class Sink(ez.Unit):
    IN = ez.InputStream(int)


class Network(ez.Collection):
    """A collection with one relay of the given kind, whose edges are given."""

    SOURCE = Source()
    SINK = Sink()

    def __init__(self, edges: Callable[[Any], Any] = lambda _: ()) -> None:
        super().__init__()
        self._edges = edges

    def network(self) -> Any:
        return self._edges(self)


class Entered(Network):
    R = ez.InputRelay(int)


class Left(Network):
    R = ez.OutputRelay(int)


class Both(Network):
    R = ez.Relay(int)


class Separating(ez.Collection):
    """Separates all its units, so that its relays are alone."""

    I = ez.InputRelay(int)  # noqa: E741
    O = ez.OutputRelay(int)  # noqa: E741
    SOURCE = Source()
    SINK = Sink()

    def network(self) -> ez.NetworkDefinition:
        return ((self.I, self.SINK.IN), (self.SOURCE.OUT, self.O))

    def process_components(self) -> tuple[ez.Component, ...]:
        return (self.SOURCE, self.SINK)


class Passing(ez.Collection):
    """Has relays only, one behind the other."""

    I = ez.InputRelay(int)  # noqa: E741
    O = ez.OutputRelay(int)  # noqa: E741

    def network(self) -> ez.NetworkDefinition:
        return ((self.I, self.O),)


class Outer(ez.Collection):
    I = ez.InputRelay(int)  # noqa: E741
    SEPARATING = Separating()
    PASSING = Passing()
    SINK = Sink()

    def network(self) -> ez.NetworkDefinition:
        return ((self.I, self.SEPARATING.I), (self.SEPARATING.O, self.PASSING.I), (self.PASSING.O, self.SINK.IN))


class SeparatingOuter(Outer):
    def process_components(self) -> tuple[ez.Component, ...]:
        return (self.SEPARATING, self.PASSING)


def edges(graph: ResolvedGraph) -> set[Edge]:
    return set(graph.edges)


def placed(graph: ResolvedGraph) -> list[list[str]]:
    return [process.addresses for process in graph.processes]


class TestDeclarations:
    @pytest.mark.parametrize("kind", [ez.Relay, ez.InputRelay, ez.OutputRelay])
    def test_a_unit_has_none(self, kind: Any) -> None:
        with pytest.raises(
            InvalidComponent, match=rf"Wrong: R is of type {kind.__name__}.*on a Collection"
        ) as caught:
            type("Wrong", (ez.Unit,), {"R": kind(int)})
        assert isinstance(caught.value, TypeError)

    @pytest.mark.parametrize(
        ("kind", "options"),
        [
            (ez.Relay, {"max_queue": 0}),
            (ez.Relay, {"num_buffers": 0}),
            (ez.InputRelay, {"max_queue": -1}),
            (ez.OutputRelay, {"port": 2**16}),
            (ez.OutputRelay, {"buf_size": 0}),
        ],
    )
    def test_an_option_out_of_range_is_refused(self, kind: Any, options: dict[str, int]) -> None:
        (option,) = options
        with pytest.raises(InvalidOption, match=option):
            kind(int, **options)

    def test_its_options_are_those_after_configure(self) -> None:
        class Configured(Entered):
            def configure(self) -> None:
                self.R.leaky = True
                self.R.max_queue = 3
                self.R.copy_on_forward = False

        ((process),) = resolve_graph({"C": Configured()}).processes
        (relay,) = process.relays
        assert (relay.leaky, relay.max_queue, relay.copy_on_forward) == (True, 3, False)

    def test_it_resolves_to_plain_data(self) -> None:
        relay = ez.Relay(Source, True, 4, "localhost", 3, 5, 6, True, False)._bound("NAME")
        relay._set_location(["ROOT", "C"])
        resolved = resolve_relay(relay)
        assert resolved == ResolvedRelay(
            address="ROOT/C/NAME",
            group="ROOT/C/__relays__/NAME",
            input_topic="ROOT/C/__relays__/NAME/INPUT",
            output_topic="ROOT/C/__relays__/NAME/OUTPUT",
            at_exit=False,
            leaky=True,
            max_queue=4,
            host="localhost",
            port=3,
            num_buffers=5,
            buf_size=6,
            force_tcp=True,
            copy_on_forward=False,
        )
        assert pickle.loads(pickle.dumps(resolved)) == resolved
        assert {type(getattr(resolved, each.name)) for each in fields(resolved)} == {str, bool, int}


class TestEdges:
    """As the public package has them, found by running it."""

    @pytest.mark.parametrize("by_name", [False, True])
    def test_at_an_entrance(self, by_name: bool) -> None:
        source = Source()
        top = Entered(lambda own: (("C/R" if by_name else own.R, own.SINK.IN),))
        graph = resolve_graph({"C": top, "S": source}, connections=[(source.OUT, "C/R" if by_name else top.R)])
        assert edges(graph) == {
            ("S/OUT", "C/R"),
            ("C/R", "C/__relays__/R/INPUT"),
            ("C/__relays__/R/OUTPUT", "C/SINK/IN"),
        }

    @pytest.mark.parametrize("by_name", [False, True])
    def test_at_an_exit(self, by_name: bool) -> None:
        sink = Sink()
        top = Left(lambda own: ((own.SOURCE.OUT, "C/R" if by_name else own.R),))
        graph = resolve_graph({"C": top, "S": sink}, connections=[("C/R" if by_name else top.R, sink.IN)])
        assert edges(graph) == {
            ("C/SOURCE/OUT", "C/__relays__/R/INPUT"),
            ("C/__relays__/R/OUTPUT", "C/R"),
            ("C/R", "S/IN"),
        }

    def test_a_relay_of_no_direction_leads_as_an_entrance(self) -> None:
        top = Both(lambda own: ((own.SOURCE.OUT, own.R), (own.R, own.SINK.IN)))
        assert edges(resolve_graph({"C": top})) == {
            ("C/SOURCE/OUT", "C/R"),
            ("C/R", "C/__relays__/R/INPUT"),
            ("C/__relays__/R/OUTPUT", "C/SINK/IN"),
        }

    @pytest.mark.parametrize("kind", [Entered, Both])
    def test_who_hears_an_entrance_from_outside_hears_what_was_relayed(self, kind: type[Network]) -> None:
        top, source, sink = kind(), Source(), Sink()
        graph = resolve_graph(
            {"C": top, "A": source, "B": sink}, connections=[(source.OUT, top.R), (top.R, sink.IN)]
        )
        assert edges(graph) == {
            ("A/OUT", "C/R"),
            ("C/R", "C/__relays__/R/INPUT"),
            ("C/__relays__/R/OUTPUT", "B/IN"),
        }

    def test_one_that_nobody_connects_is_joined_to_its_address_all_the_same(self) -> None:
        graph = resolve_graph({"E": Entered(), "L": Left(), "B": Both()}, root_name="R")
        assert edges(graph) == {
            ("R/E/R", "R/E/__relays__/R/INPUT"),
            ("R/L/__relays__/R/OUTPUT", "R/L/R"),
            ("R/B/R", "R/B/__relays__/R/INPUT"),
        }

    def test_from_relay_to_relay_through_nested_collections(self) -> None:
        assert edges(resolve_graph({"T": Outer()})) == {
            ("T/I", "T/__relays__/I/INPUT"),
            ("T/__relays__/I/OUTPUT", "T/SEPARATING/I"),
            ("T/SEPARATING/I", "T/SEPARATING/__relays__/I/INPUT"),
            ("T/SEPARATING/__relays__/I/OUTPUT", "T/SEPARATING/SINK/IN"),
            ("T/SEPARATING/SOURCE/OUT", "T/SEPARATING/__relays__/O/INPUT"),
            ("T/SEPARATING/__relays__/O/OUTPUT", "T/SEPARATING/O"),
            ("T/SEPARATING/O", "T/PASSING/I"),
            ("T/PASSING/I", "T/PASSING/__relays__/I/INPUT"),
            ("T/PASSING/__relays__/I/OUTPUT", "T/PASSING/__relays__/O/INPUT"),
            ("T/PASSING/__relays__/O/OUTPUT", "T/PASSING/O"),
            ("T/PASSING/O", "T/SINK/IN"),
        }

    def test_messages_cannot_go_round_over_relays(self) -> None:
        top = Outer()
        with pytest.raises(CyclicException) as caught:
            resolve_graph({"T": top}, connections=[(top.PASSING.O, top.PASSING.I)])
        assert {caught.value.from_topic, caught.value.to_topic} == {"T/PASSING/I", "T/PASSING/O"}
        with pytest.raises(CyclicException, match="C/R -> C/R would close a cycle"):
            resolve_graph({"C": Both(lambda own: ((own.R, own.R),))})


class TestProcesses:
    def test_it_runs_with_the_units_that_its_collection_does_not_separate(self) -> None:
        assert placed(resolve_graph({"C": Entered(), "S": Sink()})) == [["C/SOURCE", "C/SINK", "S", "C/R"]]
        top = Entered()
        assert placed(resolve_graph({"C": top, "S": Sink()}, process_components=(top,))) == [
            ["S"],
            ["C/SOURCE", "C/SINK", "C/R"],
        ]

    def test_relays_alone_have_a_process(self) -> None:
        graph = resolve_graph({"T": SeparatingOuter()})
        assert placed(graph) == [
            ["T/SINK", "T/I"],
            ["T/SEPARATING/SOURCE"],
            ["T/SEPARATING/SINK"],
            ["T/SEPARATING/I", "T/SEPARATING/O"],
            ["T/PASSING/I", "T/PASSING/O"],
        ]
        assert not any(process.endless for process in graph.processes)

    def test_the_callers_process_runs_those_of_a_collection_that_nobody_listed(self) -> None:
        graph = resolve_graph({"T": Separating()})
        assert placed(graph) == [["T/I", "T/O"], ["T/SOURCE"], ["T/SINK"]]
        assert not any(process.endless for process in graph.processes)

    def test_one_process_if_forced(self) -> None:
        (process,) = resolve_graph({"T": SeparatingOuter()}, force_single_process=True).processes
        assert [unit.address for unit in process.units] == ["T/SINK", "T/SEPARATING/SOURCE", "T/SEPARATING/SINK"]
        assert len(process.relays) == 5

    def test_a_program_of_relays_alone_is_not_done_by_itself(self) -> None:
        top = Passing()
        graph = resolve_graph({"P": Passing(), "Q": top}, process_components=(top,))
        assert placed(graph) == [["P/I", "P/O"], ["Q/I", "Q/O"]]
        assert all(process.endless for process in graph.processes)


# --- properties of edges over relays ------------------------------------------------------------------------

TOPICS = [f"T{number}" for number in range(6)]


def resolved(name: str, at_exit: bool) -> ResolvedRelay:
    relay = (ez.OutputRelay if at_exit else ez.InputRelay)(int)._bound(name)
    relay._set_location([])
    return resolve_relay(relay)


RELAYS = st.dictionaries(st.sampled_from(TOPICS), st.booleans(), min_size=1).map(
    lambda kinds: [resolved(name, at_exit) for name, at_exit in kinds.items()]
)
FORWARD = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)).filter(lambda ends: ends[0] < ends[1])).map(
    lambda pairs: [(TOPICS[first], TOPICS[second]) for first, second in pairs]
)


@given(given_edges=FORWARD, relays=RELAYS)
def test_every_way_over_a_relay_crosses_its_bridge(given_edges: list[Edge], relays: list[ResolvedRelay]) -> None:
    led = lead_over_relays(given_edges, relays)
    for relay in relays:
        behind = {to_topic for from_topic, to_topic in led if from_topic == relay.address}
        before = {from_topic for from_topic, to_topic in led if to_topic == relay.address}
        if relay.at_exit:
            assert before == {relay.output_topic}
        else:
            assert behind == {relay.input_topic}
        assert relay.input_topic not in {from_topic for from_topic, _ in led}
        assert relay.output_topic not in {to_topic for _, to_topic in led}


@given(given_edges=FORWARD, relays=RELAYS)
def test_but_for_the_bridges_the_edges_are_those_that_were_given(
    given_edges: list[Edge], relays: list[ResolvedRelay]
) -> None:
    node = {topic: relay.address for relay in relays for topic in (relay.input_topic, relay.output_topic)}
    led = [
        (node.get(first, first), node.get(second, second))
        for first, second in lead_over_relays(given_edges, relays)
    ]
    assert led == given_edges + [(relay.address, relay.address) for relay in relays]


@given(given_edges=FORWARD.filter(bool), relays=RELAYS, data=st.data())
def test_a_way_back_is_refused(given_edges: list[Edge], relays: list[ResolvedRelay], data: st.DataObject) -> None:
    first, second = data.draw(st.sampled_from(given_edges))
    with pytest.raises(CyclicException):
        lead_over_relays([*given_edges, (second, first)], relays)


@given(given_edges=st.lists(st.tuples(st.sampled_from(TOPICS), st.sampled_from(TOPICS))))
def test_without_relays_edges_are_left_to_the_server(given_edges: list[Edge]) -> None:
    assert lead_over_relays(given_edges, []) == given_edges
