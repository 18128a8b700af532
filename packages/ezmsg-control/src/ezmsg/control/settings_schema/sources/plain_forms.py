"""Values of the standard library that are no plain data, but have a plain form that they can be made of again.

Only the classes themselves are known, and all paths: a subclass may hold more than its base's form says.
"""

import pathlib
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from functools import cache
from typing import Any
from uuid import UUID

from ezmsg.control.settings_schema.fields.shapes import Made, Real, Shape, Text
from ezmsg.protocol.declared import declared

_TEXT = Text()


@declared
class PlainForm:
    """How a class is written as a plain value of one shape, and read from it; ``read`` raises for what is none."""

    write: Callable[[Any], object]
    read: Callable[[Any], object]
    shape: Shape = _TEXT


def plain_form(value: object) -> object:
    """Return the plain form of a value: text, or seconds of a duration; ``None`` if there is none without loss."""
    if isinstance(value, pathlib.PurePath):
        return str(value)
    form = _form_of(type(value))
    return None if form is None else form.write(value)


def made_of_plain(cls: type) -> Made | None:
    """Return the shape of a class whose values have a plain form, ``None`` of any other class."""
    if issubclass(cls, pathlib.PurePath):
        return Made(cls, _TEXT)
    form = _form_of(cls)
    return None if form is None else Made(cls, form.shape, form.read)


def _form_of(cls: type) -> PlainForm | None:
    form = _FORMS.get(cls)
    return _of_exact_numbers().get(cls) if form is None and cls.__module__ in ("decimal", "fractions") else form


@cache
def _of_exact_numbers() -> dict[type, PlainForm]:
    """Return the forms of classes whose modules take long to import, and which few settings have."""
    from decimal import Decimal, InvalidOperation
    from fractions import Fraction

    def read(text: str) -> Decimal:
        try:
            return Decimal(text)
        except InvalidOperation:  # whose own text is a list of classes
            raise ValueError("it is the text of no decimal number") from None

    return {Decimal: PlainForm(str, read), Fraction: PlainForm(str, Fraction)}


def _duration(seconds: float) -> timedelta:
    return timedelta(seconds=seconds)


def _seconds(duration: timedelta) -> float | None:
    seconds = duration.total_seconds()
    try:
        return seconds if _duration(seconds) == duration else None  # a float has no microseconds of centuries
    except OverflowError:
        return None


_FORMS: dict[type, PlainForm] = {
    date: PlainForm(date.isoformat, date.fromisoformat),
    datetime: PlainForm(datetime.isoformat, datetime.fromisoformat),
    time: PlainForm(time.isoformat, time.fromisoformat),
    timedelta: PlainForm(_seconds, _duration, Real()),
    UUID: PlainForm(str, UUID),
    complex: PlainForm(str, complex),
}
