"""Which units share a process: compared with the public package, and as properties over random trees."""

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ezmsg.core.errors import InvalidComponent
from ezmsg.core.graph.collection import Collection
from ezmsg.core.graph.component import Component
from ezmsg.core.graph.crawl import crawl_components
from ezmsg.core.graph.decorators import process
from ezmsg.core.graph.processes import group_by_process
from ezmsg.core.graph.unit import Unit


class Leaf(Unit):
    pass


@process
class Alone(Unit):
    pass


class Tree(Collection):
    """A collection whose children, and those that it separates, are given."""

    def __init__(self, separated: tuple[str, ...] = (), **children: Component) -> None:
        super().__init__()
        self._components.update(children)
        self.separated = separated

    def process_components(self) -> list[Component]:
        return [self.components[name] for name in self.separated]


def groups(listed: tuple[str, ...] = (), **roots: Component) -> list[list[str]]:
    for name, root in roots.items():
        root._set_name(name)
        root._set_location([])
    found = group_by_process(roots.values(), [roots[name] for name in listed])
    return [[unit.address for unit in group] for group in found]


def top() -> Tree:
    inner = {name: Tree(separated=("D",), D=Leaf(), REST=Leaf()) for name in "IJ"}
    return Tree(separated=("I", "A"), A=Leaf(), **inner)


def test_nothing_listed_is_one_process() -> None:
    assert groups(A=Leaf(), B=Tree(X=Leaf(), Y=Leaf()), C=Leaf()) == [["A", "B/X", "B/Y", "C"]]


def test_a_listed_collection_takes_along_what_it_does_not_separate() -> None:
    assert groups(TOP=top()) == [["TOP/J/REST"], ["TOP/A"], ["TOP/I/D"], ["TOP/I/REST"], ["TOP/J/D"]]


def test_the_first_that_is_listed_comes_first_if_all_are() -> None:
    expected = [["TOP/A"], ["TOP/I/D"], ["TOP/I/REST"], ["TOP/J/D"], ["TOP/J/REST"]]
    assert groups(("TOP",), TOP=top()) == expected
    assert groups(("TOP", "E"), TOP=top(), E=Leaf(), F=Leaf()) == [["F"], *expected, ["E"]]


def test_the_default_of_process_components_separates_nothing() -> None:
    class Plain(Collection):
        A = Leaf()
        B = Leaf()

    assert groups(C=Plain(), D=Leaf()) == [["C/A", "C/B", "D"]]


def test_only_the_collection_right_above_can_separate() -> None:
    inner = Tree(A=Leaf(), B=Leaf())
    outer = Tree(INNER=inner)
    outer.process_components = lambda: [inner.components["A"], Leaf()]  # type: ignore[method-assign]
    assert groups(C=outer) == [["C/INNER/A", "C/INNER/B"]]


def test_a_decorated_class_is_always_separate() -> None:
    assert groups(C=Tree(A=Alone(), B=Leaf()), F=Alone(), G=Leaf()) == [["C/B", "G"], ["C/A"], ["F"]]


def test_a_collection_without_units_has_no_process() -> None:
    assert groups(("C",), C=Tree(), D=Leaf()) == [["D"]]
    assert groups() == []


@pytest.mark.parametrize("wrong", [None, 3])
def test_what_is_not_a_collection_of_components_is_refused(wrong: Any) -> None:
    tree = Tree(A=Leaf())
    tree.process_components = lambda: wrong  # type: ignore[method-assign]
    with pytest.raises(InvalidComponent, match=r"C\.process_components\(\): .*\(self\.CHILD,\)"):
        groups(C=tree)


@st.composite
def trees(draw: st.DrawFn, depth: int = 3) -> Component:
    if depth == 0 or draw(st.booleans()):
        return draw(st.sampled_from([Leaf, Alone]))()
    children = {f"C{number}": draw(trees(depth=depth - 1)) for number in range(draw(st.integers(0, 3)))}
    separated = [name for name in children if draw(st.booleans())]
    return Tree(separated=tuple(separated), **children)


def units_of(component: Component) -> Iterator[str]:
    return (each.address for each in crawl_components(component) if isinstance(each, Unit))


@given(roots=st.lists(trees(), max_size=3), listed=st.lists(st.booleans(), min_size=3, max_size=3))
def test_every_unit_is_in_exactly_one_process(roots: list[Component], listed: list[bool]) -> None:
    named = {f"R{number}": root for number, root in enumerate(roots)}
    found = groups(tuple(name for name, yes in zip(named, listed, strict=False) if yes), **named)
    assert all(found)
    units = [address for group in found for address in group]
    assert sorted(units) == sorted(address for root in roots for address in units_of(root))
