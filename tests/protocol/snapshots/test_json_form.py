"""Plain values as JSON, and back: what JSON has not has a form of its own, which is read back as what it was."""

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ezmsg.protocol.snapshots.json_form import from_json_form, to_json_form
from ezmsg.protocol.wire.plain import PlainArray

ARRAYS = st.lists(st.binary(min_size=8, max_size=8)).map(
    lambda items: PlainArray("<f8", (len(items),), b"".join(items))
)
ATOMS = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary() | ARRAYS
NAMES = st.text().filter(lambda name: not name.startswith("$"))
VALUES = st.recursive(ATOMS, lambda inner: st.lists(inner) | st.dictionaries(NAMES, inner))


@given(VALUES)
def test_what_json_has_carried_is_what_it_was(value: Any) -> None:
    carried = json.loads(json.dumps(to_json_form(value), allow_nan=False))
    assert repr(from_json_form(carried)) == repr(value), "compared as text: NaN is equal to nothing"


@pytest.mark.parametrize("name", ["nan", "inf", "-inf"])
def test_a_number_that_json_has_not_is_no_text(name: str) -> None:
    assert to_json_form(float(name)) == {"$number": name}
    assert to_json_form(name) == name
    assert repr(from_json_form({"$number": name})) == name


@pytest.mark.parametrize("form", [{"$number": "seven"}, {"$number": "nan", "x": 1}, {"$bytes": 7}])
def test_what_is_no_form_of_ours_stays_as_it_is(form: Any) -> None:
    assert from_json_form(form) == form


def test_infinity_is_infinity() -> None:
    assert from_json_form([{"$number": "-inf"}]) == [-math.inf]
