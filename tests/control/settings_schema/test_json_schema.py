"""The JSON Schema of a settings type accepts what coercion accepts, and any validator can read it."""

import enum
import json
import math
from dataclasses import dataclass, field, make_dataclass
from typing import Any, Literal

import jsonschema
import pydantic
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


def has_form_for_programs(value: Any) -> bool:
    """Whether there may be a member's name in a value, which coercion takes, and the schema leaves out."""
    if isinstance(value, list):
        return any(map(has_form_for_programs, value))
    if isinstance(value, dict):
        return any(map(has_form_for_programs, [*value, *value.values()]))
    return value in ("RED", "BLUE", "LOW", "HIGH")


@given(settings_types(), st.data())
def test_it_accepts_what_coercion_accepts(cls: Any, data: st.DataObject) -> None:
    names = st.sampled_from([*(each for each in cls.__dataclass_fields__), "other"])
    value = data.draw(st.dictionaries(names, json_values(), max_size=3) | json_values())
    valid, taken = validator(cls).is_valid(value), is_coerced(cls, value)
    assert valid == taken or (taken and has_form_for_programs(value))


@given(settings_types(), json_values())
def test_each_field_accepts_what_its_coercion_accepts(cls: Any, value: Any) -> None:
    whole = validator(cls)
    for name, schema in whole.schema["properties"].items():
        try:
            coerce_settings_field_value(cls, name, value)
        except SettingsCoercionError:
            accepted = False
        else:
            accepted = True
        valid = whole.evolve(schema={**schema, "$defs": whole.schema.get("$defs", {})}).is_valid(value)
        assert valid == accepted or (accepted and has_form_for_programs(value))


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


def test_a_field_says_what_its_declaration_says() -> None:
    schema = validator(Everything).schema
    assert schema["title"] == "Everything"
    assert schema["description"] == "What the form shows first."
    assert schema["properties"] == {
        "gain": {
            "title": "Gain",
            "type": "number",
            "minimum": 0,
            "maximum": 5,
            "description": "Gain",
            "unit": "V",
            "step": 0.1,
            "widget": "knob",
            "default": 1.0,
        },
        "colour": {"title": "Colour", "type": "string", "enum": ["red", "blue"], "default": "red"},
        "point": {"$ref": "#/$defs/Point", "default": {"x": 0, "y": 0.5, "next": None}},
        "points": {"title": "Points", "type": "array", "items": {"$ref": "#/$defs/Point"}, "default": []},
        "missing": {
            "title": "Missing",
            "anyOf": [
                {"type": "number"},
                {
                    "$comment": "the numbers that JSON has not",
                    "type": "object",
                    "properties": {"$number": {"enum": ["nan", "inf", "-inf"]}},
                    "required": ["$number"],
                    "additionalProperties": False,
                },
            ],
            "default": {"$number": "nan"},
        },
        "raw": {
            "title": "Raw",
            "type": "object",
            "properties": {"$bytes": schema["properties"]["raw"]["properties"]["$bytes"]},
            "required": ["$bytes"],
            "additionalProperties": False,
            "default": {"$bytes": "eA=="},
        },
        "own": {"title": "Own"},
        "hook": {"title": "Hook", "not": {}, "$comment": "a type, which JSON cannot hold"},
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
    assert validator(cls).schema["properties"]["a"] == {"title": "A", "type": "number", **keywords}


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


class Mode(enum.Enum):
    FAST = "fast"
    SLOW = "slow"


@dataclass
class Window:
    dur: float = 1.0
    shift: float | None = None


@dataclass
class ForForms:
    """My settings."""

    n_ch: int
    cut_off: float = 4.0
    mode: Mode = Mode.FAST
    kind: Literal["a", "b"] = "a"
    window: Window = field(default_factory=Window)
    other: Window | None = None
    maybe: Mode | None = None
    names: list[str] = field(default_factory=list)
    pair: tuple[float, float] = (0.0, 1.0)
    table: dict[str, int] = field(default_factory=dict)
    anything: Any = None
    either: int | str = 3


def followed(schema: Any, definitions: dict[str, Any]) -> Any:
    """A schema with every reference replaced by what it leads to."""
    if isinstance(schema, list):
        return [followed(each, definitions) for each in schema]
    if not isinstance(schema, dict):
        return schema
    target = definitions[schema["$ref"].rpartition("/")[2]] if "$ref" in schema else {}
    return {key: followed(each, definitions) for key, each in {**target, **schema}.items() if key != "$ref"}


def check_says(ours: Any, theirs: Any, path: str) -> None:
    """Assert that ours says everything that theirs does; it may say more."""
    if isinstance(theirs, dict):
        for key, each in theirs.items():
            assert key in ours, f"{path}/{key}"
            check_says(ours[key], each, f"{path}/{key}")
    elif isinstance(theirs, list):
        assert len(ours) == len(theirs), path
        for number, (our, their) in enumerate(zip(ours, theirs, strict=True)):
            check_says(our, their, f"{path}/{number}")
    else:
        assert ours == theirs, path


def test_forms_made_for_ezmsg_3_find_what_pydantic_writes() -> None:
    ours = settings_json_schema(ForForms)
    theirs = pydantic.TypeAdapter(ForForms).json_schema(mode="validation")
    assert ours is not None
    assert ours["$defs"].keys() == {"Window"}  # enumerations stand where they are used
    check_says(followed(ours, ours["$defs"]), followed(theirs, theirs.pop("$defs")), "")
