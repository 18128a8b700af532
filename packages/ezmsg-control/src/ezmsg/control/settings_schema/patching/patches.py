"""Fields of a settings value changed, in a copy: `patched(settings, "filters[0].cutoff", 12.5)`.

Only what leads to the field is copied, by the means of whoever declared it; the value itself is never touched.
"""

from collections.abc import Mapping
from typing import Any, TypeAlias

from ezmsg.control.errors import (
    InvalidSettingsValue,
    SettingsCoercionError,
    SettingsRefused,
    UnknownSettingsField,
)
from ezmsg.control.settings_schema.fields.omissions import omissions
from ezmsg.control.settings_schema.fields.paths import Step, joined, parse_path
from ezmsg.control.settings_schema.fields.scalars import is_array
from ezmsg.control.settings_schema.fields.shapes import ANYTHING, Array, Choice, Shape
from ezmsg.control.settings_schema.fields.wording import allowed, reason_of, shown
from ezmsg.control.settings_schema.patching.coercion import coerced, given, validate
from ezmsg.control.settings_schema.patching.number_arrays import as_before
from ezmsg.control.settings_schema.patching.places import Place, place_of
from ezmsg.control.settings_schema.sources.reading import describe_value
from ezmsg.protocol.wire.plain import PlainArray

_WHOLE = "the value itself, of which this says only that it was too large to be shown"

Change: TypeAlias = tuple[tuple[Step, ...], Any]
"""The steps to what is to be changed, none if it is what one has arrived at, and what is to be there."""


def patched(settings: Any, path: str, value: Any) -> Any:
    """Return a copy of the settings with the value at the path.

    The path "" takes a mapping of paths to values, which are changed together: what the settings' type, or that of
    a record inside, says of its fields as a whole is asked once, of the outcome. No path may lead into what another
    one replaces.

    Goes through dataclasses, classes of attrs, models of pydantic, classes of param, mappings, lists, tuples,
    objects with ``copy(update=...)`` and, by a deep copy, any other object with attributes.

    :raises UnknownSettingsField: if the path leads nowhere, or to what cannot be set.
    :raises InvalidSettingsValue: if the value is not allowed there.
    :raises SettingsRefused: if the settings type, or a validator, refuses the value.
    """
    steps = {text: parse_path(text) for text in _paths(value)} if path == "" else {path: parse_path(path)}
    values = value if path == "" else {path: value}
    try:
        return _with(settings, ANYTHING, [(steps[text], values[text]) for text in steps], "")
    except SettingsCoercionError:
        raise
    except Exception as error:  # what the types' own validation raises, which may be anything
        where = path or ", ".join(steps)
        raise SettingsRefused(path=where, value=shown(value), reason=reason_of(error)) from error


def _paths(changes: Any) -> list[str]:
    if isinstance(changes, Mapping) and changes and all(isinstance(each, str) for each in changes):
        return list(changes)
    raise InvalidSettingsValue(path="the settings", value=shown(changes), allowed="a mapping of paths to values")


def _with(holder: Any, declared: Shape, changes: list[Change], trail: str) -> Any:
    """Return a copy of what is at ``trail``, of which a shape is declared, with every change.

    The fields of a record are replaced at once, the parts of anything else one after the other.
    """
    description = describe_value(holder)
    fields: dict[str, Any] = {}
    for first, inside in _grouped(changes, trail).items():
        here = joined(trail, first)
        place = place_of(holder, declared, first, here)
        new = _changed(place, inside, here)
        if description is None:
            holder = place.put(new)
        else:
            assert isinstance(first, str), "a record has no items"
            fields[first] = new
    return holder if description is None else description.replace(holder, fields)


def _grouped(changes: list[Change], trail: str) -> dict[Step, list[Change]]:
    """Return the changes by the step that each takes first, without it."""
    groups: dict[Step, list[Change]] = {}
    for (first, *rest), value in changes:
        groups.setdefault(first, []).append((tuple(rest), value))
    for first, inside in groups.items():
        whole = [value for rest, value in inside if not rest]
        if whole and len(inside) > 1:
            reason = "the same change sets it in more than one way"
            raise SettingsRefused(path=joined(trail, first), value=shown(whole[0]), reason=reason)
    return groups


def _changed(place: Place, changes: list[Change], path: str) -> Any:
    """Return what shall be at a place: a value, or what is there with changes inside."""
    if not changes[0][0]:
        value = changes[0][1]
        if any(omissions(value)):
            raise InvalidSettingsValue(path=path, value=shown(value), allowed=_WHOLE)
        return given(_shape_for(value, place), place.validator, _as_array(value, place, path), path)
    new = _with(place.current(), place.shape, changes, path)
    _check_whole(place, new, path)
    return new


def _shape_for(value: Any, place: Place) -> Shape:
    """An array is made only where the array type is known; what is there now may tell what no declaration does."""
    if isinstance(value, PlainArray) and place.shape == ANYTHING:
        now = _now(place)
        return Array(type(now)) if is_array(now) else ANYTHING
    return place.shape


def _as_array(value: Any, place: Place, path: str) -> Any:
    """Return a list that is given for an array as an array of the type that is there now: JSON has no types."""
    if not isinstance(value, list) or not is_array(now := _now(place)):
        return value
    shape = Array(type(now))
    if place.shape != ANYTHING and shape not in getattr(place.shape, "shapes", (place.shape,)):
        return value
    made = as_before(now, coerced(shape, value, path))
    if made is None:
        kept = f"{allowed(shape)} that {now.dtype.name} can hold, which it is of"
        raise InvalidSettingsValue(path=path, value=shown(value), allowed=kept)
    return made


def _now(place: Place) -> Any:
    try:
        return place.current()
    except UnknownSettingsField:  # a key that is not there yet
        return None


def _check_whole(place: Place, new: Any, path: str) -> None:
    """See that what was changed inside is still allowed as a whole; its other parts are none of this change."""
    if isinstance(place.shape, Choice):
        coerced(place.shape, new, path)
    if place.validator is not None:
        validate(place.validator, new, path)
