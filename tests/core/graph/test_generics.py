"""What stands for a type parameter in a subclass, as far as one can tell."""

from typing import Any, Generic, Optional, TypeVar

import pytest

from ezmsg.core.graph.generics import resolve_stream_type, type_arguments

T = TypeVar("T")
S = TypeVar("S")


class Base(Generic[T]): ...


class Other(Generic[T]): ...


class Renamed(Base[S], Generic[S]): ...


class OfInt(Base[int]): ...


class OfText(Renamed[str]): ...


class Both(Base[int], Other[int]): ...


class Contradictory(Base[int], Other[str]): ...


@pytest.mark.parametrize(
    ("component", "annotation", "expected"),
    [
        (OfInt, T, int),
        (OfText, T, str),
        (OfText, list[T], list[str]),
        (OfText, Optional[T], Optional[str]),  # noqa: UP045  as programs write it
        (OfText, T | None, str | None),
        (Both, T, int),
        (Base, T, T),
        (OfInt, float, float),
        (OfInt, Any, Any),
    ],
)
def test_what_a_stream_carries(component: type, annotation: Any, expected: Any) -> None:
    assert resolve_stream_type(component, annotation) == expected


def test_what_two_bases_contradict_each_other_in_is_left_open() -> None:
    assert T not in type_arguments(Contradictory)
    assert resolve_stream_type(Contradictory, T) is T
