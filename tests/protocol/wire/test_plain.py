"""Plain values: what is plain comes back as it was, and nothing at all makes the way out fail."""

import enum
import math
import struct
from collections import OrderedDict, namedtuple
from collections.abc import Callable
from decimal import Decimal
from typing import Any, NoReturn

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ezmsg.protocol.testing import plain_values
from ezmsg.protocol.wire.plain import MAX_DEPTH, PlainArray, foreign_part, pack, safe_repr, to_plain, unpack


def there_and_back(value: object) -> Any:
    return unpack(pack(to_plain(value)))


def same(left: Any, right: Any) -> bool:
    """Compare like ``==``, but with types, and NaN bit by bit."""
    if type(left) is not type(right):
        return False
    match left:
        case float():
            return struct.pack("d", left) == struct.pack("d", right)
        case list() | tuple():
            return len(left) == len(right) and all(map(same, left, right))
        case set() | frozenset():
            return same(sorted(left, key=repr), sorted(right, key=repr))
        case dict():
            return same(list(left.items()), list(right.items()))
    return bool(left == right)


@given(plain_values())
def test_plain_values_come_back_equal(value: object) -> None:
    assert there_and_back(value) == value


@given(plain_values())
def test_plain_values_come_back_with_their_types(value: object) -> None:
    assert same(there_and_back(value), value)


@given(st.recursive(st.floats(), lambda inner: st.lists(inner) | st.tuples(inner, inner), max_leaves=5))
def test_every_float_comes_back_bit_by_bit(value: object) -> None:
    assert same(there_and_back(value), value)


@given(st.text(st.characters()))
def test_every_text_comes_back_even_with_lone_surrogates(value: str) -> None:
    assert there_and_back(value) == value


@given(st.integers() | st.integers(-(2**70), 2**70) | st.integers(0, 20).map(lambda n: (-2) ** (n * 64)))
def test_integers_of_any_size_come_back(value: int) -> None:
    assert there_and_back(value) == value


@given(
    st.sets(st.integers() | st.text() | st.frozensets(st.text(max_size=3), max_size=3), max_size=6), st.randoms()
)
def test_equal_sets_give_equal_bytes(value: set[Any], random: Any) -> None:
    shuffled = list(value)
    random.shuffle(shuffled)
    assert pack(to_plain(set(shuffled))) == pack(to_plain(value))


class Colour(enum.StrEnum):
    RED = "red"


class Mixed(str, enum.Enum):  # noqa: UP042  how it was written before StrEnum
    RED = "red"


class Level(enum.IntEnum):
    HIGH = 3


class Plain(enum.Enum):
    ONE = 1


class Loud(str):
    def __str__(self) -> str:
        raise AssertionError("nobody asked for a str")

    __repr__ = __format__ = __str__  # type: ignore[assignment]


@pytest.mark.parametrize(
    ("value", "plain"), [(Colour.RED, "red"), (Mixed.RED, "red"), (Level.HIGH, 3), (Loud("quiet"), "quiet")]
)
def test_subclasses_of_atoms_travel_as_the_value_they_are(value: object, plain: object) -> None:
    assert same(there_and_back(value), plain)


Pair = namedtuple("Pair", "left right")  # noqa: PYI024  untyped on purpose


@pytest.mark.parametrize(
    "value", [Plain.ONE, Decimal("1.5"), 1j, object, Pair(1, 2), OrderedDict(a=1), ..., b"".join]
)
def test_anything_else_travels_as_its_repr(value: object) -> None:
    assert there_and_back([value]) == [repr(value)]


# --- values that want to break it --------------------------------------------------------------------------------


def fail(*_: object) -> NoReturn:
    raise ZeroDivisionError("hostile")


def hostile(**attributes: object) -> object:
    return type("Hostile", (), {"__repr__": fail, **attributes})()


class Kind:
    kind = "f"
    str = "<f8"


class UnhashableType(type):
    __hash__ = None  # type: ignore[assignment]

    def __eq__(cls, other: object) -> bool:
        raise ZeroDivisionError("hostile")


def array_like(**attributes: object) -> object:
    return type("ndarray", (), {"dtype": Kind, "shape": (1,), "tobytes": lambda _: b"12345678", **attributes})()


def growing_dict() -> dict[Any, Any]:
    grown: dict[Any, Any] = {}

    class Grower:
        @property
        def dtype(self) -> None:
            grown[len(grown)] = 0

    grown[0] = Grower()
    return grown


HOSTILE: dict[str, Callable[[], object]] = {
    "repr": lambda: hostile(),
    "repr of the wrong type": lambda: hostile(__repr__=lambda _: 3),
    "dtype": lambda: hostile(dtype=property(fail)),
    "kind": lambda: hostile(dtype=hostile(kind=property(fail))),
    "kind of the wrong type": lambda: hostile(dtype=hostile(kind=3)),
    "item": lambda: hostile(dtype=Kind, item=fail),
    "endless items": lambda: hostile(dtype=Kind, item=lambda self: self),
    "item that is a set": lambda: hostile(dtype=Kind, item=lambda _: {1}),
    "__class__": lambda: hostile(__class__=property(fail)),
    "attributes": lambda: hostile(__getattribute__=fail),
    "dtype that is no text": lambda: array_like(dtype=type("D", (), {"kind": "f", "str": 3})),
    "shape that is none": lambda: array_like(shape=None),
    "negative shape": lambda: array_like(shape=(-1,)),
    "elements that are no bytes": lambda: array_like(tobytes=lambda _: [1]),
    "metaclass": lambda: UnhashableType("Odd", (), {})(),
    "wrong plain array": lambda: PlainArray(3, None, "no bytes"),  # type: ignore[arg-type]
    "negative plain array": lambda: PlainArray("<f8", (-1,), b""),
    "extension type": lambda: msgpack.ExtType(99, b"\xc1"),
    "timestamp": lambda: msgpack.Timestamp(1, 2),
    "growing dict": growing_dict,
}


@pytest.mark.parametrize("name", HOSTILE)  # by name, so that pytest does not touch the value
def test_hostile_values_become_something_that_travels(name: str) -> None:
    value = HOSTILE[name]()
    for carrier in (value, [value], (value, {"a": value})):
        plain = there_and_back(carrier)
        assert there_and_back(plain) == plain


@pytest.mark.parametrize("name", ["repr", "dtype", "item that is a set", "extension type"])
def test_hostile_keys_become_something_that_travels(name: str) -> None:
    (key,) = there_and_back({HOSTILE[name](): 1})
    assert isinstance(key, str)


def test_a_failing_repr_is_named() -> None:
    assert safe_repr(HOSTILE["repr"]()) == "<Hostile whose repr failed: ZeroDivisionError>"


def test_containers_inside_themselves_end_in_dots() -> None:
    parent: dict[str, Any] = {"name": "parent"}
    children = [{"name": name, "parent": parent, "siblings": parent} for name in "ab"]
    parent["children"] = children
    child = {"parent": "...", "siblings": "..."}
    assert there_and_back(parent) == {
        "name": "parent",
        "children": [{"name": "a", **child}, {"name": "b", **child}],
    }
    endless: list[Any] = []
    endless += [endless, [endless], (endless,)]
    assert there_and_back(endless) == ["...", ["..."], ("...",)]


def test_the_same_container_twice_is_no_cycle() -> None:
    shared = [1]
    assert there_and_back([shared, shared, {"a": shared}]) == [[1], [1], {"a": [1]}]


@given(
    kinds=st.lists(st.sampled_from(["list", "tuple", "dict", "frozenset"]), max_size=MAX_DEPTH + 10),
    leaf=st.integers() | st.just(PlainArray("|u1", (1,), b"a")),
)
def test_every_depth_travels_and_what_is_too_deep_as_text(kinds: list[str], leaf: object) -> None:
    value = leaf
    for kind in kinds:
        match kind:
            case "list":
                value = [value]
            case "dict":
                value = {"a": value}
            case "frozenset" if isinstance(value, int | tuple | frozenset) and _hashable(value):
                value = frozenset({value})
            case _:
                value = (value,)
    plain = there_and_back(value)
    if len(kinds) < MAX_DEPTH:
        assert plain == value
    assert there_and_back(plain) == plain


def _hashable(value: object) -> bool:
    try:
        hash(value)
    except TypeError:
        return False
    return True


def test_a_value_far_too_deep_for_python_itself_travels() -> None:
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    assert isinstance(there_and_back(deep), list)
    while deep:  # taken apart by hand, so that no deallocation has to go so deep
        (deep,) = deep


# --- bytes that want to break it ---------------------------------------------------------------------------------


@given(st.binary(max_size=60))
def test_any_bytes_are_a_value_or_a_value_error(data: bytes) -> None:
    try:
        unpack(data)
    except ValueError:
        return


@given(plain_values(), st.data())
def test_mutated_bytes_are_a_value_or_a_value_error(value: object, data: st.DataObject) -> None:
    packed = bytearray(pack(to_plain(value)))
    for _ in range(data.draw(st.integers(1, 3))):
        packed[data.draw(st.integers(0, len(packed) - 1))] = data.draw(st.integers(0, 255))
    try:
        unpack(bytes(packed))
    except ValueError:
        return


@given(tag=st.integers(0, 127), content=plain_values())
def test_any_tag_round_any_content_is_a_value_or_a_value_error(tag: int, content: object) -> None:
    try:
        unpack(pack(msgpack.ExtType(tag, pack(to_plain(content)))))
    except ValueError:
        return


def test_tagged_values_nested_without_end_are_refused() -> None:
    data = pack([])
    for _ in range(MAX_DEPTH + 1):
        data = pack(msgpack.ExtType(2, b"\x91" + data))
    with pytest.raises(ValueError, match="nested more than 32 deep"):
        unpack(data)


def test_too_many_items_are_refused_at_any_level() -> None:
    for value in ([0] * 65, dict.fromkeys(range(65), 0), ([0] * 65,), frozenset(range(65))):
        assert unpack(pack(to_plain(value))) == value
        with pytest.raises(ValueError, match="exceeds"):
            unpack(pack(to_plain(value)), max_items=64)


def test_infinities_and_not_a_number_come_back() -> None:
    low, high, nan = there_and_back([-math.inf, math.inf, math.nan])
    assert (low, high) == (-math.inf, math.inf)
    assert math.isnan(nan)


# --- what would not travel as it is -------------------------------------------------------------------------


class Foreign:
    """Of no type that travels."""

    def __repr__(self) -> str:
        return "<foreign>"


FOREIGN = Foreign()
PLANTED = st.recursive(
    st.just(FOREIGN) | plain_values(),
    lambda inner: st.lists(inner) | st.tuples(inner) | st.dictionaries(st.text("ab", max_size=2), inner),
    max_leaves=5,
)


def planted(value: object) -> bool:
    """Whether the foreign object is anywhere in a value."""
    match value:
        case dict():
            return any(map(planted, value.values()))
        case list() | tuple():
            return any(map(planted, value))
    return value is FOREIGN


@given(plain_values())
def test_nothing_in_a_plain_value_is_foreign(value: object) -> None:
    assert foreign_part(value) is None


@given(PLANTED)
def test_what_is_foreign_is_found_wherever_it_is(value: object) -> None:
    found = foreign_part(value)
    assert (found is not None) == planted(value)
    assert found is None or found[1] is FOREIGN


def deep(depth: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("value", "where"),
    [
        (FOREIGN, ""),
        ([1, FOREIGN], "[1]"),
        ((FOREIGN,), "[0]"),
        ({FOREIGN}, ""),
        ({"taps": [0, {"left": FOREIGN}]}, ".taps[1].left"),
        ({FOREIGN: 1}, ""),
        (OrderedDict(a=1), ""),
        (Decimal(1), ""),
        ([range(3)], "[0]"),
        (deep(MAX_DEPTH), "[0]" * MAX_DEPTH),
    ],
)
def test_where_it_is(value: object, where: str) -> None:
    found = foreign_part(value)
    assert found is not None
    assert found[0] == where
    assert there_and_back(value) != value


def test_a_value_inside_itself_is_foreign_to_itself() -> None:
    value: list[Any] = [1]
    value.append(value)
    assert foreign_part(value) == ("[1]", value)


def test_texts_and_numbers_of_other_classes_are_not_foreign() -> None:
    assert foreign_part([Colour.RED, Level.HIGH, Loud("quiet"), deep(MAX_DEPTH - 2)]) is None


@pytest.mark.parametrize("make", HOSTILE.values(), ids=HOSTILE)
def test_looking_for_what_is_foreign_never_fails(make: Callable[[], object]) -> None:
    foreign_part([make()])
