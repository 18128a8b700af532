"""The JSON Schema of a settings type accepts what coercion accepts, and any validator can read it."""

import json
import math
from dataclasses import dataclass, field, make_dataclass
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.control.settings_schema.declarations import Colour, Point, json_values, settings_types

from ezmsg.control.settings_schema.patching.coercion import coerced
from ezmsg.control.settings_schema.sources.annotations import shape_of
from ezmsg.control.settingsmeta import SettingsCoercionError, coerce_settings_field_value, settings_json_schema


def validator(cls: type) -> Any:
    schema = settings_json_schema(cls)
    assert schema is not None
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(json.loads(json.dumps(schema, allow_nan=False)))


def is_coerced(cls: type, value: Any) -> bool:
    try:
        coerced(shape_of(cls), value, "")
    except SettingsCoercionError:
        return False
    return True


@given(settings_types(), st.data())
def test_it_accepts_exactly_what_coercion_accepts(cls: Any, data: st.DataObject) -> None:
    names = st.sampled_from([*(each for each in cls.__dataclass_fields__), "other"])
    value = data.draw(st.dictionaries(names, json_values(), max_size=3) | json_values())
    assert validator(cls).is_valid(value) == is_coerced(cls, value)


@given(settings_types(), json_values())
def test_each_field_accepts_exactly_what_its_coercion_accepts(cls: Any, value: Any) -> None:
    whole = validator(cls)
    for name, schema in whole.schema["properties"].items():
        try:
            coerce_settings_field_value(cls, name, value)
        except SettingsCoercionError:
            accepted = False
        else:
            accepted = True
        assert whole.evolve(schema={**schema, "$defs": whole.schema.get("$defs", {})}).is_valid(value) == accepted


@given(st.lists(st.booleans(), min_size=1, max_size=3))
def test_required_fields_are_required(required: list[bool]) -> None:
    fields = [(f"f{n}", int) if each else (f"f{n}", int, field(default=1)) for n, each in enumerate(required)]
    cls = make_dataclass("Drawn", fields, kw_only=True)
    assert validator(cls).is_valid({}) == (not any(required)) == is_coerced(cls, {})


@dataclass
class Everything:
    """What the form shows first.

    And what it does not.
    """

    gain: float = field(
        default=1.0,
        metadata={"min": 0, "max": 5, "description": "Gain", "unit": "V", "step": 0.1, "widget": "knob"},
    )
    colour: Colour = Colour.RED
    point: Point = field(default_factory=Point)
    points: list[Point] = field(default_factory=list)
    missing: float = math.nan
    raw: bytes = b"x"
    own: object = object()
    computed: int = field(default=1, init=False)
    hook: "type[int]" = int


def not_finite(*names: str) -> dict[str, Any]:
    """The form of numbers that JSON has not."""
    return {
        "$comment": "the numbers that JSON has not",
        "type": "object",
        "properties": {"$number": {"enum": list(names)}},
        "required": ["$number"],
        "additionalProperties": False,
    }


def test_a_field_says_what_its_declaration_says() -> None:
    schema = validator(Everything).schema
    assert schema["title"] == "Everything"
    assert schema["description"] == "What the form shows first."
    assert schema["properties"] == {
        "gain": {
            "type": "number",
            "minimum": 0,
            "maximum": 5,
            "description": "Gain",
            "unit": "V",
            "step": 0.1,
            "widget": "knob",
            "default": 1.0,
        },
        "colour": {
            "anyOf": [
                {"enum": ["red", "blue"]},
                {"enum": ["RED", "BLUE"], "$comment": "the same members by their names"},
            ],
            "default": "red",
        },
        "point": {"$ref": "#/$defs/Point", "default": {"x": 0, "y": 0.5, "next": None}},
        "points": {"type": "array", "items": {"$ref": "#/$defs/Point"}, "default": []},
        "missing": {"anyOf": [{"type": "number"}, not_finite("nan", "inf", "-inf")], "default": {"$number": "nan"}},
        "raw": {
            "type": "object",
            "properties": {"$bytes": schema["properties"]["raw"]["properties"]["$bytes"]},
            "required": ["$bytes"],
            "additionalProperties": False,
            "default": {"$bytes": "eA=="},
        },
        "own": {},
        "hook": {"not": {}, "$comment": "a type, which JSON cannot hold"},
    }
    assert schema["$defs"]["Point"]["properties"]["next"]["anyOf"][0] == {"$ref": "#/$defs/Point"}


@pytest.mark.parametrize(
    ("metadata", "keywords"),
    [
        ({"min": 0, "max": 5}, {"minimum": 0, "maximum": 5}),
        ({"gt": 0, "lt": 5}, {"exclusiveMinimum": 0, "exclusiveMaximum": 5}),
        ({"ge": 0.5, "lt": math.inf}, {"minimum": 0.5}),
        ({"gt": 0, "min": 1}, {"minimum": 1}),
    ],
)
def test_bounds(metadata: dict[str, Any], keywords: dict[str, Any]) -> None:
    cls = make_dataclass("Drawn", [("a", float, field(metadata=metadata))])
    finite = {"type": "number", **keywords}
    said = validator(cls).schema["properties"]["a"]
    assert said == (finite if len(keywords) == 2 or "lt" in metadata else {"anyOf": [finite, not_finite("inf")]})


def test_a_type_that_holds_itself_refers_to_its_own_schema() -> None:
    assert settings_json_schema(Point)["properties"]["next"]["anyOf"][0] == {"$ref": "#"}  # type: ignore[index]
    assert validator(Point).is_valid({"next": {"next": {"x": 1}}})
    assert not validator(Point).is_valid({"next": {"next": {"x": "1"}}})


def test_types_of_one_name_are_told_apart() -> None:
    first = make_dataclass("Same", [("a", int)])
    second = make_dataclass("Same", [("b", int)])
    both = make_dataclass("Both", [("first", first), ("second", second)])
    assert validator(both).is_valid({"first": {"a": 1}, "second": {"b": 1}})
    assert not validator(both).is_valid({"first": {"b": 1}, "second": {"b": 1}})


@pytest.mark.parametrize("cls", [int, "text", None, 3, Colour, list[int]])
def test_what_is_no_settings_type_has_none(cls: Any) -> None:
    assert settings_json_schema(cls) is None
