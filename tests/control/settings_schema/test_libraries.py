"""Settings declared with attrs, pydantic or param; and programs that have none of them."""

import datetime
import subprocess
import sys
from typing import Annotated, Any, Literal

import attrs
import param
import pydantic
import pytest
from tests.control.settings_schema.declarations import Colour

from ezmsg.control.errors import InvalidSettingsValue, SettingsRefused, UnknownSettingsField
from ezmsg.control.settingsmeta import (
    coerce_settings_field_value,
    patched,
    settings_json_schema,
    settings_schema_from_type,
    settings_schema_from_value,
    settings_structured_value,
)
from ezmsg.protocol.model.metadata import SettingsFieldMetadata


@attrs.define
class OfAttrs:
    order: int = attrs.field(validator=[attrs.validators.ge(2), attrs.validators.lt(9)], metadata={"unit": "taps"})
    gain: float | None = attrs.field(
        default=None, validator=attrs.validators.optional(attrs.validators.in_([1.0, 2.0]))
    )
    items: list[int] = attrs.Factory(list)
    odd: int = attrs.field(default=1, alias="uneven")
    same: int = attrs.field(default=attrs.Factory(lambda self: self.order, takes_self=True))
    own: int = attrs.field(default=7, init=False)
    raw: Any = b"x"
    _hidden: int = 5

    @odd.validator
    def _check_odd(self, attribute: Any, value: int) -> None:
        if value % 2 == 0:
            raise ValueError("it must be odd")


class Inner(pydantic.BaseModel):
    z: int = pydantic.Field(1, ge=0)


class OfPydantic(pydantic.BaseModel):
    order: int
    gain: float = pydantic.Field(
        1.0, ge=0, lt=5, alias="Gain", description="How much", json_schema_extra={"unit": "V", "widget": "knob"}
    )
    kind: Literal["low", "high"] = "low"
    colour: Colour = Colour.RED
    inner: Inner = Inner()
    items: list[int] = pydantic.Field(default_factory=list, max_length=2)
    day: datetime.date = datetime.date(2020, 1, 1)
    twice: int = 2
    bound: Annotated[int, pydantic.Field(gt=3)] = 4
    _hidden: int = 3

    @pydantic.model_validator(mode="after")
    def check(self) -> "OfPydantic":
        if self.order == 13:
            raise ValueError("13 brings bad luck")
        self.__dict__["twice"] = 2 * self.order
        return self


class OfParam(param.Parameterized):  # type: ignore[misc]
    gain = param.Number(1.0, bounds=(0, 5), doc="How much", step=0.5)
    order = param.Integer(3, bounds=(1, None), inclusive_bounds=(False, True))
    kind = param.Selector(objects=["low", "high"])
    named = param.Selector(objects={"one": 1, "two": 2}, default=1)
    flag = param.Boolean(default=True)
    text = param.String("x")
    items = param.List([1, 2], item_type=int)
    span = param.Range((0, 1), bounds=(0, 10))
    some = param.ListSelector(default=["a"], objects=["a", "b"])
    maybe = param.Integer(None, allow_None=True)
    day = param.Date(datetime.datetime(2020, 1, 1))
    fixed = param.Number(3, constant=True)
    _hidden = param.Number(3)


def rows(cls: object) -> list[tuple[Any, ...]]:
    schema = settings_schema_from_type(cls)
    assert schema is not None
    return [row(each) for each in schema.fields]


def row(field: SettingsFieldMetadata) -> tuple[Any, ...]:
    """Everything of a field but what its type is called."""
    return (
        *(field.name, field.required, field.default, field.description),
        *(field.bounds, field.choices, field.widget_hint),
    )


def test_fields_of_attrs() -> None:
    assert rows(OfAttrs) == [
        ("order", True, None, None, (2.0, 8.0), None, "int_input"),
        ("gain", False, None, None, None, [1.0, 2.0], "select"),
        ("items", False, [], None, None, None, None),
        ("odd", False, 1, None, None, None, "int_input"),
        ("same", False, None, None, None, None, "int_input"),
        ("own", False, 7, None, None, None, "int_input"),
        ("raw", False, {"$bytes": "eA=="}, None, None, None, None),
    ]


def test_fields_of_pydantic() -> None:
    below_five = 4.999999999999999
    assert rows(OfPydantic) == [
        ("order", True, None, None, None, None, "int_input"),
        ("gain", False, 1.0, "How much", (0.0, below_five), None, "knob"),
        ("kind", False, "low", None, None, ["low", "high"], "select"),
        ("colour", False, "red", None, None, ["red", "blue"], "select"),
        ("inner", False, {"z": 1}, None, None, None, None),
        ("items", False, [], None, None, None, None),
        ("day", False, "2020-01-01", None, None, None, None),
        ("twice", False, 2, None, None, None, "int_input"),
        ("bound", False, 4, None, (4.0, None), None, "int_input"),
    ]


def test_fields_of_param() -> None:
    assert rows(OfParam) == [
        ("gain", False, 1.0, "How much", (0.0, 5.0), None, "slider"),
        ("order", False, 3, None, (2.0, None), None, "int_input"),
        ("kind", False, "low", None, None, ["low", "high"], "select"),
        ("named", False, 1, None, None, [1, 2], "select"),
        ("flag", False, True, None, None, None, "checkbox"),
        ("text", False, "x", None, None, None, "text_input"),
        ("items", False, [1, 2], None, None, None, None),
        ("span", False, [0, 1], None, (0.0, 10.0), None, None),
        ("some", False, ["a"], None, None, ["a", "b"], "select"),
        ("maybe", False, None, None, None, None, "int_input"),
        ("day", False, "2020-01-01T00:00:00", None, None, None, None),
        ("fixed", False, 3, None, None, None, "float_input"),
    ]


SETTINGS: list[Any] = [OfAttrs(3), OfPydantic(order=3), OfParam(name="NAME")]


@pytest.mark.parametrize("settings", SETTINGS, ids=["attrs", "pydantic", "param"])
def test_schema_and_structure_name_the_same_fields(settings: Any) -> None:
    schema = settings_schema_from_value(settings)
    structure = settings_structured_value(settings)
    assert schema is not None
    assert structure is not None
    assert schema.provider == type(settings).__name__.removeprefix("Of").lower()
    assert [each.name for each in schema.fields] == [*structure]
    described = settings_json_schema(type(settings))
    assert described is not None
    assert set(described["properties"]) <= set(structure)
    assert {"order", "gain"} <= set(described["properties"])


@pytest.mark.parametrize(
    ("settings", "path", "value", "expected"),
    [
        (OfAttrs(3), "order", 8.0, 8),
        (OfAttrs(3), "gain", 2, 2.0),
        (OfAttrs(3), "odd", 5, 5),
        (OfAttrs(3, items=[1]), "items[0]", 2, 2),
        (OfPydantic(order=1), "gain", 2, 2.0),
        (OfPydantic(order=1), "inner.z", 7, 7),
        (OfPydantic(order=1), "inner", {"z": 7}, Inner(z=7)),
        (OfPydantic(order=1), "colour", "BLUE", Colour.BLUE),
        (OfPydantic(order=1), "day", "2021-02-03", datetime.date(2021, 2, 3)),
        (OfParam(), "gain", 3, 3.0),
        (OfParam(), "items[1]", 5, 5),
        (OfParam(), "named", 2, 2),
        (OfParam(), "maybe", 4, 4),
        (OfParam(maybe=4), "maybe", None, None),
        (OfParam(), "span", [1, 2], (1.0, 2.0)),
    ],
)
def test_a_patch_goes_the_way_of_the_library(settings: Any, path: str, value: Any, expected: Any) -> None:
    before = settings_structured_value(settings)
    after = patched(settings, path, value)
    found: Any = after
    for name in path.replace("[", ".").replace("]", "").split("."):
        found = found[int(name)] if name.isdigit() else getattr(found, name)
    assert (found, type(found)) == (expected, type(expected))
    assert type(after) is type(settings)
    assert after is not settings
    assert settings_structured_value(settings) == before


@pytest.mark.parametrize(
    ("settings", "path", "value", "error", "words"),
    [
        (OfAttrs(3), "order", 9, InvalidSettingsValue, "a whole number from 2 to below 9"),
        (OfAttrs(3), "gain", 3, InvalidSettingsValue, "one of 1.0, 2.0 or None"),
        (OfAttrs(3), "odd", 4, SettingsRefused, "it must be odd"),
        (OfAttrs(3), "own", 4, UnknownSettingsField, "OfAttrs does not let own be set"),
        (OfAttrs(3), "_hidden", 4, UnknownSettingsField, "no field '_hidden'"),
        (OfPydantic(order=1), "gain", 5, InvalidSettingsValue, "a number from 0 to below 5"),
        (OfPydantic(order=1), "order", "three", InvalidSettingsValue, "a whole number"),
        (OfPydantic(order=1), "order", 13, SettingsRefused, "order cannot be 13: Value error, 13 brings bad luck"),
        (OfPydantic(order=1), "inner.z", -1, InvalidSettingsValue, "inner.z cannot be -1"),
        (OfPydantic(order=1), "items", [1, 2, 3], InvalidSettingsValue, "at most 2 items"),
        (OfPydantic(order=1), "day", "soon", SettingsRefused, "valid date"),
        (OfPydantic(order=1), "_hidden", 1, UnknownSettingsField, "no field '_hidden'"),
        (OfParam(), "gain", 6, InvalidSettingsValue, "a number from 0 to 5"),
        (OfParam(), "order", 1, InvalidSettingsValue, "a whole number above 1"),
        (OfParam(), "kind", "middle", InvalidSettingsValue, "one of 'low', 'high'"),
        (OfParam(), "span", [1, 20], InvalidSettingsValue, "span[1] cannot be 20"),
        (OfParam(), "day", 3, SettingsRefused, "Date parameter"),
        (OfParam(), "fixed", 4, UnknownSettingsField, "does not let fixed be set"),
        (OfParam(), "name", "x", UnknownSettingsField, "no field 'name'"),
    ],
)
def test_a_bad_value_is_refused(settings: Any, path: str, value: Any, error: type[Exception], words: str) -> None:
    before = settings_structured_value(settings)
    with pytest.raises(error) as caught:
        patched(settings, path, value)
    assert words in str(caught.value)
    assert settings_structured_value(settings) == before


def test_a_model_keeps_what_is_not_a_field() -> None:
    settings = OfPydantic(order=1)
    settings._hidden = 9
    after = patched(settings, "order", 4)
    assert (after._hidden, after.order, after.twice) == (9, 4, 8), "the model's own validator ran"
    assert after.model_fields_set == {"order"}


def test_a_frozen_model_and_one_with_more_fields() -> None:
    class Frozen(pydantic.BaseModel, frozen=True, extra="allow"):
        a: int = pydantic.Field(1, validation_alias=pydantic.AliasChoices("first", "A"))

    after = patched(Frozen(first=2, more="kept"), "a", 3)
    assert (after.a, after.more) == (3, "kept")


def test_bounds_of_one_instance_of_param_are_its_own() -> None:
    settings = OfParam()
    settings.param["gain"].bounds = (0, 50)
    assert patched(settings, "gain", 20).gain == 20
    with pytest.raises(InvalidSettingsValue):
        patched(OfParam(), "gain", 20)


@pytest.mark.parametrize(
    ("cls", "value", "expected"),
    [
        (OfAttrs, {"order": 3, "odd": 5}, OfAttrs(3, uneven=5)),
        (OfPydantic, {"order": 3, "gain": 2}, OfPydantic(order=3, Gain=2.0)),
    ],
)
def test_a_value_inside_another_is_made_of_its_fields(cls: Any, value: Any, expected: Any) -> None:
    outer = attrs.make_class("Outer", {"inner": attrs.field(type=cls)})
    assert coerce_settings_field_value(outer, "inner", value) == expected


BLOCKED = """
import sys

class Block:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"pydantic", "param", "annotated_types", "numpy"}:
            raise ImportError(name + " is blocked")

sys.meta_path.insert(0, Block())

from dataclasses import dataclass, field
import attrs
from ezmsg.control.settingsmeta import *

@dataclass
class A:
    gain: float = field(default=1.0, metadata={"max": 5})

@attrs.define
class B:
    inner: A = attrs.Factory(A)

print(settings_schema_from_type(B).fields[0].default, settings_structured_value(B()))
print(patched(B(), "inner.gain", 2), settings_json_schema(A)["properties"]["gain"])
try:
    patched(B(), "inner.gain", 9)
except SettingsCoercionError as error:
    print(error)
assert not {"pydantic", "param", "numpy", "annotated_types"} & set(sys.modules)
"""


def test_none_of_the_libraries_is_needed() -> None:
    done = subprocess.run([sys.executable, "-c", BLOCKED], capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        "{'gain': 1.0} {'inner': {'gain': 1.0}}",
        "B(inner=A(gain=2.0)) {'type': 'number', 'maximum': 5, 'title': 'Gain', 'default': 1.0}",
        "EZ-4101  inner.gain cannot be 9: it takes a number up to 5. Nothing was changed.",
    ]
