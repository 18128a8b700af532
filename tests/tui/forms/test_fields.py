"""From schema to form: which editor each field has, what typed texts mean, and what a slider does."""

import math
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.tui import states

from ezmsg.control.settingsmeta import settings_schema_from_type, settings_structured_value
from ezmsg.protocol.model.settings import SettingsSnapshotValue
from ezmsg.tui.forms.fields import Editor, Field, Form, form
from ezmsg.tui.forms.staging import NotThis, Scale, Staged, complain, difference, scale, stage, typed, unstage


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


@dataclass
class Wide:
    speed: float = field(default=10.0, metadata={"min": 0.1, "max": 1000.0})
    count: int = 3
    colours: list[Literal["a", "b"]] = field(default_factory=list)
    colour: Colour = Colour.RED
    many: Literal["1", "2", "3", "4", "5", "6", "7"] = "1"
    maybe: bool | None = None
    anything: Any = None
    raw: bytes = b"x"
    日本語: str = "値"


def made(value: Any, tunable: bool = True) -> Form:
    snapshot = SettingsSnapshotValue(
        None, "x", settings_structured_value(value), settings_schema_from_type(type(value)), 3
    )
    return form("U", snapshot, tunable=tunable)


def fields_of(value: SettingsSnapshotValue, tunable: bool = True) -> dict[str, Field]:
    return {each.path: each for each in form("DEMO/FILT", value, tunable=tunable).fields}


def test_each_kind_of_field_has_its_editor() -> None:
    fields = fields_of(states.settings_value())

    assert {path: each.editor for path, each in fields.items()} == {
        "cutoff": Editor.SLIDER,
        "order": Editor.SLIDER,
        "kind": Editor.RADIO,
        "enabled": Editor.SWITCH,
        "label": Editor.TEXT,
        "gain": Editor.NUMBER,
        "notch.frequency": Editor.SLIDER,
        "notch.width": Editor.NUMBER,
        "taps": Editor.DATA,
        "limit": Editor.NUMBER,
        "extra": Editor.DATA,
    }
    assert (fields["cutoff"].unit, fields["cutoff"].allows) == ("Hz", "0.1 .. 500")
    assert fields["notch.frequency"].section == "notch"
    assert fields["limit"].optional


def test_other_kinds_of_fields() -> None:
    editors = {each.path: each.editor for each in made(Wide()).fields}

    assert editors["speed"] is Editor.SLIDER
    assert editors["count"] is Editor.WHOLE
    assert editors["colours"] is Editor.SEVERAL
    assert editors["colour"] is Editor.RADIO
    assert editors["many"] is Editor.SELECT
    assert editors["maybe"] is Editor.SWITCH
    assert editors["anything"] is Editor.DATA
    assert editors["raw"] is Editor.DATA
    assert editors["日本語"] is Editor.TEXT


def test_what_takes_no_settings_is_only_read_and_says_why() -> None:
    fixed = made(Wide(), tunable=False)

    assert {each.editor for each in fixed.fields} == {Editor.FIXED}
    assert "INPUT_SETTINGS" in fixed.reason
    bare = form("U", SettingsSnapshotValue(None, "Settings()", None, None), tunable=True)
    assert "no fields that are described" in bare.reason


def test_what_is_too_large_is_not_edited() -> None:
    omitted = {"$omitted": "ndarray", "dtype": "<f8", "shape": [100000], "digest": "d"}
    fields = fields_of(states.settings_value(taps=omitted))

    assert fields["taps"].editor is Editor.FIXED
    assert "too large" in fields["taps"].reason


def test_a_thousand_fields_are_a_form() -> None:
    value = {f"field_{number}": float(number) for number in range(1000)}
    made_of = form("U", SettingsSnapshotValue(None, value, value, None, 0), tunable=True)

    assert len(made_of.fields) == 1000
    assert made_of.fields[0].editor is Editor.NUMBER


@pytest.mark.parametrize(
    ("path", "text", "value"),
    [
        ("cutoff", "60", 60.0),
        ("order", "6", 6),
        ("kind", "bessel", "bessel"),
        ("label", " two words ", " two words "),
        ("gain", "-1e3", -1000.0),
        ("limit", "", None),
        ("limit", "2.5", 2.5),
        ("taps", "[1, 2.5]", [1, 2.5]),
        ("extra", '{"b": null}', {"b": None}),
        ("gain", '{"$number": "nan"}', None),
    ],
)
def test_what_is_typed_becomes_a_value(path: str, text: str, value: Any) -> None:
    each = fields_of(states.settings_value())[path]
    if text.startswith('{"$'):
        with pytest.raises(NotThis):
            typed(each, text)
        return
    assert typed(each, text) == value
    assert type(typed(each, text)) is type(value)


@pytest.mark.parametrize(
    ("path", "text", "complaint"),
    [
        ("cutoff", "900", "must be 0.1 .. 500"),
        ("cutoff", "nan", "must be 0.1 .. 500"),
        ("cutoff", "fast", "wants a number"),
        ("order", "2.5", "wants a whole number"),
        ("order", "13", "must be 1 .. 12"),
        ("kind", "x", "choose one of butter, cheby1, bessel"),
        ("taps", "[1,", "wants JSON"),
    ],
)
def test_what_a_field_does_not_allow_is_complained_of(path: str, text: str, complaint: str) -> None:
    with pytest.raises(NotThis, match=complaint):
        typed(fields_of(states.settings_value())[path], text)


def test_what_is_staged_is_what_differs() -> None:
    fields = fields_of(states.settings_value())
    staged = stage(stage(Staged(), fields["cutoff"], 60.0), fields["order"], 6)

    assert difference(fields, staged) == ["cutoff   40.0 -> 60.0 Hz", "order   4 -> 6"]
    assert not stage(stage(Staged(), fields["order"], 6), fields["order"], 4)
    assert staged.values == {"cutoff": 60.0, "order": 6}
    refused = complain(staged, "cutoff", "no")
    assert refused.values == staged.values
    assert stage(refused, fields["cutoff"], 70.0).complaints == {}
    assert unstage(refused, "cutoff") == Staged({"order": 6})


def test_a_slider_goes_in_steps_within_its_bounds() -> None:
    made_of = scale(fields_of(states.settings_value())["order"])

    assert made_of.moved(4, 1) == 5
    assert made_of.moved(12, 10) == 12
    assert (made_of.at(0.0), made_of.at(1.0)) == (1, 12)
    assert isinstance(made_of.at(0.5), int)


def test_bounds_far_apart_are_on_a_logarithmic_scale() -> None:
    made_of = scale({each.path: each for each in made(Wide()).fields}["speed"])

    assert made_of.is_log
    assert made_of.at(0.5) == pytest.approx(10.0)
    assert made_of.moved(10.0, 10) == pytest.approx(25.1, rel=0.01)


bounds = st.tuples(st.floats(-1e6, 1e6), st.floats(1e-6, 1e6)).map(lambda each: (each[0], each[0] + each[1]))


@given(bounds, st.floats(1e-6, 1e3), st.floats(-1e7, 1e7), st.integers(-20, 20), st.floats(-1, 2))
def test_no_slider_leaves_its_bounds(
    ends: tuple[float, float], step: float, number: float, steps: int, share: float
) -> None:
    made_of = Scale(*ends, step)
    for value in (made_of.at(share), made_of.moved(number, steps)):
        assert ends[0] - 1e-9 * abs(ends[0]) <= value <= ends[1] + 1e-9 * abs(ends[1])
        assert math.isfinite(value)
    assert 0 <= made_of.share(number) <= 1
