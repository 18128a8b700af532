"""From components to a graph that can be run: order of the hooks, edges, errors before anything runs."""

import enum
from collections.abc import Iterable
from typing import Any

import pytest

from ezmsg.core.errors import InvalidComponent, InvalidEndpoint, NameAlreadySet, SettingsMissing
from ezmsg.core.graph.collection import Collection, NetworkDefinition
from ezmsg.core.graph.component import Component
from ezmsg.core.graph.crawl import crawl_components, resolve_graph
from ezmsg.core.graph.decorators import subscriber
from ezmsg.core.graph.settings import Settings
from ezmsg.core.graph.streams import InputStream, InputTopic, OutputStream, OutputTopic
from ezmsg.core.graph.unit import Unit


class Level(Settings):
    level: int


class Source(Unit):
    SETTINGS = Level
    OUT = OutputStream(int)


class Sink(Unit):
    IN = InputStream(int)


class Inner(Collection):
    SETTINGS = Level
    ENTRY = InputTopic(int)
    FIRST = Sink()
    SECOND = Sink()

    def network(self) -> NetworkDefinition:
        CALLS.append(f"network {self.address}")
        return ((self.ENTRY, self.FIRST.IN),)

    def process_components(self) -> tuple[Component, ...]:
        CALLS.append(f"process_components {self.address}")
        return (self.FIRST,)

    def configure(self) -> None:
        CALLS.append(f"configure {self.address}")


class Top(Collection):
    SOURCE = Source()
    I = Inner(1)  # noqa: E741
    J = Inner(2)
    EXIT = OutputTopic(int)

    def network(self) -> Iterable[Any]:
        CALLS.append(f"network {self.address}")
        yield self.SOURCE.OUT, self.I.ENTRY
        yield self.SOURCE.OUT, "OUTSIDE"
        yield self.SOURCE.OUT, self.EXIT

    def process_components(self) -> tuple[Component, ...]:
        CALLS.append(f"process_components {self.address}")
        return (self.I, self.SOURCE)

    def configure(self) -> None:
        CALLS.append(f"configure {self.address}")
        self.SOURCE.apply_settings(Level(9))


class Topics(enum.Enum):
    RESULT = 1


CALLS: list[str] = []


@pytest.fixture(autouse=True)
def _no_calls() -> None:
    CALLS.clear()


def test_hooks_are_called_in_the_public_packages_order() -> None:
    resolve_graph({"TOP": Top(), "ALSO": Inner(3)})
    assert [
        *("network TOP", "network TOP/J", "network TOP/I", "network ALSO"),
        *("process_components TOP", "process_components TOP/I"),
        *("process_components TOP/J", "process_components ALSO"),
        *("configure TOP", "configure TOP/J", "configure TOP/I", "configure ALSO"),
    ] == CALLS


def test_a_whole_graph() -> None:
    top = Top()
    graph = resolve_graph({"TOP": top}, root_name="R", connections=[(top.EXIT, Topics.RESULT), ("a", "b")])  # type: ignore[list-item]
    assert graph.root_name == "R"
    assert graph.roots == {"TOP": top}
    assert graph.edges == [
        ("R/TOP/EXIT", "RESULT"),
        ("a", "b"),
        ("R/TOP/SOURCE/OUT", "R/TOP/I/ENTRY"),
        ("R/TOP/SOURCE/OUT", "OUTSIDE"),
        ("R/TOP/SOURCE/OUT", "R/TOP/EXIT"),
        ("R/TOP/J/ENTRY", "R/TOP/J/FIRST/IN"),
        ("R/TOP/I/ENTRY", "R/TOP/I/FIRST/IN"),
    ]
    assert list(graph.components) == sorted(graph.components)
    assert list(graph.units) == [
        *("R/TOP/I/FIRST", "R/TOP/I/SECOND", "R/TOP/J/FIRST", "R/TOP/J/SECOND", "R/TOP/SOURCE"),
    ]
    assert Level(9) == graph.units["R/TOP/SOURCE"].SETTINGS
    assert [process.addresses for process in graph.processes] == [
        ["R/TOP/J/SECOND"],
        ["R/TOP/SOURCE"],
        ["R/TOP/I/FIRST"],
        ["R/TOP/I/SECOND"],
        ["R/TOP/J/FIRST"],
    ]


def test_one_process_if_forced() -> None:
    top = Top()
    graph = resolve_graph({"TOP": top}, process_components=(top,), force_single_process=True)
    (process,) = graph.processes
    assert [unit.name for unit in process.units] == ["SOURCE", "FIRST", "SECOND", "FIRST", "SECOND"]


def test_the_crawl_goes_down_and_takes_the_last_child_first() -> None:
    top, seen = Top(), []
    resolve_graph({"TOP": top})
    crawled = crawl_components(top, seen.append)
    assert crawled == seen
    assert [each.address for each in crawled] == [
        *("TOP", "TOP/J", "TOP/J/SECOND", "TOP/J/FIRST"),
        *("TOP/I", "TOP/I/SECOND", "TOP/I/FIRST", "TOP/SOURCE"),
    ]


def test_an_empty_program_is_an_empty_graph() -> None:
    graph = resolve_graph({})
    assert (graph.components, graph.edges, graph.processes) == ({}, [], [])
    assert resolve_graph({}, force_single_process=True).processes == []


def test_edges_are_gathered_before_anything_is_configured() -> None:
    class Late(Collection):
        SOURCE = Source()
        topics: tuple[str, str] = ("A", "B")

        def network(self) -> NetworkDefinition:
            return (self.topics,)

        def configure(self) -> None:
            self.topics = ("C", "D")
            self.SOURCE.apply_settings(Level(1))

    assert resolve_graph({"L": Late()}).edges == [("A", "B")]


class TestRefusals:
    def test_a_component_has_one_place(self) -> None:
        sink = Sink()
        with pytest.raises(NameAlreadySet, match="A already has a name and cannot take 'B'"):
            resolve_graph({"A": sink, "B": sink})
        with pytest.raises(NameAlreadySet, match="another instance"):
            resolve_graph({"C": sink})

    @pytest.mark.parametrize("wrong", [3, Sink, None])
    def test_only_components_make_a_graph(self, wrong: Any) -> None:
        with pytest.raises(InvalidComponent, match="X: a graph is made of Units and Collections"):
            resolve_graph({"X": wrong})

    def test_a_wrong_connection_is_refused_before_any_hook_runs(self) -> None:
        with pytest.raises(InvalidEndpoint, match="connections connects 3"):
            resolve_graph({"TOP": Top()}, connections=[("A", 3)])  # type: ignore[list-item]
        assert CALLS == []

    def test_a_wrong_edge_names_its_collection(self) -> None:
        class Wrong(Collection):
            SINK = Sink()

            def network(self) -> Any:
                return ((Wrong.SINK.IN, self.SINK.IN),)

        with pytest.raises(InvalidEndpoint, match=r"R/W\.network\(\) connects <InputStream IN of int>"):
            resolve_graph({"W": Wrong()}, root_name="R")

    def test_a_network_that_returns_nothing(self) -> None:
        class Wrong(Collection):
            def network(self) -> Any: ...

        with pytest.raises(InvalidComponent, match=r"W\.network\(\).*return \(\) if there are none"):
            resolve_graph({"W": Wrong()})

    def test_two_components_cannot_share_an_address(self) -> None:
        class Named(Sink):
            def __init__(self) -> None:
                super().__init__()
                self._set_name("X")

        class One(Collection):
            FIRST = Named()
            SECOND = Named()

        with pytest.raises(InvalidComponent, match="A/X: two components have this address"):
            resolve_graph({"A": One()})

    @pytest.mark.parametrize("name", ["", "a/b", "/", "half \ud800", 3, None])
    def test_what_cannot_be_addressed_is_no_name(self, name: Any) -> None:
        with pytest.raises(InvalidComponent, match="Sink: it cannot be named"):
            resolve_graph({name: Sink()} if name is not None else {b"x": Sink()})  # type: ignore[dict-item]

    def test_nor_is_it_a_root_or_a_topic(self) -> None:
        with pytest.raises(InvalidComponent, match="root_name: it cannot be named"):
            resolve_graph({"S": Sink()}, root_name="half \ud800")
        for topic in ("", "half \udfff"):
            with pytest.raises(InvalidEndpoint, match="whole characters"):
                resolve_graph({"S": Sink()}, connections=[(topic, "S/IN")])

    def test_a_class_in_the_place_of_a_component(self) -> None:
        with pytest.raises(InvalidComponent, match=r"A: .*this is a class; make a .* A=Sink\(\.\.\.\)"):
            resolve_graph({"A": Sink})  # type: ignore[dict-item]

    def test_an_init_that_does_not_call_its_bases(self) -> None:
        class Hasty(Sink):
            def __init__(self) -> None:
                self.mine = 1

        class Around(Collection):
            CHILD = Hasty()

        for component in (Hasty(), Around()):
            with pytest.raises(InvalidComponent, match=r"Hasty: its __init__.*super\(\)\.__init__"):
                resolve_graph({"A": component})

    def test_what_is_listed_for_a_process_without_an_effect_is_told(self, caplog: pytest.LogCaptureFixture) -> None:
        class Lists(Collection):
            CHILD = Inner(1)

            def process_components(self) -> Any:
                return (self, self.CHILD, self.CHILD.FIRST, Sink, "CHILD", type(self).CHILD)

        CALLS.clear()
        resolve_graph({"L": Lists()}, process_components=(Sink(),))
        said = [record.getMessage() for record in caplog.records if "has no effect" in record.getMessage()]
        assert len(said) == 5
        assert said[0].startswith("process_components lists Sink, which does not lie right inside")
        assert said[1].startswith("L.process_components() lists L/CHILD/FIRST, which does not lie right inside")
        assert "the class Sink; list what was made of it" in said[2]
        assert "'CHILD', which is no component" in said[3]

    def test_settings_that_nobody_gave_are_missed_before_the_start(self) -> None:
        with pytest.raises(SettingsMissing, match="R/S has no settings, and Level cannot be made"):
            resolve_graph({"S": Source()}, root_name="R")

    def test_a_unit_with_a_setup_of_its_own_may_find_its_settings_there(self) -> None:
        class Own(Source):
            async def setup(self) -> None:
                self.apply_settings(Level(1))
                await super().setup()

        assert list(resolve_graph({"O": Own()}).units) == ["O"]

    def test_a_task_that_means_no_stream_of_its_unit_is_reported(self, caplog: pytest.LogCaptureFixture) -> None:
        class Lost(Unit):
            @subscriber(InputStream(int))
            async def run(self, message: int) -> None: ...

        resolve_graph({"L": Lost()})
        assert "L:run is joined to <InputStream without a name of int>" in caplog.text
