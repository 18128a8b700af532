"""Classes that attrs writes when the first of them is made: until then and afterwards they are what attrs makes."""

import copy
import pickle
import threading
from typing import Any, ClassVar

import attrs
import pytest

from ezmsg.protocol.declared import changed, declared, declared_error, fields_of, written


@declared
class Sent:
    """Comes by pickle before one is made here."""

    number: int = 0


def fresh() -> Any:
    @declared
    class Point:
        """A point."""

        TAG: ClassVar[str] = "point"
        x: int
        y: int = 2
        names: list[str] = attrs.field(factory=list)
        secret: str = attrs.field(default="s", repr=False)

    return Point


def test_it_is_written_with_the_first_instance() -> None:
    cls = fresh()
    assert not attrs.has(cls)
    point = cls(1, names=["a"])
    assert attrs.has(cls)
    assert (point.x, point.y, point.names, point.TAG) == (1, 2, ["a"], "point")
    assert point == cls(1, 2, ["a"]) != cls(1)
    assert repr(point).endswith("Point(x=1, y=2, names=['a'])")
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        point.x = 3


def test_wrong_arguments_of_the_first_instance_are_told() -> None:
    with pytest.raises(TypeError, match="missing 1 required positional argument: 'x'"):
        fresh()()
    with pytest.raises(TypeError, match="unexpected keyword argument 'z'"):
        fresh()(1, z=1)


def test_a_class_can_be_asked_before_there_is_an_instance() -> None:
    cls = fresh()
    assert fields_of(cls) == ("x", "y", "names", "secret")
    assert written(cls) is cls
    assert written(int) is int


def test_a_copy_may_differ() -> None:
    point = fresh()(1)
    assert changed(point, y=5) == type(point)(1, 5)
    assert copy.copy(point) == point == copy.deepcopy(point)


def test_a_class_is_written_where_an_instance_arrives() -> None:
    again = pickle.loads(pickle.dumps(Sent(4)))
    assert again == Sent(4)
    assert hash(again) == hash(Sent(4))


def test_one_that_can_change_and_equals_only_itself() -> None:
    @declared(frozen=False, eq=False)
    class Counter:
        number: int = 0

    counter = Counter()
    counter.number += 1
    assert (counter.number, counter == Counter(1)) == (1, False)


def test_errors_take_their_fields_by_name_and_inherit_them() -> None:
    @declared_error
    class Root(Exception):
        place: str

    class Branch(Root):
        """Adds nothing."""

    @declared_error
    class Leaf(Branch, ValueError):
        reason: str = "none"

    assert fields_of(Leaf) == ("place", "reason")
    leaf = Leaf(place="here")
    assert (leaf.place, leaf.reason) == ("here", "none")
    assert Branch(place="there").place == "there"
    with pytest.raises(TypeError):
        Leaf("here")


def test_a_subclass_may_have_an_init_of_its_own() -> None:
    calls = []
    base = fresh()

    class Named(base):  # type: ignore[misc, valid-type]
        def __init__(self) -> None:
            calls.append(1)
            super().__init__(7)

    assert Named().x == 7
    assert calls == [1]


def test_several_threads_may_make_the_first_one() -> None:
    for _ in range(50):
        cls = fresh()
        ready = threading.Barrier(4)
        made: list[Any] = []

        def make(cls: Any = cls, ready: Any = ready, made: list[Any] = made) -> None:
            ready.wait(30)
            made.append(cls(1))

        threads = [threading.Thread(target=make) for _ in range(4)]
        for each in threads:
            each.start()
        for each in threads:
            each.join(30)
        assert made == [cls(1)] * 4
