"""How components are constructed, and what their classes declare."""

import copy
import logging
import pickle
import re
import sys
import types
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, Generic, TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ezmsg.core.graph.component import Component
from ezmsg.core.graph.settings import Settings
from ezmsg.core.graph.state import State
from ezmsg.core.graph.streams import InputStream, OutputStream
from ezmsg.core.graph.unit import Unit

T = TypeVar("T")


class Gain(Settings):
    factor: float
    offset: float = 0.0


class Limits(Settings):
    low: float = 0.0


class FineGain(Gain):
    digits: int = 3


class Memory(State):
    last: float = 0.0


class Amplifier(Unit):
    SETTINGS = Gain
    STATE = Memory
    IN = InputStream(float)
    OUT = OutputStream(float)


class TestConstruction:
    @given(factor=st.floats(allow_nan=False), offset=st.floats(allow_nan=False))
    def test_every_way_to_give_settings_leads_to_the_same(self, factor: float, offset: float) -> None:
        settings = Gain(factor, offset)
        made = [
            Amplifier(settings=settings),
            Amplifier(settings),
            Amplifier(factor, offset),
            Amplifier(factor, offset=offset),
            Amplifier(factor=factor, offset=offset),
            Amplifier(settings=None, factor=factor, offset=offset),
        ]
        late = Amplifier()
        assert late.SETTINGS is None
        late.apply_settings(settings)
        for unit in [*made, late]:
            assert settings == unit.SETTINGS
            assert unit._settings_applied

    def test_settings_by_keyword_come_first_and_an_instance_before_its_fields(self) -> None:
        assert Gain(2) == Amplifier(Gain(1), settings=Gain(2)).SETTINGS
        assert Gain(2) == Amplifier(3, settings=Gain(2)).SETTINGS
        assert Gain(1) == Amplifier(Gain(1), 2).SETTINGS
        assert FineGain(1) == Amplifier(FineGain(1)).SETTINGS

    @pytest.mark.parametrize(
        ("made", "said"),
        [
            (
                lambda: Amplifier(factr=1),
                "Gain has no field factr; is factor meant? Its fields are: factor, offset.",
            ),
            (lambda: Amplifier(nonsense=1), "Gain has no field nonsense. Its fields are: factor, offset."),
            (lambda: Amplifier(offset=1), "Gain cannot be made: missing a required argument: 'factor'. Its fields"),
            (lambda: Amplifier(1, 2, 3), "Gain cannot be made: too many positional arguments. Its fields are: fac"),
            (lambda: Unit(factor=1), "it has no settings; assign SETTINGS in its class."),
        ],
    )
    def test_arguments_that_are_none_of_the_settings_are_named_with_the_fields(
        self, made: Callable[[], Unit], said: str
    ) -> None:
        with pytest.raises(TypeError, match=re.escape(said)):
            made()

    def test_what_settings_raise_of_themselves_is_raised(self) -> None:
        class Picky(Settings):
            factor: float = 1.0

            def __post_init__(self) -> None:
                raise TypeError("a factor is never so small")

        class Fine(Unit):
            SETTINGS = Picky

        with pytest.raises(TypeError, match=r"^a factor is never so small$"):
            Fine(factor=0.1)

    def test_without_a_settings_type_there_are_empty_settings(self) -> None:
        assert Settings() == Unit().SETTINGS
        assert Unit()._settings_applied

    def test_a_required_field_leaves_no_settings(self) -> None:
        unit = Amplifier()
        assert (unit.SETTINGS, unit._settings_applied) == (None, False)

    def test_settings_of_another_type_are_taken_and_reported(self, caplog: pytest.LogCaptureFixture) -> None:
        unit = Amplifier(1)
        unit.apply_settings(Limits())
        assert Limits() == unit.SETTINGS
        assert "Amplifier takes settings of type Gain and was given Limits" in caplog.text

    def test_an_overridden_apply_settings_sees_those_of_the_constructor(self) -> None:
        seen = []

        class Watching(Amplifier):
            def apply_settings(self, settings: Settings) -> None:
                seen.append(settings)
                super().apply_settings(settings)

        Watching()
        Watching(2)
        assert seen == [Gain(2)]

    def test_there_is_no_state_yet(self) -> None:
        assert Amplifier(1).STATE is None


class TestInstances:
    def test_streams_are_the_instances_own(self) -> None:
        first, second = Amplifier(1), Amplifier(1)
        assert first.IN is first.streams["IN"]
        assert first.IN is not second.IN
        assert first.IN is not Amplifier.IN

    def test_streams_follow_their_component(self) -> None:
        unit = Amplifier(1)
        unit._set_name("AMP")
        unit._set_location(["ROOT"])
        assert (unit.address, unit.IN.address, unit.OUT.address) == ("ROOT/AMP", "ROOT/AMP/IN", "ROOT/AMP/OUT")

    @pytest.mark.parametrize("clone", [copy.deepcopy, lambda unit: pickle.loads(pickle.dumps(unit))])
    def test_a_copy_is_whole_and_its_own(self, clone: Any) -> None:
        unit = Amplifier(1)
        unit._set_name("AMP")
        unit._set_location([])
        other = clone(unit)
        assert (other.SETTINGS, other.address, other.OUT.address) == (Gain(1), "AMP", "AMP/OUT")
        assert other.OUT is other.streams["OUT"]
        assert other.OUT is not unit.OUT

    def test_a_component_that_nobody_named_has_its_classes_name(self) -> None:
        unit = Amplifier(1)
        unit._set_location(["ROOT"])
        assert unit.OUT.address == "ROOT/Amplifier/OUT"


class TestTypes:
    """``SETTINGS`` and ``STATE``: assigned, annotated, inherited, wrong."""

    @pytest.mark.parametrize("base", [Component, Unit])
    def test_defaults(self, base: type[Component]) -> None:
        assert (base.__settings_type__, base.__state_type__) == (Settings, State)

    def test_assigned(self) -> None:
        assert (Amplifier.__settings_type__, Amplifier.__state_type__) == (Gain, Memory)

    def test_defined_in_place(self) -> None:
        class Inner(Unit):
            class SETTINGS(Settings):
                level: int = 4

        assert Inner().SETTINGS.level == 4

    def test_annotated_works_with_a_warning(self, caplog: pytest.LogCaptureFixture) -> None:
        class Old(Unit):
            SETTINGS: Gain
            STATE: Memory

        assert (Old.__settings_type__, Old.__state_type__) == (Gain, Memory)
        assert Gain(2) == Old(2).SETTINGS
        assert "write `SETTINGS = Gain`" in caplog.text

    def test_annotations_may_be_text(self, caplog: pytest.LogCaptureFixture) -> None:
        module = types.ModuleType("annotated_as_text")
        module.Gain = Gain  # type: ignore[attr-defined]
        module.gains = types.SimpleNamespace(Fine=FineGain)  # type: ignore[attr-defined]
        sys.modules[module.__name__] = module
        body = {"__module__": module.__name__}
        try:
            old = type("Old", (Unit,), body | {"__annotations__": {"SETTINGS": "Gain"}})
            dotted = type("Old", (Unit,), body | {"__annotations__": {"SETTINGS": "gains.Fine"}})
            unknown = type("Old", (Unit,), body | {"__annotations__": {"SETTINGS": "Nowhere"}})
        finally:
            del sys.modules[module.__name__]
        assert (old.__settings_type__, dotted.__settings_type__) == (Gain, FineGain)
        assert unknown.__settings_type__ is Settings
        assert caplog.records

    def test_a_wrong_base_is_an_error_in_the_log_only(self, caplog: pytest.LogCaptureFixture) -> None:
        class Plain:
            pass

        class Wrong(Unit):
            SETTINGS = Plain
            STATE = Plain

        assert (Wrong.__settings_type__, Wrong.__state_type__) == (Plain, Plain)
        assert [record.levelno for record in caplog.records] == [logging.ERROR, logging.ERROR]
        assert "Wrong.SETTINGS is TestTypes" in caplog.text

    def test_an_instance_stands_for_its_type(self) -> None:
        class Given(Unit):
            SETTINGS = Gain(1)

        assert Given.__settings_type__ is Gain

    def test_what_is_no_class_has_no_effect(self, caplog: pytest.LogCaptureFixture) -> None:
        class Wrong(Amplifier):
            SETTINGS = 3

        assert Wrong.__settings_type__ is Gain
        assert "Wrong.SETTINGS is 3 and has no effect" in caplog.text

    def test_inherited(self) -> None:
        class Plain(Unit):
            pass

        class Limited(Unit):
            SETTINGS = Limits

        class Mixin:
            pass

        class Typed(Amplifier, Generic[T]): ...

        class OfInt(Typed[int], ABC): ...

        for heir in (
            type("Heir", (Amplifier,), {}),
            type("Heir", (Mixin, Amplifier), {}),
            type("Heir", (Plain, Amplifier), {}),
            type("Heir", (Amplifier, Limited), {}),
            OfInt,
        ):
            assert (heir.__settings_type__, heir.__state_type__) == (Gain, Memory)


def test_abstract_units_cannot_be_made_and_mixing_with_abc_works_both_ways() -> None:
    class Shape(Unit):
        @abstractmethod
        def area(self) -> float: ...

    class First(ABC, Unit):
        pass

    class Second(Unit, ABC):
        pass

    with pytest.raises(TypeError, match="abstract"):
        Shape()  # type: ignore[abstract]
    assert isinstance(First(), Unit)
    assert isinstance(Second(), Unit)
