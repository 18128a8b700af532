"""Shapes: what a value may be, as plain data that annotations become and everything else is worked out from.

A shape knows nothing of the field it belongs to, nor of the library that declared it.
"""

from collections.abc import Callable
from enum import Enum
from typing import Any, TypeAlias

from ezmsg.control.settings_schema.fields.limits import UNLIMITED, Limits
from ezmsg.protocol.declared import changed, declared


@declared
class Anything:
    """Any value: nothing is known, or nothing is asked."""


ANYTHING = Anything()


@declared
class Null:
    """None."""


@declared
class Flag:
    """True or False, and nothing that merely counts as one."""


@declared
class Whole:
    """A whole number within limits."""

    limits: Limits = UNLIMITED


@declared
class Real:
    """A floating-point number within limits; NaN and the infinities only as far as no limit leaves them out."""

    limits: Limits = UNLIMITED


@declared
class Text:
    """Text of a length within limits."""

    length: Limits = UNLIMITED


@declared
class Binary:
    """Bytes."""


@declared
class Member:
    """One of these members of an enumeration, given as itself, by its value or by its name."""

    cls: type[Enum]
    members: tuple[Enum, ...]


@declared
class Choice:
    """A value of a shape that is equal to one of these."""

    inner: "Shape"
    choices: tuple[Any, ...]


@declared
class Items:
    """Any number of items of one shape, in a list, tuple, set or frozenset as ``make`` says."""

    item: "Shape"
    make: Callable[[list[Any]], Any]
    length: Limits = UNLIMITED


@declared
class Row:
    """A tuple with a shape for each place."""

    items: tuple["Shape", ...]


@declared
class Table:
    """A mapping with a shape for keys and one for values."""

    key: "Shape"
    value: "Shape"
    length: Limits = UNLIMITED


@declared
class Record:
    """A settings type: a dataclass, or what attrs, pydantic or param describe. Its fields are read when needed."""

    cls: type


@declared
class Array:
    """An array; ``cls`` is the array type that was annotated, which is also what makes one."""

    cls: type


@declared
class Made:
    """What ``cls`` makes of a value of another shape: a path of a text, a ``numpy.float32`` of a number.

    ``read`` is what makes it, where that is not the class itself.
    """

    cls: type
    inner: "Shape"
    read: Callable[[Any], object] | None = None


@declared
class Instance:
    """An instance of a class that no plain value can stand for."""

    cls: type


@declared
class Either:
    """One of several shapes."""

    shapes: tuple["Shape", ...]


Shape: TypeAlias = (
    Anything
    | Null
    | Flag
    | Whole
    | Real
    | Text
    | Binary
    | Member
    | Choice
    | Items
    | Row
    | Table
    | Record
    | Array
    | Made
    | Instance
    | Either
)


def either(shapes: list[Shape]) -> Shape:
    """Return the union of shapes, flat and without repetitions."""
    flat: list[Shape] = []
    for shape in shapes:
        for each in shape.shapes if isinstance(shape, Either) else (shape,):
            if each not in flat:
                flat.append(each)
    if ANYTHING in flat:
        return ANYTHING
    return flat[0] if len(flat) == 1 else Either(tuple(flat))


def within(shape: Shape, limits: Limits) -> Shape:
    """Return the shape with its numbers held within limits; in a container, its items."""
    if not limits.given:
        return shape
    match shape:
        case Whole(old) | Real(old):
            return changed(shape, limits=old.narrowed(limits))
        case Anything():
            return Either((Whole(limits), Real(limits)))
    return _inside(shape, lambda inner: within(inner, limits))


def sized(shape: Shape, length: Limits) -> Shape:
    """Return the shape with the length of a text or container held within limits."""
    if not length.given:
        return shape
    match shape:
        case Text(old) | Items(length=old) | Table(length=old):
            return changed(shape, length=old.narrowed(length))
        case Either(shapes):
            return Either(tuple(sized(each, length) for each in shapes))
    return shape


def among(shape: Shape, choices: tuple[Any, ...]) -> Shape:
    """Return the shape with its values held to some choices; in a list or set, its items."""
    match shape:
        case Member(cls, members):
            named = tuple(each for each in members if each in choices or each.value in choices)
            return Member(cls, named)
        case Items() if not any(isinstance(each, list | tuple | set | frozenset) for each in choices):
            return changed(shape, item=among(shape.item, choices))
        case Either(shapes) if Null() in shapes and None not in choices:
            return either([among(either([each for each in shapes if each != Null()]), choices), Null()])
    return Choice(shape, choices)


def open_instances(shape: Shape) -> Shape:
    """Return the shape with classes that are not known here, or have other plain forms elsewhere, left to whoever
    validates after us."""
    match shape:
        case Instance() | Array():
            return ANYTHING
        case Made(read=read) if read is not None:
            return ANYTHING
    return _inside(shape, open_instances)


def _inside(shape: Shape, change: Callable[[Shape], Shape]) -> Shape:
    match shape:
        case Items(item):
            return changed(shape, item=change(item))
        case Row(items):
            return Row(tuple(change(each) for each in items))
        case Table(value=value):
            return changed(shape, value=change(value))
        case Made(inner=inner) | Choice(inner=inner):
            return changed(shape, inner=change(inner))
        case Either(shapes):
            return either([change(each) for each in shapes])
    return shape
