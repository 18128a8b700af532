"""States are mutable dataclasses that are made without arguments and filled field by field."""

from dataclasses import field

import pytest

from ezmsg.core.graph.state import State, fill_defaults, unset_fields


class Count(State):
    total: int
    seen: list[int] = field(default_factory=list)
    step: int = 1


class More(Count):
    extra: float


def test_a_fresh_state_has_its_defaults_and_nothing_else() -> None:
    state = Count()
    fill_defaults(state)
    assert (state.seen, state.step) == ([], 1)
    assert unset_fields(state) == ["total"]
    assert not hasattr(state, "total")


def test_the_constructor_takes_no_arguments() -> None:
    with pytest.raises(TypeError):
        Count(1)  # type: ignore[call-arg]


def test_each_state_has_a_default_of_its_own() -> None:
    first, second = Count(), Count()
    fill_defaults(first)
    fill_defaults(second)
    first.seen.append(1)
    assert second.seen == []


def test_what_is_assigned_stays() -> None:
    state = Count()
    state.seen = [7]
    fill_defaults(state)
    assert state.seen == [7]


def test_inherited_fields_count() -> None:
    state = More()
    fill_defaults(state)
    state.total = 0
    assert unset_fields(state) == ["extra"]
    state.extra = 0.5
    assert unset_fields(state) == []


def test_something_else_in_the_place_of_a_state_has_no_fields() -> None:
    fill_defaults(None)
    assert unset_fields(object()) == []
