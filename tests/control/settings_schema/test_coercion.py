"""What an operator sends becomes what the owning process wants, without loss, or is refused with a sentence."""

import enum
import math
import pathlib
from collections.abc import Mapping, Sequence
from dataclasses import InitVar, dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Annotated, Any, Literal, NamedTuple, NewType, Optional, TypedDict, Union
from uuid import UUID

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field
from pydantic.types import PositiveInt
from tests.control.settings_schema.declarations import Colour, Level, Point, annotations, json_values

from ezmsg.control.errors import InvalidSettingsValue, SettingsRefused, UnknownSettingsField
from ezmsg.control.settings_schema.fields.limits import Limits
from ezmsg.control.settings_schema.patching.coercion import coerced
from ezmsg.control.settings_schema.sources.annotations import shape_of
from ezmsg.control.settingsmeta import SettingsCoercionError, coerce_settings_field_value
from ezmsg.protocol.wire.plain import PlainArray

Hertz = NewType("Hertz", float)


class Fields(TypedDict):
    a: int


class Word(str):
    __slots__ = ()


class Pair(NamedTuple):
    a: int


class Mark(enum.Flag):
    ONE = 1
    TWO = 2


@pytest.mark.parametrize(
    ("annotation", "value", "expected"),
    [
        (int, 3, 3),
        (int, 3.0, 3),
        (int, -0.0, 0),
        (int, np.int8(3), 3),
        (int, Level.HIGH, 2),
        (float, 3, 3.0),
        (float, 2**53, 2.0**53),
        (float, np.float32(0.5), 0.5),
        (float, math.inf, math.inf),
        (Hertz, 3, 3.0),
        (bool, True, True),
        (bool, np.bool_(True), True),
        (str, "", ""),
        (Word, "x", Word("x")),
        (bytes, b"x", b"x"),
        (bytes, bytearray(b"x"), b"x"),
        (bytes, {"$bytes": "eA=="}, b"x"),
        (None, None, None),
        (Any, {"a": [1]}, {"a": [1]}),
        (object, 3, 3),
        ("NoSuchName", 3, 3),
        (Colour, "red", Colour.RED),
        (Colour, "RED", Colour.RED),
        (Colour, Colour.RED, Colour.RED),
        (Level, 1, Level.LOW),
        (Level, 1.0, Level.LOW),
        (Mark, 2, Mark.TWO),
        (Literal["a", 1, None], None, None),  # noqa: PYI061  as people write it
        (Literal["a", 1], 1.0, 1),
        (Literal[b"x"], {"$bytes": "eA=="}, b"x"),
        (Literal[Colour.RED], "RED", Colour.RED),
        (int | None, None, None),
        (Optional[int], 3.0, 3),  # noqa: UP045
        (int | float, 3.0, 3.0),
        (int | float, 3, 3),
        (Union[str, int], 3, 3),  # noqa: UP007
        (list[float], (1, 2), [1.0, 2.0]),
        (list, [1, "a"], [1, "a"]),
        (Sequence[int], (1,), [1]),
        (tuple[int, ...], [1, 2], (1, 2)),
        (tuple[int, str], [1, "a"], (1, "a")),
        (tuple[()], [], ()),
        (set[int], [1, 1], {1}),
        (frozenset[str], {"a"}, frozenset({"a"})),
        (dict[str, float], {"a": 1}, {"a": 1.0}),
        (dict[int, int], {"-1": 1, 2: 2}, {-1: 1, 2: 2}),
        (dict[Colour, int], {"red": 1}, {Colour.RED: 1}),
        (Mapping[str, int], {}, {}),
        (Fields, {"a": 1}, {"a": 1}),
        (Annotated[int, Field(ge=1, lt=3)], 2, 2),
        (Annotated[str, Field(max_length=2)], "ab", "ab"),
        (PositiveInt, 1, 1),
        (pathlib.Path, "/x", pathlib.Path("/x")),
        (np.float32, 2, np.float32(2)),
        (np.int16, 2.0, np.int16(2)),
        (Point, {"y": 1, "next": {"x": 2.0}}, Point(y=1.0, next=Point(2))),
        (Point, Point(3), Point(3)),
        (list[Point], [{}], [Point()]),
        (Pair, Pair(1), Pair(1)),
    ],
)
def test_what_fits_is_taken(annotation: Any, value: Any, expected: Any) -> None:
    taken = coerced(shape_of(annotation), value, "a")
    assert taken == expected
    assert type(taken) is type(expected)


@pytest.mark.parametrize(
    ("annotation", "value", "allowed"),
    [
        (int, "3", "a whole number"),
        (int, True, "a whole number"),
        (int, 3.5, "a whole number"),
        (int, math.inf, "a whole number"),
        (int, None, "a whole number"),
        (float, "3", "a number"),
        (float, True, "a number"),
        (float, 2**53 + 1, "a number"),
        (float, 10**400, "a number"),
        (float, 1j, "a number"),
        (bool, 1, "True or False"),
        (bool, "maybe", "True or False"),
        (str, 3, "a text"),
        (str, b"x", "a text"),
        (bytes, "x", "bytes"),
        (bytes, {"$bytes": "!"}, "bytes"),
        (bytes, {"$bytes": "eA==", "more": 1}, "bytes"),
        (None, 0, "None"),
        (Colour, "green", "one of RED ('red'), BLUE ('blue')"),
        (Level, True, "one of LOW (1), HIGH (2)"),
        (Literal["a", 1], True, "one of 'a', 1"),
        (Literal["a"], "b", "'a'"),
        (int | None, "x", "a whole number or None"),
        (list[int], "12", "a list, each a whole number"),
        (list[int], {"a": 1}, "a list, each a whole number"),
        (tuple[int, str], [1], "a list of 2: a whole number; a text"),
        (set[Any], [[1]], "a list, each any value"),
        (dict[str, int], [1], "a mapping whose values are each a whole number"),
        (dict[str, int], {1: 1}, "keys that are each a text"),
        (dict[int, int], {"01": 1}, "keys that are each a whole number"),
        (Annotated[int, Field(ge=1, le=3)], 4, "a whole number from 1 to 3"),
        (Annotated[int, Field(gt=1, le=3)], 1, "a whole number above 1 and up to 3"),
        (Annotated[float, Field(ge=1)], math.nan, "a number from 1 on"),
        (Annotated[float, Field(lt=1)], math.nan, "a number below 1"),
        (Annotated[str, Field(min_length=2)], "a", "a text of at least 2 characters"),
        (Annotated[list[int], Field(max_length=1)], [1, 2], "a list of at most 1 items, each a whole number"),
        (
            Annotated[list[int], Field(min_length=1, max_length=2)],
            [],
            "a list of 1 to 2 items, each a whole number",
        ),
        (pathlib.Path, 3, "a text"),
        (np.float32, "2", "a number"),
        (Point, 3, "the fields of Point as a mapping"),
        (type, 3, "a type, which cannot be sent"),
        (range, "range(0, 3)", "a range, which cannot be sent"),
        (timedelta, "1.5", "a number"),
        (UUID, 7, "a text"),
        (np.ndarray, [1, "2"], "an array of numbers"),
        (np.ndarray, [[1], [1, 2]], "an array of numbers"),
        (np.ndarray, [None], "an array of numbers"),
        (np.ndarray, [10**400], "an array of numbers"),
    ],
)
def test_what_does_not_fit_is_refused_with_what_would(annotation: Any, value: Any, allowed: str) -> None:
    with pytest.raises(InvalidSettingsValue) as caught:
        coerced(shape_of(annotation), value, "a.b")
    assert caught.value.path == "a.b"
    assert caught.value.allowed == allowed
    assert f"a.b cannot be {caught.value.value}: it takes {allowed}." in str(caught.value)


@pytest.mark.parametrize(
    ("annotation", "value", "path"),
    [
        (list[int], [1, "a"], "a[1]"),
        (dict[str, list[int]], {"k": [None]}, "a.k[0]"),
        (tuple[int, Point], [1, {"y": 3}], "a[1].y"),
        (Point | None, {"next": {"x": "1"}}, "a.next.x"),
    ],
)
def test_a_refusal_names_the_place_inside(annotation: Any, value: Any, path: str) -> None:
    with pytest.raises(InvalidSettingsValue) as caught:
        coerced(shape_of(annotation), value, "a")
    assert caught.value.path == path


@pytest.mark.parametrize(
    ("annotation", "value", "words"),
    [
        (Decimal, "a tenth", "no decimal number"),
        (Decimal, "Decimal('0.1')", "no decimal number"),
        (Fraction, "1/0", "Fraction"),
        (UUID, "7", "hexadecimal"),
        (date, "datetime.date(2020, 1, 1)", "isoformat"),
        (timedelta, math.nan, "NaN"),
        (timedelta, 1e300, "Nothing was changed"),
        (complex, "one", "complex"),
    ],
)
def test_a_plain_form_that_is_none_is_refused(annotation: Any, value: Any, words: str) -> None:
    with pytest.raises(SettingsRefused, match=words):
        coerced(shape_of(annotation), value, "a")


def test_arrays_come_from_plain_arrays_and_are_the_owners_own() -> None:
    array: npt.NDArray[np.float64] = np.arange(6, dtype=np.float64).reshape(2, 3)
    plain = PlainArray(array.dtype.str, array.shape, array.tobytes())
    for annotation in (np.ndarray, npt.NDArray[np.float64]):
        taken = coerced(shape_of(annotation), plain, "a")
        assert np.array_equal(taken, array)
        taken[0, 0] = 9
    assert coerced(shape_of(np.ndarray), array, "a") is array


@pytest.mark.parametrize("dtype", ["|O", "O", "|O8", "<f8,<f8", "|V8", "f8\n", ""])
def test_bytes_are_never_taken_for_objects(dtype: str) -> None:
    with pytest.raises(InvalidSettingsValue):
        coerced(shape_of(np.ndarray), PlainArray(dtype, (1,), bytes(8)), "a")


def test_an_array_whose_parts_do_not_fit_is_refused() -> None:
    with pytest.raises(SettingsRefused, match="too small"):
        coerced(shape_of(np.ndarray), PlainArray("<f8", (9,), bytes(8)), "a")


@dataclass
class Guarded:
    a: int
    early: InitVar[int] = 1
    b: int = field(default=0, metadata={"validator": lambda value: 1 / value})
    fixed: int = field(default=2, init=False)
    _own: int = 3

    def __post_init__(self, early: int) -> None:
        if self.a == 13:
            raise ValueError("13 brings bad luck.")


@pytest.mark.parametrize(
    ("value", "error", "words"),
    [
        ({}, InvalidSettingsValue, "of which a must be there"),
        ({"a": 1, "c": 1}, UnknownSettingsField, "Guarded has no field 'c'; its fields are: a, b"),
        ({"a": 1, "fixed": 1}, UnknownSettingsField, "Guarded does not let fixed be set"),
        ({"a": 1, "_own": 1}, UnknownSettingsField, "has no field '_own'"),
        ({"a": 1, "early": 1}, UnknownSettingsField, "has no field 'early'"),
        ({"a": 1, 3: 1}, UnknownSettingsField, "has no field 3"),
        ({"a": 13}, SettingsRefused, "13 brings bad luck. Nothing"),
        ({"a": 1, "b": 0}, SettingsRefused, "division by zero"),
    ],
)
def test_a_type_is_made_of_its_fields_or_says_why_not(value: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error) as caught:
        coerced(shape_of(Guarded), value, "a")
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [("next.next.x", 1.0, 1), ("y", 2, 2.0), ("next", None, None), ("next.next", {"x": 1}, Point(1))],
)
def test_a_path_is_looked_up_in_the_type(path: str, value: Any, expected: Any) -> None:
    assert coerce_settings_field_value(Point, path, value) == expected


@pytest.mark.parametrize("path", ["z", "next.z", "x.y", "x[0]", "[0]", "next[0]"])
def test_a_path_that_leads_nowhere_is_refused(path: str) -> None:
    with pytest.raises(UnknownSettingsField):
        coerce_settings_field_value(Point, path, 1)


@dataclass
class Nested:
    items: list[list[int]]
    row: tuple[int, str]
    table: dict[int, float]
    mixed: list[int] | dict[str, float]
    anything: Any


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        ("items[3][4]", 1.0, 1),
        ("row[1]", "a", "a"),
        ("table.3", 1, 1.0),
        ("mixed.a", 1, 1.0),
        ("mixed[0]", 1.0, 1),
        ("anything.a[3].b", "x", "x"),
    ],
)
def test_a_path_through_containers(path: str, value: Any, expected: Any) -> None:
    taken = coerce_settings_field_value(Nested, path, value)
    assert (taken, type(taken)) == (expected, type(expected))


@pytest.mark.parametrize("path", ["items.a", "row[2]", "table.a", "row.a"])
def test_a_path_past_the_end_of_containers(path: str) -> None:
    with pytest.raises(SettingsCoercionError):
        coerce_settings_field_value(Nested, path, 1)


_NUMBERS = st.integers(-5, 5) | st.floats(-5, 5)
_BOUND = st.none() | _NUMBERS
_LIMITS = st.builds(Limits, _BOUND, _BOUND, st.booleans(), st.booleans())


@given(_LIMITS, _LIMITS, _NUMBERS)
def test_narrowed_limits_hold_what_both_hold(one: Limits, other: Limits, number: float) -> None:
    assert one.narrowed(other).hold(number) == (one.hold(number) and other.hold(number))


@given(_LIMITS, _NUMBERS)
def test_inclusive_bounds_are_the_first_and_last_number_held(limits: Limits, number: float) -> None:
    for whole in (True, False):
        if whole and not float(number).is_integer():
            continue
        lower, upper = limits.inclusive(whole) or (None, None)
        held = (lower is None or number >= lower) and (upper is None or number <= upper)
        assert held == limits.hold(number)


@given(annotations(), json_values())
def test_what_was_taken_once_is_taken_again(annotation: Any, value: Any) -> None:
    shape = shape_of(annotation)
    try:
        once = coerced(shape, value, "a")
    except SettingsCoercionError:
        return
    assert coerced(shape, once, "a") == once
