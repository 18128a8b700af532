"""An address is made of a location and a name, each given once."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ezmsg.core.errors import AddressNotSet, NameAlreadySet
from ezmsg.core.graph.addressable import SEPARATOR, Addressable

PARTS = st.text(st.characters(exclude_characters=SEPARATOR), min_size=1, max_size=8)


@given(location=st.lists(PARTS, max_size=5), name=PARTS)
def test_an_address_can_be_taken_apart_again(location: list[str], name: str) -> None:
    thing = Addressable()
    thing._set_name(name)
    thing._set_location(location)
    assert (thing.location, thing.name) == (location, name)
    assert thing.address.split(SEPARATOR) == [*location, name]


def test_the_class_is_the_default_name_and_the_top_the_default_location() -> None:
    class Amplifier(Addressable):
        pass

    thing = Amplifier()
    thing._set_name()
    thing._set_location()
    assert thing.address == "Amplifier"


def test_a_location_is_kept_as_it_was_given() -> None:
    location = ["A"]
    thing = Addressable()
    thing._set_name("X")
    thing._set_location(location)
    location.append("B")
    assert thing.address == "A/X"


@pytest.mark.parametrize("part", ["name", "location", "address"])
def test_what_is_not_set_is_an_error_that_says_so(part: str) -> None:
    with pytest.raises(AddressNotSet, match="Addressable has no address yet") as caught:
        getattr(Addressable(), part)
    assert isinstance(caught.value, AssertionError)


def test_each_part_is_given_once() -> None:
    thing = Addressable()
    thing._set_name("X")
    thing._set_location(["A"])
    with pytest.raises(NameAlreadySet, match="A/X already has a name and cannot take 'Y'") as caught:
        thing._set_name("Y")
    assert isinstance(caught.value, AssertionError)
    with pytest.raises(NameAlreadySet, match="A/X already has a location and cannot take 'B/C'"):
        thing._set_location(["B", "C"])
    assert thing.address == "A/X"
