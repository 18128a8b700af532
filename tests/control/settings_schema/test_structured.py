"""The plain form of settings is faithful, stays as it was, and never fails."""

import copy
import json
import math
import threading
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from fractions import Fraction
from pathlib import Path, PurePath, PurePosixPath, PureWindowsPath
from typing import Any, NamedTuple
from uuid import UUID

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.control.settings_schema.declarations import Colour, Level, Point, json_values, settings_types

from ezmsg.control.settings_schema.describing.structured import readable, structured
from ezmsg.control.settings_schema.fields.omissions import is_omission
from ezmsg.control.settings_schema.patching.coercion import coerced
from ezmsg.control.settings_schema.sources.annotations import shape_of
from ezmsg.control.settingsmeta import settings_repr_value, settings_structured_value
from ezmsg.protocol.testing import plain_values
from ezmsg.protocol.wire.plain import PlainArray, pack, to_plain, unpack


@dataclass
class Box:
    value: Any


class Pair(NamedTuple):
    a: int


class Broken:
    def __repr__(self) -> str:
        raise ZeroDivisionError

    @property
    def dtype(self) -> Any:
        raise ZeroDivisionError


class BrokenDict(dict[str, int]):
    def items(self) -> Any:
        raise ZeroDivisionError


def same(one: Any, other: Any) -> bool:
    """Equal, where any NaN equals any other and 1 does not equal True."""
    return pack(to_plain(with_one_nan(one))) == pack(to_plain(with_one_nan(other)))


def with_one_nan(value: Any) -> Any:
    """A form whose NaNs are all the same: they have different bits, which JSON does not tell."""
    if isinstance(value, dict):
        return {key: with_one_nan(each) for key, each in value.items()}
    if isinstance(value, list):
        return [with_one_nan(each) for each in value]
    return math.nan if isinstance(value, float) and math.isnan(value) else value


@pytest.mark.parametrize(
    ("value", "form", "for_people"),
    [
        (None, None, None),
        (True, True, True),
        (2**100, 2**100, 2**100),
        (math.nan, math.nan, math.nan),
        (-math.inf, -math.inf, -math.inf),
        ("text", "text", "text"),
        (b"\x00\xff", {"$bytes": "AP8="}, "b'\\x00\\xff'"),
        (np.arange(2, dtype="<i2"), [0, 1], "array([0, 1], dtype=int16)"),
        (np.array([[0.5, np.nan]]), [[0.5, math.nan]], "array([[0.5, nan]])"),
        (np.array([True, False]), [True, False], "array([ True, False])"),
        (np.zeros((0, 3)), [], "array([], shape=(0, 3), dtype=float64)"),
        (np.zeros(1, "<c8"), {"$array": "<c8", "shape": [1], "data": "AAAAAAAAAAA="}, repr(np.zeros(1, "<c8"))),
        (np.float32(0.5), 0.5, 0.5),
        (np.int8(-1), -1, -1),
        (np.bool_(True), True, True),
        (np.float64("nan"), math.nan, math.nan),
        (Colour.RED, "red", "red"),
        (Level.HIGH, 2, 2),
        (Point(1, 0.0), {"x": 1, "y": 0.0, "next": None}, {"x": 1, "y": 0.0, "next": None}),
        ((1, (2,)), [1, [2]], [1, [2]]),
        ({3, 1, 2}, [1, 2, 3], [1, 2, 3]),
        ({1, "a"}, ["a", 1], ["a", 1]),
        (Pair(1), [1], [1]),
        ({1: Colour.RED, Colour.BLUE: 2}, {"1": "red", "blue": 2}, {"1": "red", "blue": 2}),
        (PurePosixPath("/a/b"), "/a/b", "PurePosixPath('/a/b')"),
        ({PurePosixPath("a"): 1}, {"a": 1}, {"a": 1}),
        (date(2020, 1, 1), "2020-01-01", "datetime.date(2020, 1, 1)"),
        (timedelta(minutes=1, milliseconds=500), 60.5, "datetime.timedelta(seconds=60, microseconds=500000)"),
        (timedelta.max, repr(timedelta.max), repr(timedelta.max)),
        (1j, "1j", "1j"),
        (range(3), "range(0, 3)", "range(0, 3)"),
    ],
)
def test_the_two_forms(value: Any, form: Any, for_people: Any) -> None:
    of_box, readable = settings_structured_value(Box(value)), settings_repr_value(Box(value))
    assert same(of_box, {"value": form})
    assert same(readable, {"value": for_people})
    assert same(unpack(pack(of_box)), {"value": form}), "it arrives as it is"


@pytest.mark.parametrize(
    ("value", "for_people"), [(3, "3"), (None, "None"), ([1], "[1]"), (Colour.RED, repr(Colour.RED))]
)
def test_what_has_no_fields_has_no_structure(value: Any, for_people: str) -> None:
    assert settings_structured_value(value) is None
    assert settings_repr_value(value) == for_people


def test_a_mapping_is_its_own_structure() -> None:
    assert settings_structured_value({"a": (1,)}) == settings_repr_value({"a": (1,)}) == {"a": [1]}


@given(plain_values(allow_nan=True))
def test_it_crosses_the_wire_unchanged(value: Any) -> None:
    form = settings_structured_value(Box(value))
    assert same(unpack(pack(to_plain(form))), form)


@given(json_values())
def test_plain_settings_are_their_own_structure_and_a_copy(value: Any) -> None:
    form = structured(value)
    assert same(form, value)
    assert form is not value or not isinstance(value, list | dict)


@pytest.mark.parametrize(
    ("annotation", "value"),
    [
        (Path, Path("never")),
        (Path | None, Path("/a b/c")),
        (PurePath, PurePath()),
        (PureWindowsPath, PureWindowsPath("c:/x")),
        (list[Path], [Path("a")]),
        (dict[Path, Decimal], {Path("a"): Decimal("0.10")}),
        (date, date(2020, 1, 1)),
        (datetime, datetime(2020, 1, 1, 12, 30, 0, 5)),
        (datetime, datetime(2020, 1, 1, tzinfo=timezone(timedelta(hours=-3, minutes=-30)))),
        (time, time(12, 30, 15, 999999)),
        (timedelta, timedelta(days=-1, microseconds=1)),
        (Decimal, Decimal("1E+400")),
        (Decimal, Decimal("-0.1000")),
        (Fraction, Fraction(-1, 3)),
        (UUID, UUID(int=7)),
        (complex, complex(-0.0, math.inf)),
    ],
)
def test_what_the_standard_library_has_is_what_it_was_when_it_is_set_again(annotation: Any, value: Any) -> None:
    """The repr of a path is a path's name as well: were it the form, nobody would see that it is another path."""
    again = coerced(shape_of(annotation), structured(value), "a")
    assert again == value
    assert repr(again) == repr(value)


@given(settings_types(), st.data())
def test_settings_can_be_made_again_of_their_structure(cls: Any, data: st.DataObject) -> None:
    values = {}
    for name in cls.__dataclass_fields__:
        value = data.draw(json_values())
        try:
            values[name] = coerced(shape_of(cls.__dataclass_fields__[name].type), value, name)
        except ValueError:
            continue
    try:
        settings = coerced(shape_of(cls), values, "")
        again = {name: each for name, each in structured(settings).items() if name in values}
    except ValueError:
        return
    assert same(structured(coerced(shape_of(cls), again, "")), structured(settings))


@pytest.mark.parametrize("value", [Broken(), BrokenDict(a=1), threading.Lock(), object.__new__(Box), Broken])
def test_nothing_fails(value: Any) -> None:
    for form in (settings_structured_value(Box([value])), settings_repr_value(Box([value]))):
        assert form is not None
        pack(to_plain(form))


def test_what_has_no_end_is_cut() -> None:
    endless: list[Any] = [1]
    endless.append(endless)
    assert settings_structured_value(Box(endless)) == {"value": [1, "..."]}
    deep: list[Any] = []
    for _ in range(10_000):
        deep = [deep]
    assert settings_structured_value(Box(deep)) is not None
    wide: list[Any] = []
    for _ in range(30):
        wide = [wide]
        wide.append(wide)
    assert settings_structured_value(Box(wide)) is not None


TOO_LARGE = [
    (np.zeros((1000, 50)), {"$omitted": "ndarray", "dtype": "<f8", "shape": [1000, 50]}),
    (np.zeros(100_000, np.int8)[::2], {"$omitted": "ndarray", "dtype": "|i1", "shape": [50_000]}),
    (np.zeros(10_000, "M8[s]"), {"$omitted": "ndarray", "dtype": "<M8[s]", "shape": [10_000]}),
    ("x" * 70_000, {"$omitted": "str", "shape": [70_000]}),
    (b"x" * 70_000, {"$omitted": "bytes", "shape": [70_000]}),
    (bytearray(70_000), {"$omitted": "bytearray", "shape": [70_000]}),
    ([1] * 70_000, {"$omitted": "list", "shape": [70_000]}),
    ([[1.5] * 1000] * 300, {"$omitted": "list", "shape": [300]}),
    (dict.fromkeys(range(70_000)), {"$omitted": "dict", "shape": [70_000]}),
    (frozenset(range(70_000)), {"$omitted": "frozenset", "shape": [70_000]}),
    (2**20_000, {"$omitted": "int"}),
    (PlainArray("<f8", (9000,), bytes(72_000)), {"$omitted": "PlainArray"}),
    (Box(["x" * 60_000] * 5), {"$omitted": "Box"}),
]


@pytest.mark.parametrize(("value", "outline"), TOO_LARGE, ids=[str(outline) for _, outline in TOO_LARGE])
def test_what_is_too_large_is_told_as_shape_and_digest(value: Any, outline: dict[str, Any]) -> None:
    form = structured(Box(value))["value"]
    assert form == structured(Box(copy.deepcopy(value)))["value"], "the digest is of what is in it"
    assert len(form.pop("digest")) == 32
    assert form == outline
    assert len(pack(readable(Box(value)))) < 100


def test_only_the_part_that_is_too_large_is_left_out() -> None:
    form = structured(Box([1, {"inside": np.zeros(10_000), "beside": "text"}]))
    first, second = form["value"]
    assert (first, second["beside"], is_omission(second["inside"])) == (1, "text", True)
    words = readable(Box([1, {"inside": np.zeros(10_000), "beside": "text"}]))
    assert words["value"][1]["inside"] == "ndarray <f8 of 10000, too large to be shown"


def test_other_values_have_other_digests() -> None:
    arrays = [np.zeros(20_000), np.zeros((2, 10_000)), np.ones(20_000), np.zeros(20_000, ">f8")]
    texts = ["x" * 70_000, "y" * 70_000, ["x"] * 70_000]
    records = [Box([each] * 5) for each in ("x" * 60_000, "y" * 60_000)]
    forms = [repr(structured(Box(each))) for each in (*arrays, *texts, *records)]
    assert len({*forms}) == len(forms)


def test_the_largest_fields_are_left_out_of_a_value_that_is_too_large_in_sum() -> None:
    settings = {f"text{n}": "x" * 10_000 * n for n in range(1, 7)} | {"n": 5, "arrays": [np.zeros(1000)] * 3}
    form = settings_structured_value(settings)
    assert form is not None
    assert [name for name in form if is_omission(form[name])] == []
    form = structured(settings, 150_000)
    assert [name for name in form if is_omission(form[name])] == ["text5", "text6"]
    assert form["n"] == 5
    assert len(pack(form)) <= 150_000
    small = structured(settings, 4096)
    assert [name for name in small if not is_omission(small[name])] == ["n", "arrays"]
    assert all(map(is_omission, small["arrays"]))
    many = {f"field {n}": n for n in range(10_000)}
    assert structured(many, 4096)["$omitted"] == "dict"
    assert isinstance(readable(many, 4096), str)


@given(plain_values(allow_nan=True))
def test_what_is_told_is_json(value: Any) -> None:
    form = settings_structured_value(Box(value))
    assert same(json.loads(json.dumps(form)), form)


def test_it_is_no_window_into_the_settings() -> None:
    @dataclass
    class Mutable:
        items: list[int] = field(default_factory=lambda: [1])
        array: Any = field(default_factory=lambda: np.zeros(1))

    settings = Mutable()
    form = settings_structured_value(settings)
    settings.items.append(2)
    settings.array[0] = 5
    assert form == {"items": [1], "array": [0.0]}
