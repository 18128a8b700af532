"""Collections: children of their own, topics, defaults."""

import warnings

import pytest

from ezmsg.core.graph.collection import Collection
from ezmsg.core.graph.settings import Settings
from ezmsg.core.graph.streams import InputStream, InputTopic, OutputStream, OutputTopic, Stream
from ezmsg.core.graph.unit import Unit


class Level(Settings):
    level: int = 0


class Leaf(Unit):
    SETTINGS = Level
    OUT = OutputStream(int)


class Pair(Collection):
    OUT = OutputTopic(int)
    FIRST = Leaf(1)
    SECOND = Leaf(2)


class Nested(Collection):
    PAIR = Pair()


def test_children_are_the_instances_own() -> None:
    first, second = Pair(), Pair()
    assert list(first.components) == ["FIRST", "SECOND"]
    assert first.FIRST is first.components["FIRST"]
    assert len({first.FIRST, second.FIRST, Pair.FIRST}) == 3
    first.FIRST.apply_settings(Level(9))
    assert (Level(1), Level(1)) == (second.FIRST.SETTINGS, Pair.FIRST.SETTINGS)


def test_addresses_reach_all_the_way_down() -> None:
    nested = Nested()
    nested._set_name("TOP")
    nested._set_location(["ROOT"])
    assert nested.PAIR.OUT.address == "ROOT/TOP/PAIR/OUT"
    assert nested.PAIR.SECOND.OUT.address == "ROOT/TOP/PAIR/SECOND/OUT"


def test_a_child_added_by_hand_gets_its_key_as_name() -> None:
    class Dynamic(Collection):
        def __init__(self, *args: object) -> None:
            super().__init__(*args)
            self._components["EXTRA"] = Leaf()

    dynamic = Dynamic()
    dynamic._set_name("D")
    dynamic._set_location([])
    assert dynamic.components["EXTRA"].address == "D/EXTRA"


def test_subclasses_add_and_replace_children() -> None:
    class Three(Pair):
        SECOND = Leaf(7)
        THIRD = Leaf(3)

    three = Three()
    assert [child.SETTINGS.level for child in three.components.values()] == [1, 7, 3]
    assert list(Pair.__components__) == ["FIRST", "SECOND"]


def test_defaults_of_the_hooks() -> None:
    pair = Pair()
    assert list(pair.network()) == []
    pair.configure()
    assert pair.process_components() == (pair,)
    assert (pair.tasks, pair.main, pair.threads) == ({}, None, {})


@pytest.mark.parametrize(
    ("stream", "advice"), [(InputStream(int), "InputTopic"), (OutputStream(int), "OutputTopic")]
)
def test_a_stream_on_a_collection_works_with_a_warning(stream: Stream, advice: str) -> None:
    with pytest.warns(FutureWarning, match=rf"Old\.T is an .*write {advice}") as caught:

        class Old(Collection):
            T = stream

    assert caught[0].filename == __file__
    assert list(Old().streams) == ["T"]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        type("Heir", (Old,), {"U": InputTopic(int)})
