"""Dataclasses of arrays and plain values come back as a pickle would bring them, and nothing is taken for one."""

import copyreg
import dataclasses
import enum
import io
import pickle
import struct
import sys
from collections.abc import Iterator
from typing import Any, ClassVar, Generic, TypeVar

import msgpack
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.core.messages.test_codec import arrays, assert_same_array

from ezmsg.core.errors import MessageClassNotFound, PickleForbidden
from ezmsg.core.messages import records
from ezmsg.core.messages.codec import Codec
from ezmsg.core.messages.forms import HeardForms
from ezmsg.core.messages.payload import unset_memory
from ezmsg.core.messages.record_classes import class_of

T = TypeVar("T")


@pytest.fixture(autouse=True, scope="module")
def nothing_installed() -> Iterator[None]:
    """Each of the many codecs here would look at all that is installed."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("importlib.metadata.entry_points", lambda group: [])
        yield


@dataclasses.dataclass(eq=False)
class Frame:
    KIND: ClassVar[str] = "frame"
    time: Any
    data: Any
    more: Any = None


@dataclasses.dataclass(frozen=True, eq=False)
class Frozen:
    time: Any
    data: Any
    more: Any = None

    def __post_init__(self) -> None:
        raise AssertionError("no code of the class runs")


@dataclasses.dataclass(slots=True, eq=False)
class Slotted:
    time: Any
    data: Any
    more: Any = None


@dataclasses.dataclass(slots=True, frozen=True, eq=False)
class FrozenSlotted:
    time: Any
    data: Any
    more: Any = None


@dataclasses.dataclass(eq=False)
class Of(Generic[T]):
    time: T
    data: Any
    more: Any = None


@dataclasses.dataclass
class Nothing:
    pass


class Color(enum.Enum):
    RED = 1


def made(cls: type[Any], *values: Any) -> Any:
    """An object of a class whose ``__init__`` may forbid it."""
    value = object.__new__(cls)
    for field, each in zip(dataclasses.fields(cls), values, strict=True):
        object.__setattr__(value, field.name, each)
    return value


class Line:
    """A stream from one codec to another."""

    def __init__(self, *, pickle: bool = True) -> None:
        self.sender, self.receiver = Codec(allow_pickle=pickle), Codec(allow_pickle=pickle)
        self.forms = self.sender.forms()
        self.heard: HeardForms = {}
        self.told: list[bytes] = []
        self.kinds = ""

    def carry(self, value: Any, *, copy: bool = False) -> Any:
        payload = self.sender.encode(value, self.forms)
        memory = unset_memory(payload.size)
        payload.write(memory, 0)
        form = payload.form
        if form is not None and form.content not in self.told:
            self.told.append(form.content)
            self.heard = self.receiver.heard(self.heard, form.number, form.content)
        self.kinds += chr(memory[4])
        return self.receiver.decode(memory.toreadonly(), self.heard, copy=copy)


def alone(value: Any, *, copy: bool = False, codec: Codec | None = None) -> Any:
    """What becomes of a message that is sent without its stream."""
    codec = codec or Codec(allow_pickle=False)
    payload = codec.encode(value)
    memory = unset_memory(payload.size)
    payload.write(memory, 0)
    return codec.decode(memory.toreadonly(), copy=copy)


def written(value: Any) -> bytes:
    """What tells values apart, also those that do not equal themselves; not which of them are one object."""
    stream = io.BytesIO()
    pickler = pickle.Pickler(stream)
    pickler.fast = True
    pickler.dump(value)
    return stream.getvalue()


def check(result: Any, expected: Any) -> None:
    assert type(result) is type(expected)
    for field in dataclasses.fields(expected):
        ours, theirs = getattr(result, field.name), getattr(expected, field.name)
        if isinstance(theirs, np.ndarray | np.generic):
            assert_same_array(ours, theirs)
        else:
            assert written(ours) == written(pickle.loads(pickle.dumps(theirs)))


CLASSES = st.sampled_from([Frame, Frozen, Slotted, FrozenSlotted, Of])
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**64 - 1),
    st.floats(allow_nan=False),
    st.text(),
    st.binary(max_size=20),
)
PLAIN = st.recursive(
    SCALARS,
    lambda each: st.lists(each, max_size=3) | st.dictionaries(st.text(max_size=3), each, max_size=3),
    max_leaves=5,
)
NUMBERS = st.sampled_from([np.float64(1.5), np.float32("nan"), np.int8(-3), np.bool_(True), np.datetime64(5, "us")])
VALUES = st.one_of(PLAIN, arrays(), NUMBERS)


@st.composite
def messages(draw: st.DrawFn) -> Any:
    return made(draw(CLASSES), draw(VALUES), draw(arrays()), draw(VALUES))


@given(messages())
def test_what_goes_in_comes_out(message: Any) -> None:
    for copy in False, True:
        line = Line(pickle=False)
        for _ in range(2):
            check(line.carry(message, copy=copy), message)
        assert line.kinds == "ff"
        assert len(line.told) == 1
        check(alone(message, copy=copy), message)


@settings(max_examples=30)
@given(st.lists(messages(), max_size=4))
def test_one_stream_of_all_kinds(many: list[Any]) -> None:
    line = Line()
    for message in many + many:
        check(line.carry(message, copy=True), message)
    assert "p" not in line.kinds


def test_a_copy_is_the_readers_own_and_a_view_cannot_be_written() -> None:
    line, message = Line(), Frame(1.0, np.arange(6.0), np.ones(3, np.int8))
    view, copy = line.carry(message), line.carry(message, copy=True)
    with pytest.raises(ValueError, match="read-only"):
        view.data[0] = 1
    copy.data[0] = copy.more[0] = 7
    check(line.carry(message), message)


def test_what_stays_is_told_once() -> None:
    line = Line()
    for number in range(50):
        message = Frame(float(number), np.full((number, 2), number))
        check(line.carry(message), message)
    assert len(line.told) == 1
    assert line.kinds == "f" * 50


def test_no_fields_at_all() -> None:
    assert alone(Nothing()) == Line(pickle=False).carry(Nothing()) == Nothing()


def test_several_kinds_may_take_turns() -> None:
    line, parting = Line(), records.Parting(Frame)
    kinds = (None, np.zeros(1), np.float32(2), np.zeros((2, 2), order="F"))
    several = [Frame(1.0, np.zeros(2), more) for more in kinds]
    several += [Frame(1.0, np.zeros(2, kind)) for kind in ("i1", "i2", "i4", "U3")]
    for message in several * 3:
        check(line.carry(message), message)
        assert parting(message) is not None
    assert "p" not in line.kinds
    assert len(line.told) == len(several)


# --- what only pickle brings as it was ---

SHARED, LOOP = [1], [1]
LOOP.append(LOOP)  # type: ignore[arg-type]
ONE = np.zeros(3)


@pytest.mark.parametrize(
    "value",
    [
        (1, 2),
        {1, 2},
        bytearray(b"x"),
        2**64,
        "\ud800",
        Color.RED,
        Frame(1, 2),
        {(1, 2): 3},
        [Color.RED],
        [SHARED, SHARED],
        np.array([1, "a", None], object),
        np.ma.array([1, 2], mask=[True, False]),
        np.zeros(2, [("a", "i4")]),
        np.rec.array([(1,)], [("a", "i4")]),
        np.zeros(2, np.dtype("i4", metadata={"unit": "V"})),
        np.longdouble(1) if np.dtype(np.longdouble).kind not in records.PLAIN_KINDS else 1j,
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_is_not_plain_goes_by_pickle(value: Any) -> None:
    line, message = Line(), Frame(1.0, np.zeros(2), value)
    result = line.carry(message)
    assert line.kinds == "p"
    assert type(result.more) is type(value)
    assert repr(result) == repr(message)
    with pytest.raises(PickleForbidden):
        Line(pickle=False).carry(message)


def test_parts_that_are_shared_stay_shared() -> None:
    for message in Frame(1, ONE, ONE), Frame(SHARED, 2, SHARED), Frame(LOOP, 1, 2):
        line = Line()
        result = line.carry(message)
        assert line.kinds == "p"
        assert (result.data is result.more) == (message.data is message.more)
        assert (result.time is result.more) == (message.time is message.more)


def test_a_line_that_refers_to_itself_ends() -> None:
    result = Line().carry(Frame(LOOP, 1))
    assert result.time[1] is result.time


@dataclasses.dataclass
class Reduces:
    x: int = 1

    def __reduce__(self) -> Any:
        return Reduces, (self.x + 1,)


@dataclasses.dataclass
class States:
    x: int = 1

    def __getstate__(self) -> Any:
        return {"x": self.x + 1}


@dataclasses.dataclass
class Sets:
    x: int = 1

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.x = state["x"] + 1


@dataclasses.dataclass
class Registered:
    x: int = 1


copyreg.pickle(Registered, lambda value: (Registered, (value.x + 1,)))


@dataclasses.dataclass
class Mapping(dict[str, int]):
    x: int = 2


@dataclasses.dataclass
class Half(Slotted):
    time: Any = 0
    data: Any = 0
    x: int = 2


@pytest.mark.parametrize("cls", [Reduces, States, Sets, Registered, Mapping, Half])
def test_classes_with_ways_of_their_own_keep_them(cls: Any) -> None:
    line = Line()
    assert line.carry(cls()).x == 2
    assert line.kinds == "p"


def test_attributes_that_are_no_fields_arrive() -> None:
    line, message = Line(), Frame(1, 2)
    message.noted = "here"  # type: ignore[attr-defined]
    assert line.carry(message).noted == "here"
    unset = object.__new__(Slotted)
    unset.time = 1
    assert not hasattr(line.carry(unset), "data")
    assert line.kinds == "pp"


def test_who_never_has_plain_objects_is_not_looked_at_for_ever() -> None:
    parting, looked = records.Parting(Frame), 0
    parting._parted = lambda value: pytest.fail("looked")  # type: ignore[method-assign]
    parting._refused = records.PATIENCE + 1
    assert parting(Frame(1, (2, 3))) is None
    line = Line()
    for number in range(3 * records.PATIENCE):
        assert line.carry(Frame(number, (2, 3))).time == number
    assert "f" not in line.kinds
    for number in range(records.PATIENCE):
        assert line.carry(Frame(number, 1)).time == number
        looked += line.kinds[-1] == "f"
    assert looked


# --- what comes from outside ---


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("dataclass:no_such_module:Frame", "ModuleNotFoundError"),
        (f"dataclass:{__name__}:NoFrame", "no such class"),
        (f"dataclass:{__name__}:test_records", "no such class"),
        (f"dataclass:{__name__}:sys.modules", "no such class"),
        ("dataclass:os:system", "no such class"),
        ("dataclass:builtins:dict", "no dataclass"),
        ("dataclass:fractions:Fraction", "no dataclass"),
        ("dataclass::", "cannot be used"),
        ("dataclass:", "cannot be used"),
        (f"dataclass:{__name__}:Reduces", "pickle of its own"),
    ],
)
def test_a_class_that_is_none(name: str, words: str) -> None:
    codec = Codec()
    content = bytes([len(name)]) + name.encode() + msgpack.packb([])
    heard = codec.heard({}, 0, content)
    memory = memoryview(struct.pack("<IcQ", 9, b"f", 0).ljust(64, b"\0") + struct.pack("<I", 1) + b"\x90")
    with pytest.raises(MessageClassNotFound, match=words):
        codec.decode(memory, heard)


def test_nothing_is_imported_for_who_forbids_pickle(monkeypatch: pytest.MonkeyPatch) -> None:
    name = "dataclass:this:Zen"
    monkeypatch.delitem(sys.modules, "this", raising=False)
    with pytest.raises(MessageClassNotFound, match="while pickle is forbidden"):
        class_of(name, load=False)
    assert "this" not in sys.modules


def test_a_class_that_is_made_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    codec = Codec()
    assert type(alone(Nothing(), codec=codec)) is Nothing
    fresh = dataclasses.make_dataclass("Nothing", [], module=__name__) if sys.version_info >= (3, 12) else None
    if fresh is None:
        fresh = dataclasses.make_dataclass("Nothing", [])
        fresh.__module__ = __name__
    monkeypatch.setattr(sys.modules[__name__], "Nothing", fresh)
    memory = unset_memory(1000)
    payload = codec.encode(fresh())
    payload.write(memory, 0)
    assert type(codec.decode(memory[: payload.size])) is fresh


def test_arrays_of_objects_cannot_be_claimed() -> None:
    form = msgpack.packb([["time", records.ARRAY, "|O", "C"]])
    with pytest.raises(ValueError, match="nothing that is sent"):
        records.Joining(Frame, form)
    with pytest.raises(ValueError, match="nothing that is sent"):
        records.Joining(Frame, msgpack.packb([["time", records.SCALAR, "|O", None]]))


@given(st.data())
def test_whatever_comes_in_does_no_harm(data: st.DataObject) -> None:
    codec = Codec()
    forms = codec.forms()
    payload = codec.encode(Frame(1.5, np.arange(6.0).reshape(2, 3), np.float32(2)), forms)
    assert payload.form is not None
    content, memory = bytearray(payload.form.content), bytearray(payload.size)
    payload.write(memoryview(memory), 0)
    for target in content, memory:
        for _ in range(data.draw(st.integers(0, 3))):
            target[data.draw(st.integers(0, len(target) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(memory)))
    heard = codec.heard({}, payload.form.number, bytes(content))
    try:
        result = codec.decode(memoryview(bytes(memory[:cut])), heard)
    except (Exception, MemoryError):  # noqa: BLE001 - which one it is, is of no interest: the process is still there
        return
    for value in vars(result).values() if dataclasses.is_dataclass(result) else ():
        repr(value)
