"""Encodings that packages bring: looked for once, when they are needed, and never in the way of a message."""

import logging
from typing import Any

import pytest

from ezmsg.core.errors import UnknownEncoding
from ezmsg.core.messages import registry
from ezmsg.core.messages.codec import Codec
from ezmsg.core.messages.payload import unset_memory
from ezmsg.core.messages.registry import GROUP, Encoding


class Point:
    def __init__(self, x: int) -> None:
        self.x = x


class Derived(Point):
    pass


NAME = f"{__name__}.Point"
ENCODING = Encoding(
    NAME,
    Point,
    lambda point: None if point.x < 0 else [bytes([point.x])],
    lambda buffers: Point(buffers[0][0]),
)
MISNAMED = Encoding(f"{__name__}.Derived", Point, ENCODING.dump, ENCODING.load)


@pytest.fixture
def looked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Install two encodings, of which one is broken; what is returned grows whenever somebody looks."""
    times = []
    entries = {NAME: (f"{__name__}:ENCODING", ""), f"{__name__}.Derived": (f"{__name__}:NOWHERE", "")}

    def look(group: str) -> dict[str, tuple[str, str]]:
        times.append(group)
        return entries

    monkeypatch.setattr(registry, "installed", look)
    return times


def laid(codec: Codec, value: Any) -> memoryview:
    payload = codec.encode(value)
    memory = unset_memory(payload.size)
    payload.write(memory, 0)
    return memory


def test_both_ends_find_it_when_they_need_it(looked: list[str]) -> None:
    sender, receiver = Codec(allow_pickle=False), Codec(allow_pickle=False)
    sender.encode(b"nothing to look for")
    assert looked == []
    for number in range(3):
        assert receiver.decode(laid(sender, Point(number))).x == number
    assert looked == [GROUP] * 2


def test_nothing_is_looked_for_twice(looked: list[str]) -> None:
    codec = Codec()
    for value in ([1], {"a": 1}, 3, "text"):
        assert codec.decode(laid(codec, value)) == value
    assert looked == []
    for _ in range(3):
        assert type(codec.decode(laid(codec, ValueError("x")))) is ValueError
        assert codec.decode(laid(codec, logging.INFO)) == logging.INFO
    assert len(looked) <= 1


def test_a_class_that_says_where_it_is_needs_no_look(looked: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Point, "__ezmsg_encoding__", f"{__name__}:ENCODING", raising=False)
    sender, receiver = Codec(allow_pickle=False), Codec(allow_pickle=False)
    assert receiver.decode(laid(sender, Point(1))).x == 1
    assert looked == []


def test_what_it_cannot_carry_is_pickled(looked: list[str]) -> None:
    codec = Codec()
    memory = laid(codec, Point(-1))
    assert bytes(memory[4:5]) == b"p"
    assert codec.decode(memory).x == -1
    assert codec.read_only(Point(-1)).x == -1
    assert codec.read_only(Point(1)).x == 1


def test_a_broken_one_is_told_once_and_harms_nobody(looked: list[str], caplog: pytest.LogCaptureFixture) -> None:
    codec = Codec()
    for number in range(2):
        assert codec.decode(laid(codec, Derived(number))).x == number
    (told,) = [each.getMessage() for each in caplog.records if each.name == "ezmsg"]
    assert told.startswith(f"The encoding {__name__}.Derived ({__name__}:NOWHERE) cannot be used")


def test_one_for_another_class_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    entries = {f"{__name__}.Derived": (f"{__name__}:MISNAMED", "")}
    monkeypatch.setattr(registry, "installed", lambda group: entries)
    codec = Codec()
    assert type(codec.decode(laid(codec, Derived(1)))) is Derived


def test_a_name_that_nobody_brings_is_refused(looked: list[str]) -> None:
    sender = Codec()
    sender.register("mine", Point, ENCODING.dump, ENCODING.load)
    with pytest.raises(UnknownEncoding, match="'mine'"):
        Codec().decode(laid(sender, Point(1)))


def test_classes_without_one_are_not_remembered_without_end(
    looked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry, "CLASS_LIMIT", 4)
    known = registry.Registry()
    assert known.of_class(Point) is ENCODING
    for number in range(20):
        assert known.of_class(type(f"Class{number}", (), {})) is None
        assert len(known.by_class) <= 5
    assert known.of_class(Point) is ENCODING
