"""A patch changes one field in a copy, by the rules of whoever declared it, or changes nothing."""

import copy
import dataclasses
import math
import pickle
from dataclasses import InitVar, dataclass, field
from types import MappingProxyType
from typing import Any, NamedTuple

import attrs
import numpy as np
import numpy.typing as npt
import param
import pydantic
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from tests.control.settings_schema.declarations import Colour, Point, json_values

from ezmsg.control.errors import InvalidSettingsValue, SettingsRefused, UnknownSettingsField
from ezmsg.control.settings_schema.describing.structured import structured
from ezmsg.control.settings_schema.fields.paths import Step, joined, parse_path
from ezmsg.control.settingsmeta import (
    SettingsCoercionError,
    coerce_settings_field_value,
    patched,
    settings_structured_value,
)
from ezmsg.protocol.wire.plain import PlainArray


class Corner(NamedTuple):
    a: int
    b: Any = None


CORNER = Corner(1)


class Plain:
    limit: int

    def __init__(self) -> None:
        self.limit = 1
        self.inner = {"k": [1]}

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Plain) and vars(self) == vars(other)

    __hash__ = None  # type: ignore[assignment]

    def method(self) -> None: ...

    @property
    def broken(self) -> int:
        raise ZeroDivisionError

    @property
    def fixed(self) -> int:
        return 1


class Copies:
    def __init__(self, **fields: Any) -> None:
        self.__dict__.update(fields)

    def copy(self, *, update: dict[str, Any]) -> "Copies":
        return Copies(**{**vars(self), **update, "copied": True})


@dataclass(frozen=True)
class Filter:
    cutoff: float = field(default=1.0, metadata={"min": 0.5, "max": 100})
    colour: Colour = Colour.RED
    order: int | None = None


@dataclass(frozen=True)
class Chain:
    filters: list[Filter] = field(default_factory=lambda: [Filter(), Filter(2.0)])
    pair: tuple[int, Filter] = (1, Filter())
    by_name: dict[str, Filter] = field(default_factory=lambda: {"a": Filter()})
    by_number: dict[int, float] = field(default_factory=lambda: {1: 1.0})
    optional: Filter | None = None
    either: list[int] | Filter = field(default_factory=Filter)
    anything: Any = None
    array: Any = field(default_factory=lambda: np.zeros(2))
    corner: Corner = CORNER
    plain: Plain = field(default_factory=Plain)


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        ("filters[1].cutoff", 3, 3.0),
        ("filters[0]", {"cutoff": 3}, Filter(3.0)),
        ("pair[0]", 2.0, 2),
        ("pair[1].colour", "BLUE", Colour.BLUE),
        ("by_name.a.order", 3, 3),
        ("by_name.b", {}, Filter()),
        ("by_number.1", 2, 2.0),
        ("by_number[7]", 2, 2.0),
        ("optional", {"order": 1}, Filter(order=1)),
        ("either.cutoff", 4, 4.0),
        ("either", [1.0], [1]),
        ("anything", {"x": [1]}, {"x": [1]}),
        ("corner.a", 4.0, 4),
        ("corner[0]", 4, 4),
        ("corner.b", "x", "x"),
        ("plain.limit", 2.0, 2),
        ("plain.inner.k[0]", "any", "any"),
    ],
)
def test_what_is_set_is_there_and_the_rest_is_as_it_was(path: str, value: Any, expected: Any) -> None:
    before = Chain(array=None)
    kept = pickle.dumps(before)
    after = patched(before, path, value)
    assert pickle.dumps(before) == kept
    found = read(after, parse_path(path))
    assert (found, type(found)) == (expected, type(expected))
    old = structure(before)
    new = structure(after)
    changed = parse_path(path)[0]
    assert {name: each for name, each in new.items() if name != changed} == {
        name: each for name, each in old.items() if name != changed
    }


def structure(value: Any) -> dict[str, Any]:
    form = settings_structured_value(value)
    assert form is not None
    return form


def read(value: Any, steps: tuple[Step, ...]) -> Any:
    for step in steps:
        if isinstance(value, dict):
            key: Any = step if step in value else int(step)
            value = value[key]
        else:
            value = value[step] if isinstance(step, int) else getattr(value, step)
    return value


@pytest.mark.parametrize(
    ("path", "value", "error", "words"),
    [
        (
            "filters[1].cutoff",
            0,
            InvalidSettingsValue,
            "filters[1].cutoff cannot be 0: it takes a number from 0.5 to 100",
        ),
        ("filters[1].cutoff", "three", InvalidSettingsValue, "filters[1].cutoff cannot be 'three'"),
        ("filters[2].cutoff", 1, UnknownSettingsField, "'filters[2]': there are 2 items"),
        ("filters[2]", {}, UnknownSettingsField, "there are 2 items"),
        ("filters[-1]", {}, UnknownSettingsField, "cannot be negative"),
        ("filters.cutoff", 1, UnknownSettingsField, "named as in [0]"),
        ("filters[0].slope", 1, UnknownSettingsField, "its fields are: cutoff, colour, order"),
        ("filters[0][0]", 1, UnknownSettingsField, "Filter has no field 0"),
        ("pair[2]", 1, UnknownSettingsField, "there are 2 items"),
        ("by_name.z.cutoff", 1, UnknownSettingsField, "there is no such key; the keys are: 'a'"),
        ("by_name[0]", {}, InvalidSettingsValue, "keys that are each a text"),
        ("by_number.x", 1, InvalidSettingsValue, "keys that are each a whole number"),
        ("optional.cutoff", 1, UnknownSettingsField, "None can only be set as a whole"),
        ("array[0]", 1, UnknownSettingsField, "can only be set as a whole"),
        ("plain.limit", "x", InvalidSettingsValue, "a whole number"),
        ("plain.method", 1, UnknownSettingsField, "a method of Plain"),
        ("plain.nothing", 1, UnknownSettingsField, "no such attribute"),
        ("plain.__class__", 1, UnknownSettingsField, "no such attribute"),
        ("plain.__class__.limit", 1, UnknownSettingsField, "no such attribute"),
        ("plain.broken", 1, SettingsRefused, "ZeroDivisionError"),
        ("plain.fixed", 1, SettingsRefused, "fixed"),
        ("anything.x", 1, UnknownSettingsField, "None can only be set as a whole"),
    ],
)
def test_what_cannot_be_set_is_refused(path: str, value: Any, error: type[Exception], words: str) -> None:
    settings = Chain()
    before = structure(settings)
    with pytest.raises(error) as caught:
        patched(settings, path, value)
    assert words in str(caught.value)
    assert isinstance(caught.value, ValueError)
    assert structure(settings) == before


@pytest.mark.parametrize(
    ("settings", "path", "expected"),
    [
        ({"a": {"b": [1, 2]}}, "a.b[1]", {"a": {"b": [1, 5]}}),
        ({"a": 1}, "new", {"a": 1, "new": 5}),
        ({1: 2}, "1", {1: 5}),
        ({"1": 2}, "[1]", {"1": 5}),
        (MappingProxyType({"a": 1}), "a", {"a": 5}),
        ([1, [2]], "[1][0]", [1, [5]]),
        ((1, 2), "[0]", (5, 2)),
        (Corner(1), "b", Corner(1, 5)),
    ],
)
def test_settings_that_are_no_record(settings: Any, path: str, expected: Any) -> None:
    before = copy.copy(settings) if not isinstance(settings, MappingProxyType) else dict(settings)
    after = patched(settings, path, 5)
    assert (after, type(after)) == (expected, type(settings))
    assert settings == before


def test_an_array_that_nobody_declared_stays_an_array() -> None:
    sent = PlainArray("<i2", (1,), b"\x07\x00")
    settings = {"array": np.zeros(2), "other": 1}
    after = patched(settings, "array", sent)
    assert np.array_equal(after["array"], np.array([7], np.int16))
    assert np.array_equal(patched(Chain(), "array", sent).array, after["array"])
    assert patched(settings, "other", sent)["other"] == patched(settings, "new", sent)["new"] == sent


@dataclass
class Numbers:
    whole: int = 1
    real: float = 1.0
    perhaps: float | None = None
    either: int | str = 1
    held: float = field(default=1.0, metadata={"max": 5})
    text: str = ""
    items: list[int] = field(default_factory=list)


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        ("whole", "3", 3),
        ("whole", "-30e1", -300),
        ("whole", str(10**40), 10**40),
        ("real", "3", 3.0),
        ("real", "0.5", 0.5),
        ("real", "-inf", -math.inf),
        ("perhaps", "2.5", 2.5),
        ("either", "3", "3"),
        ("text", "3", "3"),
    ],
)
def test_a_number_may_be_given_as_text(path: str, value: str, expected: Any) -> None:
    new = getattr(patched(Numbers(), path, value), path)
    assert (new, type(new)) == (expected, type(expected))
    typed = coerce_settings_field_value(Numbers, path, value)
    assert (typed, type(typed)) == (expected, type(expected))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        *[("real", each) for each in ("", " 1", "1_0", "0x1", "one", "1,5", "NaN", "True", "+", "1e", "٣")],
        ("whole", "1.5"),
        ("whole", "nan"),
        ("held", "7"),
        ("items", ["1"]),
    ],
)
def test_a_text_that_is_no_number_there_is_refused_as_it_came(path: str, value: Any) -> None:
    with pytest.raises(InvalidSettingsValue, match=r"cannot be ['\[]"):
        patched(Numbers(), path, value)


@dataclass
class Arrays:
    floats: Any = field(default_factory=lambda: np.zeros(2, np.float32))
    counts: npt.NDArray[np.uint8] = field(default_factory=lambda: np.zeros(2, np.uint8))
    perhaps: npt.NDArray[np.float64] | None = None
    rows: npt.NDArray[np.float64] | list[float] = field(default_factory=lambda: np.zeros(1))


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        ("floats", [1, 2.5], np.array([1, 2.5], np.float32)),
        ("floats", [[1, 2], [3, 4]], np.array([[1, 2], [3, 4]], np.float32)),
        ("floats", ["nan", 1, "-inf"], np.array([math.nan, 1, -math.inf], np.float32)),
        ("floats", [], np.array([], np.float32)),
        ("counts", [1.0, 255], np.array([1, 255], np.uint8)),
        ("perhaps", [0.5], np.array([0.5])),
        ("rows", [0.5], np.array([0.5])),
    ],
)
def test_an_array_is_set_from_a_list(path: str, value: Any, expected: Any) -> None:
    new = getattr(patched(Arrays(), path, value), path)
    assert (new.dtype, new.shape) == (expected.dtype, expected.shape)
    assert np.array_equal(new, expected, equal_nan=True)
    again = getattr(patched(patched(Arrays(), path, value), path, structured(new)), path)
    assert np.array_equal(again, expected, equal_nan=True), "what is shown can be set again"


@pytest.mark.parametrize("value", [[1.5], [256], [-1], ["1"], [[1], [1, 2]], ["nan"]])
def test_no_number_is_lost_over_an_array_of_another_type(value: Any) -> None:
    with pytest.raises(InvalidSettingsValue, match=r"counts cannot be .* an array of numbers"):
        patched(Arrays(), "counts", value)


def test_what_only_says_that_it_was_left_out_is_not_taken_for_a_value() -> None:
    settings = {"large": np.zeros(100_000), "inside": {"text": "x" * 100_000}}
    form = structured(settings)
    for path in settings:
        with pytest.raises(InvalidSettingsValue, match="too large to be shown"):
            patched(settings, path, form[path])


def test_an_object_that_copies_itself_is_asked_to() -> None:
    settings = Copies(a=1, b=2)
    assert vars(patched(settings, "a", 5)) == {"a": 5, "b": 2, "copied": True}
    assert vars(settings) == {"a": 1, "b": 2}


def test_an_object_whose_setter_reaches_inside_is_copied_to_the_bottom() -> None:
    class Reaching:
        def __init__(self) -> None:
            self.inner = {"level": 1}

        @property
        def level(self) -> int:
            return self.inner["level"]

        @level.setter
        def level(self, value: int) -> None:
            self.inner["level"] = value

    settings = Reaching()
    assert patched(settings, "level", 5).level == 5
    assert settings.level == 1


@pytest.mark.parametrize("settings", [None, 3, "text", b"x", {1}, int, 1j])
def test_what_has_no_inside(settings: Any) -> None:
    with pytest.raises(UnknownSettingsField, match="can only be set as a whole"):
        patched(settings, "real", 1)


def test_what_refuses_to_be_copied_is_said() -> None:
    @dataclass
    class Unmade:
        a: int
        needed: InitVar[int]

    with pytest.raises(SettingsRefused, match=r"a cannot be 2: .*needed"):
        patched(Unmade(1, 2), "a", 2)


@pytest.mark.parametrize("provider", ["dataclass", "attrs", "pydantic", "param"])
def test_several_are_changed_together_or_not_at_all(provider: str) -> None:
    settings = band(provider)
    moved = patched(settings, "", {"low": 20.0, "high": 30})
    assert (moved.low, moved.high) == (20.0, 30.0)
    assert (settings.low, settings.high) == (1.0, 10.0)
    with pytest.raises(SettingsCoercionError, match="high"):
        patched(settings, "", {"low": 2.0, "high": "loud"})
    assert (settings.low, settings.high) == (1.0, 10.0)


def band(provider: str) -> Any:
    """Settings that are asked as a whole whether their low is below their high, where the library can ask."""
    if provider == "param":

        class Parameters(param.Parameterized):  # type: ignore[misc]
            low = param.Number(1.0)
            high = param.Number(10.0)

        return Parameters()

    def ordered(self: Any) -> None:
        if self.low >= self.high:
            raise ValueError("low is not below high")

    if provider == "attrs":
        return attrs.make_class(
            "Attrs",
            {"low": attrs.field(type=float, default=1.0), "high": attrs.field(type=float, default=10.0)},
            class_body={"__attrs_post_init__": ordered},
        )()
    if provider == "pydantic":

        class Model(pydantic.BaseModel):
            low: float = 1.0
            high: float = 10.0

            @pydantic.model_validator(mode="after")
            def check(self) -> "Model":
                ordered(self)
                return self

        return Model()
    return dataclasses.make_dataclass(
        "Data", [("low", float, 1.0), ("high", float, 10.0)], namespace={"__post_init__": ordered}
    )()


@dataclass
class Bands:
    one: Any
    many: list[Any]
    named: dict[str, Any]
    gain: float = 1.0


@given(st.dictionaries(st.sampled_from(["x", "y", "next.x", "next.y", "z"]), json_values(), min_size=1))
def test_together_is_one_after_the_other_or_nothing(changes: dict[str, Any]) -> None:
    settings = expected = Point(next=Point())
    try:
        for path, value in changes.items():
            expected = patched(expected, path, value)
    except SettingsCoercionError:
        with pytest.raises(SettingsCoercionError):  # for another of them, perhaps: they go field by field
            patched(settings, "", changes)
    else:
        assert patched(settings, "", changes) == expected
    assert settings == Point(next=Point())


def test_changes_inside_one_field_add_up() -> None:
    assert patched({"a": {"x": 1, "y": 2}}, "", {"a.x": 3, "a.y": 4}) == {"a": {"x": 3, "y": 4}}


@pytest.mark.parametrize("provider", ["dataclass", "attrs", "pydantic"])
@pytest.mark.parametrize("lead", ["one.", "many[1].", "named.a."])
def test_fields_of_a_record_inside_are_changed_together_too(provider: str, lead: str) -> None:
    """Each by itself would break what the record's type says of its fields as a whole."""
    settings = Bands(band(provider), [band(provider), band(provider)], {"a": band(provider)})
    for names in (("low", "high"), ("high", "low")):
        values = {"low": 50.0, "high": 60.0}
        after = patched(settings, "", {f"{lead}{name}": values[name] for name in names} | {"gain": 2.0})
        found = read(after, parse_path(lead.removesuffix(".")))
        assert (found.low, found.high, after.gain) == (50.0, 60.0, 2.0)
    with pytest.raises(SettingsRefused, match="low is not below high"):
        patched(settings, "", {f"{lead}low": 60.0, f"{lead}high": 50.0})


def test_a_validator_is_asked_once_of_what_was_changed_inside() -> None:
    seen: list[Any] = []

    @dataclass
    class Edges:
        edges: list[int] = field(default_factory=lambda: [1, 2], metadata={"validator": seen.append})

    assert patched(Edges(), "", {"edges[0]": 7, "edges[1]": 8}).edges == [7, 8]
    assert seen == [[7, 8]]


@pytest.mark.parametrize(
    "changes",
    [
        {"one.low": 9.0, "one": {"low": 1.0, "high": 2.0}},
        {"one": {"low": 1.0, "high": 2.0}, "gain": 2.0, "one.low": 9.0},
        {"many[0].low": 2.0, "many": []},
        {"named": {}, "named.a.low": 2.0},
    ],
)
def test_no_path_leads_into_what_another_one_replaces(changes: dict[str, Any]) -> None:
    """Whichever came last would win, and the other would be lost without a word."""
    settings = Bands(band("dataclass"), [band("dataclass")], {"a": band("dataclass")})
    with pytest.raises(SettingsRefused, match="sets it in more than one way"):
        patched(settings, "", changes)


@pytest.mark.parametrize("changes", [None, {}, {1: 2}, [("low", 1)]])
def test_what_is_no_set_of_changes(changes: Any) -> None:
    with pytest.raises(InvalidSettingsValue, match="a mapping of paths to values"):
        patched(band("dataclass"), "", changes)


def test_a_validator_sees_what_was_changed_inside() -> None:
    def ordered(values: list[int]) -> None:
        if values != sorted(values):
            raise ValueError("the edges must rise")

    @dataclass
    class Edges:
        edges: list[int] = field(default_factory=lambda: [1, 2], metadata={"validator": ordered})
        shape: Any = field(default=(1, 2), metadata={"choices": [(1, 2), (3, 2)]})

    assert patched(Edges(), "edges[1]", 3).edges == [1, 3]
    assert patched(Edges(), "shape[0]", 3).shape == (3, 2)
    with pytest.raises(SettingsRefused, match="the edges must rise"):
        patched(Edges(), "edges[1]", 0)
    with pytest.raises(InvalidSettingsValue, match="one of"):
        patched(Edges(), "shape[0]", 4)


def test_a_part_that_breaks_its_declaration_is_in_nobodys_way() -> None:
    settings = Chain(filters=[Filter(-1.0), Filter()])
    assert patched(settings, "filters[1].cutoff", 7).filters == [Filter(-1.0), Filter(7.0)]


def holds(form: Any, value: Any) -> bool:
    """Whether everything a value says is in a structured form, in which fields it left out have their defaults."""
    if not isinstance(form, dict) or not isinstance(value, dict):
        return bool(form == value)
    return all(name in form and holds(form[name], each) for name, each in value.items())


@given(value=json_values(), name=st.sampled_from(["x", "y", "next", "next.y", "z"]))
@example(value={"next": {}}, name="next")
@example(value={"next": {"x": 1.0, "next": {}}}, name="next")
def test_patch_then_read_gives_the_value_and_the_original_is_unchanged(value: Any, name: str) -> None:
    settings = Point(next=Point())
    try:
        after = patched(settings, name, value)
    except SettingsCoercionError:
        pass
    else:
        found = read(after, parse_path(name))
        assert found == value or holds(structure(Point(next=found))["next"], value)
    assert settings == Point(next=Point())


class Patches(RuleBasedStateMachine):
    """Whatever is sent to settings, in any order: the bounds hold, and what was refused changed nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.settings = Chain(array=None)

    @rule(
        path=st.sampled_from(
            ["filters[0]", "filters[1].cutoff", "pair[1].cutoff", "by_name.a", "optional", "either"]
        ),
        value=json_values() | st.fixed_dictionaries({"cutoff": st.floats() | st.integers(-10, 200)}) | st.floats(),
    )
    def patch(self, path: str, value: Any) -> None:
        before = self.settings
        kept = pickle.dumps(before)
        try:
            self.settings = patched(before, path, value)
        except SettingsCoercionError:
            assert self.settings is before
        assert pickle.dumps(before) == kept

    @invariant()
    def bounds_hold(self) -> None:
        chain = self.settings
        some = (chain.pair[1], chain.optional, chain.either)
        for each in (*chain.filters, *chain.by_name.values(), *(one for one in some if isinstance(one, Filter))):
            assert type(each.cutoff) is float
            assert 0.5 <= each.cutoff <= 100


TestPatches = Patches.TestCase


_NAMES = st.text(st.characters(exclude_characters=".[]", exclude_categories=["Cs"]), min_size=1, max_size=4)


@given(st.lists(_NAMES | st.integers(0, 10**9 - 1), min_size=1, max_size=6))
def test_a_path_is_read_as_it_is_written(steps: list[Step]) -> None:
    path = ""
    for step in steps:
        path = joined(path, step)
    assert parse_path(path) == tuple(steps)


@given(st.text(st.sampled_from("ab.[]-01 "), max_size=8))
def test_a_text_is_a_path_or_refused_by_name(text: str) -> None:
    try:
        steps = parse_path(text)
    except UnknownSettingsField:
        return
    again = ""
    for step in steps:
        again = joined(again, step)
    assert parse_path(again) == steps


@pytest.mark.parametrize(
    "path", ["", ".", "a.", ".a", "a..b", "a[", "a[]", "a[x]", "a]", "a[0]b", "a.[0]", "[1e9]"]
)
def test_what_is_no_path(path: str) -> None:
    with pytest.raises(UnknownSettingsField, match="is missing at"):
        parse_path(path)


@pytest.mark.parametrize("path", ["[9999999999]", "a" + ".a" * 64, "[" * 10_000, "a[0" * 10_000])
def test_what_is_too_long_is_refused(path: str) -> None:
    with pytest.raises(UnknownSettingsField):
        parse_path(path)
