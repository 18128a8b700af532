"""Changes of settings as a history: what differed, and what takes it back."""

from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ezmsg.control.errors import NothingToUndo
from ezmsg.control.graph.history import NOTHING, FieldChange, differences, histories, undoing
from ezmsg.protocol.model.settings import SettingsChangedEvent, SettingsEventType, SettingsSnapshotValue

UPDATED, REMOVED = SettingsEventType.SETTINGS_UPDATED, SettingsEventType.SETTINGS_REMOVED


def event(seq: int, value: dict[str, Any], kind: SettingsEventType = UPDATED, by: str | None = None) -> Any:
    settings = SettingsSnapshotValue(None, repr(value), value, None, seq)
    return SettingsChangedEvent(seq, kind, "F", 1000.0 + seq, None, None, settings, by)


def test_a_history_says_what_changed_and_who_did_it() -> None:
    changes = histories([event(1, {"a": 1, "b": 2}), event(2, {"a": 5, "b": 2}, by="tui@lab3")])["F"]

    assert [each.fields for each in changes] == [(), (FieldChange("a", 1, 5),)]
    assert [(each.revision, each.by, each.at) for each in changes] == [(1, None, 1001.0), (2, "tui@lab3", 1002.0)]


def test_the_last_change_is_taken_back_or_the_one_that_is_named() -> None:
    changes = histories([event(1, {"a": 1}), event(2, {"a": 2}), event(3, {"a": 3}), event(4, {"a": 3})])["F"]

    assert undoing(changes)[1] == {"a": 2}
    change, values = undoing(changes, 2)
    assert (change.revision, values) == (2, {"a": 1})


@pytest.mark.parametrize("events", [[], [event(1, {"a": 1})], [event(1, {"a": 1}), event(2, {"a": 1})]])
def test_without_a_change_there_is_nothing_to_undo(events: list[Any]) -> None:
    with pytest.raises(NothingToUndo, match="could be taken back"):
        undoing(histories(events).get("F", []))


def test_what_was_too_large_to_be_told_cannot_come_back() -> None:
    omitted = {"$omitted": "ndarray", "dtype": "<f8", "shape": [9], "digest": "x"}
    changes = histories([event(1, {"a": omitted}), event(2, {"a": [1.0]})])["F"]

    with pytest.raises(NothingToUndo, match="too large"):
        undoing(changes)


def test_a_key_that_came_is_told_where_it_can_be_set() -> None:
    assert list(differences({"d": {"x": 1}}, {"d": {"x": 1, "y": 2}})) == [
        FieldChange("d", {"x": 1}, {"x": 1, "y": 2})
    ]
    assert list(differences({"d": {"x": 1}}, {"d": {"x": 3}})) == [FieldChange("d.x", 1, 3)]
    assert list(differences({"a": 1}, {})) == [FieldChange("a", 1, NOTHING)]


def test_what_is_the_same_is_no_difference() -> None:
    assert list(differences({"a": float("nan"), "b": 1}, {"a": float("nan"), "b": 1.0})) == []
    assert list(differences({"a": True}, {"a": 1})) == [FieldChange("a", True, 1)]


def test_after_a_removal_a_component_begins_anew() -> None:
    changes = histories([event(1, {"a": 1}), event(2, {"a": 1}, REMOVED), event(3, {"a": 2})])["F"]

    assert (changes[1].fields, changes[2].fields) == ((), ())
    assert changes[1].kind is REMOVED


names = st.sampled_from(["a", "b", "c"])
leaves = st.none() | st.booleans() | st.integers(-3, 3) | st.text(max_size=3) | st.lists(st.integers(), max_size=2)
nested = st.recursive(leaves, lambda inner: st.dictionaries(names, inner, max_size=3), max_leaves=8)


@given(st.dictionaries(names, nested, max_size=3), st.dictionaries(names, nested, max_size=3))
def test_setting_what_was_before_makes_it_what_it_was(before: dict[str, Any], after: dict[str, Any]) -> None:
    made = deepcopy(after)
    for change in differences(before, after):
        *outer, last = change.path.split(".")
        place = made
        for name in outer:
            place = place[name]
        if change.before is NOTHING:
            del place[last]
        else:
            place[last] = change.before
    assert list(differences(before, made)) == []
