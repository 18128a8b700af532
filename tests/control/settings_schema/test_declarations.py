"""What is read from the declaration of a dataclass."""

import dataclasses
import math
import sys
from dataclasses import InitVar, dataclass, field
from types import ModuleType
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

import pytest
from annotated_types import Ge, Interval, Len
from hypothesis import given
from tests.control.settings_schema.declarations import Colour, Point, settings_types

from ezmsg.control.settingsmeta import (
    coerce_settings_field_value,
    settings_schema_from_type,
    settings_schema_from_value,
)
from ezmsg.protocol import decode, encode
from ezmsg.protocol.model.metadata import SettingsFieldMetadata, SettingsSchemaMetadata
from ezmsg.protocol.model.settings import SettingsSnapshotValue

if TYPE_CHECKING:
    from nowhere import Unknown  # type: ignore[import-not-found]


def fields_of(cls: object) -> dict[str, SettingsFieldMetadata]:
    schema = settings_schema_from_type(cls)
    assert schema is not None
    return {each.name: each for each in schema.fields}


@dataclass
class Filter:
    order: int
    cutoff: float = field(default=1.0, metadata={"min": 0, "max": 5, "description": "The corner", "step": 0.5})
    kind: Literal["low", "high"] = "low"
    colour: Colour = Colour.RED


def test_the_whole_schema() -> None:
    schema = settings_schema_from_type(Filter)
    assert isinstance(schema, SettingsSchemaMetadata)
    assert (schema.provider, schema.settings_type) == ("dataclass", f"{__name__}.Filter")
    assert schema.fields == [
        SettingsFieldMetadata("order", "builtins.int", True, None, None, None, None, "int_input"),
        SettingsFieldMetadata("cutoff", "builtins.float", False, 1.0, "The corner", (0.0, 5.0), None, "slider"),
        SettingsFieldMetadata(
            "kind", "typing.Literal['low', 'high']", False, "low", None, None, ["low", "high"], "select"
        ),
        SettingsFieldMetadata(
            "colour", f"{Colour.__module__}.Colour", False, "red", None, None, ["red", "blue"], "select"
        ),
    ]
    assert schema.json_schema is not None
    assert settings_schema_from_value(Filter(3)) == schema


@pytest.mark.parametrize("cls", [int, None, 3, "text", Colour, list[int], dict])
def test_what_is_no_settings_type_has_no_schema(cls: Any) -> None:
    assert settings_schema_from_type(cls) is None
    assert settings_schema_from_value(cls) is None


def declared(annotation: Any, **metadata: Any) -> SettingsFieldMetadata:
    cls = dataclasses.make_dataclass("Drawn", [("a", annotation, field(metadata=metadata))])
    return fields_of(cls)["a"]


@pytest.mark.parametrize(
    ("annotation", "metadata", "bounds"),
    [
        (float, {"min": 0, "max": 5}, (0.0, 5.0)),
        (float, {"ge": 1}, (1.0, None)),
        (int, {"gt": 1, "lt": 5}, (2.0, 4.0)),
        (float, {"lt": 5}, (None, math.nextafter(5, 0))),
        (float, {"min": 0, "ge": 1, "max": 5, "lt": 5}, (1.0, math.nextafter(5, 0))),
        (float | None, {"min": 0}, (0.0, None)),
        (list[float], {"min": 0}, (0.0, None)),
        (int | float, {"min": 0}, (0.0, None)),
        (Any, {"min": 0}, (0.0, None)),
        (Annotated[int, Ge(2)], {"max": 5}, (2.0, 5.0)),
        (Annotated[float, Interval(ge=0, le=1)], {}, (0.0, 1.0)),
        (Annotated[list[Annotated[int, Ge(1)]], Len(1, 2)], {}, (1.0, None)),
        (float, {}, None),
        (float, {"min": "0", "max": True, "ge": math.nan, "choices": 3, "step": "x", "unit": 1}, None),
        (str, {"min": 0}, None),
    ],
)
def test_bounds(annotation: Any, metadata: dict[str, Any], bounds: Any) -> None:
    assert declared(annotation, **metadata).bounds == bounds


@pytest.mark.parametrize(
    ("annotation", "metadata", "choices"),
    [
        (int, {"choices": [1, 2]}, [1, 2]),
        (str, {"choices": {"One": "1", "Two": "2"}}, ["1", "2"]),
        (list[str], {"choices": ("a", "b")}, ["a", "b"]),
        (Literal["a", "b"] | None, {}, ["a", "b"]),
        (Literal["a"] | None, {}, ["a"]),
        (int | None, {"choices": [1, 2]}, [1, 2]),
        (Colour, {"choices": ["red"]}, ["red"]),
        (Any, {"choices": [(1, 2), Colour.RED]}, [[1, 2], "red"]),
        (int | str, {}, None),
    ],
)
def test_choices(annotation: Any, metadata: dict[str, Any], choices: Any) -> None:
    found = declared(annotation, **metadata)
    assert found.choices == choices
    assert found.widget_hint == "select" or choices is None


@pytest.mark.parametrize(
    ("annotation", "metadata", "hint"),
    [
        (bool, {}, "checkbox"),
        (int, {}, "int_input"),
        (float | None, {}, "float_input"),
        (int | float, {}, "float_input"),
        (str, {}, "text_input"),
        (int, {"min": 0, "step": 2}, "slider"),
        (int, {"step": 2}, "int_input"),
        (int, {"widget": "knob", "choices": [1]}, "knob"),
        (int, {"widget_hint": "knob"}, "knob"),
        (int | str, {}, None),
        (list[int], {}, None),
        (Point, {}, None),
    ],
)
def test_widget_hints(annotation: Any, metadata: dict[str, Any], hint: Any) -> None:
    assert declared(annotation, **metadata).widget_hint == hint


def fails() -> Any:
    raise ZeroDivisionError


@dataclass
class Parent:
    inherited: "Annotated[Colour, 'note']" = Colour.RED
    count: "ClassVar[int]" = 0
    early: "InitVar[int]" = 1
    _private: int = 2


@dataclass
class Strange(Parent):
    count = 5
    unknown: "Unknown | None" = None
    resolved: "Point | None" = None
    bad_syntax: "1 +" = 3  # type: ignore[valid-type]  # noqa: F722
    failing: list[int] = field(default_factory=fails)
    made: list[int] = field(default_factory=lambda: [1, 2])
    not_given: int = field(init=False)
    nan: float = math.nan
    raw: bytes = b"\x00"


def test_strange_declarations() -> None:
    fields = fields_of(Strange)
    assert [*fields] == [
        "inherited",
        "unknown",
        "resolved",
        "bad_syntax",
        "failing",
        "made",
        "not_given",
        "nan",
        "raw",
    ]
    assert fields["inherited"].choices == ["red", "blue"]
    assert fields["unknown"].field_type == "Unknown | None"
    assert "Point" in fields["resolved"].field_type
    assert not any(each.required for each in fields.values())
    assert (fields["failing"].default, fields["made"].default) == (None, [1, 2])
    assert math.isnan(fields["nan"].default)
    assert fields["raw"].default == {"$bytes": "AA=="}
    assert coerce_settings_field_value(Strange, "resolved.x", 3.0) == 3
    assert coerce_settings_field_value(Strange, "unknown", [1]) == [1]


def test_postponed_annotations_of_a_parent_are_looked_up_where_they_were_written(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    source = """
from __future__ import annotations
import enum
from dataclasses import dataclass

class Colour(enum.Enum):
    GREEN = "green"

@dataclass
class Base:
    colour: Colour = Colour.GREEN
    unknown: NoSuchName = None
"""
    module = ModuleType("written_elsewhere")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    exec(source, vars(module))

    @dataclass
    class Child(module.Base):  # type: ignore[name-defined]
        own: Colour = Colour.RED

    fields = fields_of(Child)
    assert (fields["colour"].choices, fields["own"].choices) == (["green"], ["red", "blue"])
    assert fields["unknown"].field_type == "NoSuchName"


class Hostile(type):
    def __instancecheck__(cls, instance: object) -> bool:
        raise ZeroDivisionError

    def __eq__(cls, other: object) -> bool:
        raise ZeroDivisionError

    __hash__ = type.__hash__


def test_nothing_about_a_type_stops_a_program() -> None:
    class Evil(metaclass=Hostile):
        pass

    @dataclass
    class Holder:
        evil: Evil | None = None
        weird: "[1 for _ in 1]" = None  # type: ignore[valid-type]
        number: int = 1

    assert fields_of(Holder)["number"].default == 1
    assert settings_schema_from_type(Evil) is None


@given(settings_types())
def test_a_schema_crosses_the_wire_unchanged(cls: type[Any]) -> None:
    schema = settings_schema_from_type(cls)
    assert schema is not None
    value = SettingsSnapshotValue(None, "", settings_schema=schema)
    assert decode(encode(value), SettingsSnapshotValue) == value


def test_a_schema_is_made_once() -> None:
    made = []

    def factory() -> list[int]:
        made.append(1)
        return []

    @dataclass
    class Counted:
        items: list[int] = field(default_factory=factory)

    schemas = [settings_schema_from_type(Counted) for _ in range(500)]
    assert all(each is schemas[0] for each in schemas)
    assert len(made) <= 2, "once for the field, once for the JSON Schema"
