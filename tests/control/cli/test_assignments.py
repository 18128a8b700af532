"""What is written on a command line, and what it stands for."""

import math
from typing import Any, Literal

import attrs
import pytest

from ezmsg.control.cli.assignments import split, value_of
from ezmsg.control.cli.targets import resolved
from ezmsg.control.errors import InvalidAssignment, UnknownTarget
from ezmsg.control.settings_schema.describing.json_paths import subschema
from ezmsg.control.settingsmeta import settings_json_schema


@attrs.define
class Point:
    x: float = 0.0
    next: "Point | None" = None


@attrs.define
class Everything:
    whole: int = 0
    real: float = 0.0
    flag: bool = False
    text: str = ""
    maybe: int | None = None
    mode: Literal["a", 2, True] = "a"
    points: list[Point] = attrs.field(factory=list)
    pair: tuple[int, str] = (1, "")
    table: dict[str, bool] = attrs.field(factory=dict)
    anything: Any = None


@pytest.mark.parametrize(
    ("path", "text", "value"),
    [
        ("whole", "7", 7),
        ("whole", "7.5", 7.5),
        ("whole", "seven", "seven"),
        ("real", "-1e3", -1000.0),
        ("real", "3", 3),
        ("real", "inf", math.inf),
        ("flag", "true", True),
        ("flag", "Off", False),
        ("flag", "1", 1),
        ("text", "7", "7"),
        ("text", "true", "true"),
        ("text", "", ""),
        ("maybe", "none", None),
        ("maybe", "3", 3),
        ("mode", "a", "a"),
        ("mode", "2", 2),
        ("mode", "true", True),
        ("points", '[{"x": 1}]', [{"x": 1}]),
        ("points[0].x", "2", 2),
        ("points[5].next.next.x", "2.5", 2.5),
        ("pair[1]", "7", "7"),
        ("table.key", "on", True),
        ("anything", "[1, null]", [1, None]),
        ("anything", "[1, ", "[1, "),
        ("nothing", "7", 7),
        ("nothing.at[3]", "x", "x"),
        ("not a [path", "7", 7),
    ],
)
def test_a_text_becomes_what_the_field_takes(path: str, text: str, value: Any) -> None:
    found = value_of(text, subschema(settings_json_schema(Everything), path))
    assert found == value
    assert type(found) is type(value)


def test_without_a_schema_anything_is_allowed() -> None:
    assert subschema(None, "a.b") == {}


def test_assignments() -> None:
    assert split(["a=1", "b.c=x=y", "d[0]="]) == {"a": "1", "b.c": "x=y", "d[0]": ""}
    for wrong in (["a"], ["=1"]):
        with pytest.raises(InvalidAssignment, match=rf"'{wrong[0]}' is no FIELD=VALUE\. Write it like cutoff=60\."):
            split(wrong)
    with pytest.raises(InvalidAssignment, match=r"'a=2' sets a field that is set already\. Name each field once."):
        split(["a=1", "a=2"])


def test_targets() -> None:
    known = ["P", "P/FILTER", "P/FIRST", "Q/X"]
    assert resolved("P", known, "unit") == "P"
    assert resolved("P/FIL", known, "unit") == "P/FILTER"
    assert resolved("Q", known, "unit") == "Q/X"
    with pytest.raises(UnknownTarget, match=r"'P/FI' begins several: P/FILTER, P/FIRST\."):
        resolved("P/FI", known, "unit")
    with pytest.raises(UnknownTarget, match=r"No unit has an address that is 'P/FITLER' .*\. Is one .*: P/FILTER"):
        resolved("P/FITLER", known, "unit")
    with pytest.raises(UnknownTarget, match=r"Is one of these meant: P/FILTER\?"):
        resolved("filt", known, "unit")
    with pytest.raises(UnknownTarget, match=r"'xyz' or begins so\. There are: P, P/FILTER, P/FIRST, Q/X\."):
        resolved("xyz", known, "unit")
    with pytest.raises(UnknownTarget, match=r"There are: A0, .*, A7 and 2 more\."):
        resolved("xyz", [f"A{n}" for n in range(10)], "unit")
    with pytest.raises(UnknownTarget, match="There is none at all"):
        resolved("xyz", [], "unit")


def test_lists_stay_lists_and_become_arrays_where_they_are_put() -> None:
    array = {"type": "object", "properties": {"$array": {}}}
    for schema in (array, {"anyOf": [{"type": "null"}, array]}, {}):
        assert value_of("[[1, 2], [3, 4]]", schema) == [[1, 2], [3, 4]]
