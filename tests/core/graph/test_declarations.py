"""What a class declares that could not work is refused when it is made, or said; what works is taken in silence."""

import threading
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import attrs
import numpy as np
import param
import pydantic
import pytest

from ezmsg.core.errors import InvalidComponent, InvalidDecoration
from ezmsg.core.graph import decorators as ez
from ezmsg.core.graph.collection import Collection
from ezmsg.core.graph.metadata import component_metadata
from ezmsg.core.graph.settings import Settings
from ezmsg.core.graph.state import State
from ezmsg.core.graph.streams import InputStream, OutputStream
from ezmsg.core.graph.unit import Unit

IN = InputStream(int)
OUT = OutputStream(int)


async def run(self: Any) -> None: ...


async def take(self: Any, message: int) -> None: ...


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"work": ez.task(lambda self: None)}, "work is decorated with @task"),
        ({"work": ez.main(lambda self: None)}, "work is decorated with @main"),
        ({"work": ez.subscriber(IN)(lambda self, message: None)}, "work is decorated with @subscriber"),
        ({"work": ez.publisher(OUT)(lambda self: None)}, "work is decorated with @publisher"),
        ({"STATE": State}, "it has a STATE"),
        ({"__annotations__": {"STATE": State}}, "it has a STATE"),
    ],
)
def test_a_collection_runs_nothing(body: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidComponent, match=f"Wrong: {words}"):
        type("Wrong", (Collection,), body)


@pytest.mark.parametrize(
    ("decorate", "function", "words"),
    [
        (ez.task, lambda: None, r"@task on Wrong\.work: it would be called as def work\(self\)"),
        (ez.task, lambda self, message: None, "Only one with @subscriber is given a message"),
        (ez.main, lambda self, message: None, r"def work\(self\)"),
        (ez.publisher(OUT), lambda self, message: None, r"def work\(self\)"),
        (ez.subscriber(InputStream(int)), lambda self, one, other: None, r"def work\(self, message\)"),
        (ez.subscriber(InputStream(int)), lambda self, *, message: None, r"def work\(self, message\)"),
        (lambda func: classmethod(ez.task(func)), lambda cls: None, "leave @classmethod out"),
        (lambda func: staticmethod(ez.task(func)), lambda: None, "leave @staticmethod out"),
    ],
)
def test_what_cannot_be_called_is_refused(decorate: Any, function: Any, words: str) -> None:
    with pytest.raises(InvalidDecoration, match=words):
        type("Wrong", (Unit,), {"work": decorate(function)})


@pytest.mark.parametrize("function", [lambda self, message=1: None, lambda *args: None, lambda self, m, n=2: None])
def test_what_can_be_called_is_not(function: Any) -> None:
    stream = InputStream(int)
    unit = type("Right", (Unit,), {"INPUT": stream, "work": ez.subscriber(stream)(function)})()
    unit.tasks["work"](unit, 1)


def test_a_subscriber_without_a_message_is_called_without_it() -> None:
    class Counts(Unit):
        INPUT = InputStream(int)
        OUTPUT = OutputStream(int)

        @ez.subscriber(INPUT)
        def count(self) -> str:
            return "counted"

        @ez.subscriber(INPUT)
        @ez.publisher(OUTPUT)
        @ez.timeit
        async def pulse(self) -> AsyncIterator[Any]:
            yield self.OUTPUT, 1

    class Derived(Counts): ...

    for unit in (Counts(), Derived()):
        assert unit.tasks["count"](unit, 5) == "counted"
        assert hasattr(unit.tasks["pulse"](unit, 5), "__anext__")
        assert unit.tasks["pulse"].__name__ == "pulse"
        unit._set_name("U")
        unit._set_location()
        assert [each.subscribes for each in component_metadata(unit).tasks] == ["U/INPUT", "U/INPUT"]


def test_what_nobody_runs_is_said(caplog: pytest.LogCaptureFixture) -> None:
    class Mixin:
        work = ez.task(lambda self: None)

    class Child(Unit): ...

    assert caplog.text == ""

    class Mixed(Mixin, Unit):
        CHILD = Child()

    class Derived(Mixed): ...

    said = [record.getMessage() for record in caplog.records]
    assert len(said) == 2
    assert "Mixed.CHILD is a component on a Unit" in said[0]
    assert "Mixed inherits work with @task from" in said[1]


def test_what_only_a_unit_has_called_is_said(caplog: pytest.LogCaptureFixture) -> None:
    class Box(Collection):
        async def initialize(self) -> None: ...

        def shutdown(self) -> None: ...

    class Derived(Box): ...

    said = [record.getMessage() for record in caplog.records]
    assert ["Box.initialize() is called by nobody" in each for each in said] == [True, False]
    assert ["Box.shutdown() is called by nobody" in each for each in said] == [False, True]


@dataclass
class OfDataclass:
    gain: float = 1.0


@attrs.define
class OfAttrs:
    gain: float = 1.0


class OfPydantic(pydantic.BaseModel):
    gain: float = 1.0


class OfParam(param.Parameterized):  # type: ignore[misc]
    gain = param.Number(1.0)


@pytest.mark.parametrize("settings_type", [OfDataclass, OfAttrs, OfPydantic, OfParam])
def test_settings_of_any_library_work_in_silence(settings_type: Any, caplog: pytest.LogCaptureFixture) -> None:
    cls: Any = type("Tuned", (Unit,), {"SETTINGS": settings_type})
    assert cls(gain=2.0).SETTINGS.gain == cls(settings_type(gain=2.0)).SETTINGS.gain == 2.0
    assert cls(settings=settings_type()).SETTINGS.gain == 1.0
    assert caplog.text == ""


def test_a_class_without_fields_is_still_an_error_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    type("Tuned", (Unit,), {"SETTINGS": type("Bare", (), {})})
    assert "must be a subclass of ezmsg.core.Settings" in caplog.text


class Mine(Settings):
    gain: float = 1.0


class Nesting(Settings):
    inner: Mine = Mine()


class Open(Settings):
    anything: Any = None


class Other(Settings):
    rate: int = 1


def test_settings_of_another_class_are_named_with_both() -> None:
    unit: Any
    for cls, given in ((Mine, Other()), (Mine, OfDataclass()), (Nesting, Other()), (Mine, Nesting())):
        unit = type("Src", (Unit,), {"SETTINGS": cls})
        words = f"Src: it takes settings of type {cls.__name__} and was given {type(given).__name__}; give it"
        with pytest.raises(InvalidComponent, match=words):
            unit(given)
    with pytest.raises(InvalidComponent, match="type Settings and was given OfDataclass; assign SETTINGS"):
        type("Src", (Unit,), {})(OfDataclass())
    unit = type("Src", (Unit,), {"SETTINGS": Nesting})
    assert Nesting(Mine(2.0)) == unit(Mine(2.0)).SETTINGS
    unit = type("Src", (Unit,), {"SETTINGS": Open})
    assert Open(Other()) == unit(Other()).SETTINGS


def test_what_cannot_be_copied_into_a_collection_is_named() -> None:
    class Holds(Settings):
        table: dict[str, Any] = field(default_factory=dict)

    class Locked(Unit):
        SETTINGS = Holds

    locked = Locked(table={"key": [threading.Lock()]})

    class Box(Collection):
        UNIT = locked

    named = r"Box\.UNIT: .*Box\.UNIT\.SETTINGS\.table\['key'\]\[0\].*a lock"
    with pytest.raises(InvalidComponent, match=named) as caught:
        Box()
    assert isinstance(caught.value.__cause__, TypeError)


def test_the_type_of_messages_need_not_be_copied() -> None:
    class Strange(Unit):
        INPUT = InputStream(threading.Lock())

    Strange()


M = TypeVar("M")
N = TypeVar("N")


class Base(Unit, Generic[M, N]):
    INPUT_SETTINGS = InputStream(N)
    INPUT = InputStream(M)
    OUTPUT = OutputStream(list[M])
    EITHER = OutputStream(M | None)


class Half(Base[M, Mine]): ...


class Whole(Half[np.ndarray]): ...


class Direct(Base[int, str]): ...


def types_of(cls: Any) -> list[Any]:
    return [stream.msg_type for stream in cls().streams.values()]


def test_the_messages_of_a_generic_unit_are_of_the_type_argument() -> None:
    assert types_of(Whole) == [Mine, np.ndarray, list[np.ndarray], np.ndarray | None]
    assert types_of(Direct) == [str, int, list[int], int | None]
    assert types_of(Half) == [Mine, M, list[M], M | None]
    assert types_of(Base) == [N, M, list[M], M | None]
    unit = Whole()
    unit._set_name("U")
    unit._set_location()
    metadata = component_metadata(unit)
    assert metadata.streams["INPUT"].msg_type == "numpy.ndarray"
    assert metadata.dynamic_settings.settings_type == f"{__name__}.Mine"
