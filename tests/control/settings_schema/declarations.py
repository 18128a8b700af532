"""Settings types made up by Hypothesis, and values that may or may not fit them."""

import dataclasses
import enum
from typing import Any, Literal, Optional, Union

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


@dataclasses.dataclass(frozen=True)
class Point:
    x: int = 0
    y: float = dataclasses.field(default=0.5, metadata={"min": 0, "max": 2})
    next: Optional["Point"] = None


_SIMPLE: tuple[Any, ...] = (bool, int, float, str, bytes, None, Any, Colour, Level, Point)
_NUMBERS = st.integers(-4, 4) | st.sampled_from([-1.5, 0.5, 2.5])
_WORDS = st.sampled_from(["", "a", "RED", "red", "1", "LOW", "x", "y", "next", "maybe", "true"])
_LITERALS = st.lists(
    _WORDS | st.integers(-2, 2) | st.booleans() | st.none() | st.just(b"\x00"), min_size=1, max_size=3
)


def annotations() -> SearchStrategy[Any]:
    """Types of fields, nested in each other."""

    def nest(inner: SearchStrategy[Any]) -> SearchStrategy[Any]:
        return st.one_of(
            inner.map(lambda each: list[each]),  # type: ignore[valid-type]
            inner.map(lambda each: dict[str, each]),  # type: ignore[valid-type]
            inner.map(lambda each: dict[int, each]),  # type: ignore[valid-type]
            inner.map(lambda each: tuple[each, ...]),  # type: ignore[valid-type]
            st.tuples(inner, inner).map(lambda both: tuple[both]),  # type: ignore[valid-type]
            st.tuples(inner, inner).map(lambda both: Union[both]),  # noqa: UP007  of what is known only here
        )

    literals = _LITERALS.map(lambda values: Literal[tuple(values)])
    return st.recursive(st.sampled_from(_SIMPLE) | literals, nest, max_leaves=3)


@st.composite
def _fields(draw: Any) -> tuple[Any, dict[str, Any]]:
    annotation = draw(annotations())
    metadata: dict[str, Any] = {}
    if annotation in (int, float, list[int], float | None) and draw(st.booleans()):
        names = draw(st.sampled_from([("min", "max"), ("ge", "le"), ("gt", "lt")]))
        metadata = dict(zip(names, sorted([draw(_NUMBERS), draw(_NUMBERS)]), strict=True))
    elif annotation in (int, str) and draw(st.booleans()):
        metadata = {"choices": draw(st.lists(_NUMBERS if annotation is int else _WORDS, min_size=1, max_size=3))}
    return annotation, metadata


@st.composite
def settings_types(draw: Any) -> type[Any]:
    """Dataclasses of one to three fields, of which some need no value."""
    fields = []
    for n, (annotation, metadata) in enumerate(draw(st.lists(_fields(), min_size=1, max_size=3))):
        optional: dict[str, Any] = {"default": None} if draw(st.booleans()) else {}
        fields.append((f"f{n}", annotation, dataclasses.field(metadata=metadata, **optional)))
    return dataclasses.make_dataclass("Drawn", fields, frozen=True, kw_only=True)


def json_values() -> SearchStrategy[Any]:
    """What JSON can hold, with a bias to what the types here want."""
    atoms = st.one_of(
        st.none(),
        st.booleans(),
        _NUMBERS,
        st.integers(-(2**53), 2**53),
        st.integers(-4, 4).map(float),
        st.floats(allow_nan=False, allow_infinity=False),
        _WORDS,
        st.text(max_size=4),
        st.sampled_from(["AA==", "A", "AAAA"]).map(lambda text: {"$bytes": text}),
    )

    def nest(inner: SearchStrategy[Any]) -> SearchStrategy[Any]:
        return st.lists(inner, max_size=3) | st.dictionaries(
            _WORDS | st.sampled_from(["0", "-3"]), inner, max_size=3
        )

    return st.recursive(atoms, nest, max_leaves=5)
