"""Which topic an end of an edge means, and what is refused there."""

import enum
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ezmsg.core.errors import InvalidComponent, InvalidEndpoint
from ezmsg.core.graph.endpoints import resolve_edges, resolve_endpoint
from ezmsg.core.graph.streams import InputStream, OutputStream
from ezmsg.core.graph.unit import Unit


class Topics(enum.Enum):
    SIGNAL = "a/value/that/counts/for/nothing"


class TextTopics(enum.StrEnum):
    SIGNAL = "another"


class Leaf(Unit):
    IN = InputStream(int)
    OUT = OutputStream(int)


def located(address: str) -> InputStream:
    *location, name = address.split("/")
    stream = InputStream(int)._bound(name)
    stream._set_location(location)
    return stream


ADDRESSES = st.lists(st.text("ABC", min_size=1, max_size=3), min_size=1, max_size=4).map("/".join)


@given(address=ADDRESSES)
def test_a_stream_and_its_address_mean_the_same(address: str) -> None:
    assert resolve_endpoint(located(address), "X") == resolve_endpoint(address, "X") == address


@given(pairs=st.lists(st.tuples(ADDRESSES, ADDRESSES)))
def test_edges_keep_their_order_and_number(pairs: list[tuple[str, str]]) -> None:
    assert resolve_edges(((located(first), second) for first, second in pairs), "X") == pairs


@pytest.mark.parametrize("member", [Topics.SIGNAL, TextTopics.SIGNAL])
def test_an_enum_member_means_its_name(member: enum.Enum) -> None:
    assert resolve_endpoint(member, "X") == "SIGNAL"


@pytest.mark.parametrize("endpoint", [None, 3, b"A/OUT", ("A", "B"), Topics, Leaf])
def test_anything_else_is_refused(endpoint: Any) -> None:
    with pytest.raises(InvalidEndpoint, match=r"ROOT/C\.network\(\) connects .* it is of type") as caught:
        resolve_endpoint(endpoint, "ROOT/C.network()")
    assert isinstance(caught.value, TypeError)


def test_a_component_is_told_which_streams_it_has() -> None:
    with pytest.raises(InvalidEndpoint, match=r"it is a component.*its streams are: IN, OUT"):
        resolve_endpoint(Leaf(), "connections")


@pytest.mark.parametrize("stream", [Leaf.OUT, InputStream(int), Leaf().OUT])
def test_a_stream_without_a_place_is_refused(stream: Any) -> None:
    with pytest.raises(InvalidEndpoint, match=r"it has no address; .*self\.CHILD\.OUTPUT"):
        resolve_endpoint(stream, "connections")


@pytest.mark.parametrize("edges", [None, 3])
def test_edges_have_to_be_many(edges: Any) -> None:
    with pytest.raises(InvalidComponent, match="it has to be pairs of streams"):
        resolve_edges(edges, "C.network()")


@pytest.mark.parametrize("edges", [("A", "B"), [("A",)], [("A", "B", "C")], [{"A", "B"}], ["AB"]])
def test_an_edge_has_two_ends(edges: Any) -> None:
    with pytest.raises(InvalidComponent, match=r"C\.network\(\): .* is not an edge"):
        resolve_edges(edges, "C.network()")
