"""Settings in their two reported forms, neither of which ever fails."""

import enum
import pathlib
import pickle
import threading
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ezmsg.control.settingsmeta import settings_repr_value
from ezmsg.core.graph.initial_settings import initial_settings
from ezmsg.core.graph.settings import Settings


class Colour(enum.Enum):
    RED = 1


class Level(enum.IntEnum):
    HIGH = 3


@dataclass
class Point:
    x: int = 1


class Box(Settings):
    value: Any


class Broken:
    def __repr__(self) -> str:
        raise ZeroDivisionError

    def __reduce__(self) -> Any:
        raise ZeroDivisionError


@pytest.mark.parametrize(
    ("value", "readable"),
    [
        (None, None),
        (True, True),
        (3, 3),
        (1.5, 1.5),
        ("text", "text"),
        (Colour.RED, 1),
        (Level.HIGH, 3),
        (b"x", "b'x'"),
        (1j, "1j"),
        (int, "<class 'int'>"),
        (pathlib.PurePosixPath("/x"), "PurePosixPath('/x')"),
        ((1, 2), [1, 2]),
        ({1}, [1]),
        ({1: 2}, {"1": 2}),
        (Point(), {"x": 1}),
        ([Point(2)], [{"x": 2}]),
        ({"a": {"b": (Colour.RED, Box(3))}}, {"a": {"b": [1, {"value": 3}]}}),
    ],
)
def test_the_readable_form_is_that_of_the_public_package(value: Any, readable: Any) -> None:
    assert settings_repr_value(Box(value)) == {"value": readable}


@pytest.mark.parametrize(("settings", "readable"), [(None, "None"), (3, "3"), ({"a": 1}, {"a": 1})])
def test_settings_that_are_no_dataclass(settings: Any, readable: Any) -> None:
    assert settings_repr_value(settings) == readable


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(value=PLAIN)
def test_plain_values_stay_and_the_bytes_give_the_settings_back(value: Any) -> None:
    pickled, readable = initial_settings(Box(value), "A")
    assert readable == {"value": value}
    assert pickled is not None
    assert pickle.loads(pickled) == Box(value)


@pytest.mark.parametrize("value", [lambda: None, threading.Lock(), Broken()])
def test_what_cannot_be_pickled_has_no_bytes_and_says_so(value: Any, caplog: pytest.LogCaptureFixture) -> None:
    pickled, readable = initial_settings(Box(value), "R/UNIT")
    assert pickled is None
    assert isinstance(readable, dict)
    assert "The settings of R/UNIT cannot be pickled" in caplog.text


def test_a_structure_without_an_end_has_one_in_the_readable_form() -> None:
    endless: list[Any] = []
    endless.append(endless)
    assert settings_repr_value(Box(endless)) == {"value": ["..."]}


def test_a_field_without_a_value_is_none() -> None:
    assert settings_repr_value(object.__new__(Box)) == {"value": None}
