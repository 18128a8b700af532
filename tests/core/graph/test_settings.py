"""Settings classes are frozen dataclasses without a decorator."""

import pickle
from abc import abstractmethod
from dataclasses import FrozenInstanceError, asdict, dataclass, field, fields, replace
from typing import Generic, TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ezmsg.core.graph.settings import Settings

T = TypeVar("T")


class Filter(Settings):
    order: int
    low_hz: float = 5.0


class Wide(Filter):
    bands: list[float] = field(default_factory=list)


@dataclass(frozen=True)
class Source:
    path: str = "record"


class Replay(Settings, Source):
    speed: float = 1.0


class Boxed(Settings, Generic[T]):
    value: T


@given(order=st.integers(), low_hz=st.floats(allow_nan=False))
def test_settings_behave_as_values(order: int, low_hz: float) -> None:
    settings = Filter(order, low_hz)
    assert settings == Filter(order=order, low_hz=low_hz)
    assert hash(settings) == hash(Filter(order, low_hz))
    assert asdict(settings) == {"order": order, "low_hz": low_hz}
    assert replace(settings, order=0) == Filter(0, low_hz)
    assert pickle.loads(pickle.dumps(settings)) == settings


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        Filter(1).order = 2  # type: ignore[misc]


def test_a_field_without_default_is_required() -> None:
    with pytest.raises(TypeError, match="order"):
        Filter()  # type: ignore[call-arg]


def test_subclasses_add_fields_and_factories() -> None:
    assert [each.name for each in fields(Wide)] == ["order", "low_hz", "bands"]
    assert Wide(1).bands == []
    assert Wide(1).bands is not Wide(1).bands


def test_dataclasses_can_be_mixed_in() -> None:
    assert Replay("other", speed=2.0) == Replay(path="other", speed=2.0)
    assert isinstance(Replay(), Settings)


def test_the_base_class_is_the_settings_of_a_component_that_has_none() -> None:
    assert Settings() == Settings()
    assert fields(Settings()) == ()


def test_generic_and_abstract_settings() -> None:
    class Shape(Settings):
        @abstractmethod
        def area(self) -> float: ...

    assert Boxed(3).value == 3
    with pytest.raises(TypeError, match="abstract"):
        Shape()  # type: ignore[abstract]


def test_options_of_the_class_statement() -> None:
    class Named(Settings, kw_only=True, order=True, frozen=True):
        first: int = 1
        second: int

    assert Named(second=2) < Named(second=3)
    with pytest.raises(TypeError):
        Named(1, 2)  # type: ignore[misc]
