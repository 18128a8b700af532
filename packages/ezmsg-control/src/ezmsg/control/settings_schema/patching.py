"""Fields of a settings value changed, in a copy: `patched(settings, "filters[0].cutoff", 12.5)`.

Only what leads to the field is copied, by the means of whoever declared it; the value itself is never touched.
"""

from collections.abc import Mapping
from typing import Any

from ezmsg.control.errors import (
    InvalidSettingsValue,
    SettingsCoercionError,
    SettingsRefused,
    UnknownSettingsField,
)
from ezmsg.control.settings_schema.coercion import coerced, validate, validated
from ezmsg.control.settings_schema.paths import Step, joined, parse_path
from ezmsg.control.settings_schema.places import Place, place_of
from ezmsg.control.settings_schema.reading import describe_value
from ezmsg.control.settings_schema.shapes import ANYTHING, Array, Choice, Shape
from ezmsg.control.settings_schema.wording import reason_of, shown
from ezmsg.protocol.plain import PlainArray


def patched(settings: Any, path: str, value: Any) -> Any:
    """Return a copy of the settings with the value at the path.

    The path "" takes a mapping of paths to values, which are changed together: what a settings type says of its
    fields as a whole is asked once, of the outcome.

    Goes through dataclasses, classes of attrs, models of pydantic, classes of param, mappings, lists, tuples,
    objects with ``copy(update=...)`` and, by a deep copy, any other object with attributes.

    :raises UnknownSettingsField: if the path leads nowhere, or to what cannot be set.
    :raises InvalidSettingsValue: if the value is not allowed there.
    :raises SettingsRefused: if the settings type, or a validator, refuses the value.
    """
    steps = {text: parse_path(text) for text in _paths(value)} if path == "" else {path: parse_path(path)}
    values = value if path == "" else {path: value}
    try:
        return _with_all(settings, [(steps[text], values[text]) for text in steps])
    except SettingsCoercionError:
        raise
    except Exception as error:  # what the types' own validation raises, which may be anything
        where = path or ", ".join(steps)
        raise SettingsRefused(path=where, value=shown(value), reason=reason_of(error)) from error


def _paths(changes: Any) -> list[str]:
    if isinstance(changes, Mapping) and changes and all(isinstance(each, str) for each in changes):
        return list(changes)
    raise InvalidSettingsValue(path="the settings", value=shown(changes), allowed="a mapping of paths to values")


def _with_all(settings: Any, changes: list[tuple[tuple[Step, ...], Any]]) -> Any:
    """Return a copy with every change; the fields of a record are replaced at once."""
    description = describe_value(settings)
    if description is None or len(changes) == 1:
        for steps, value in changes:
            settings = _with(settings, ANYTHING, steps, "", value)
        return settings
    new: dict[str, Any] = {}
    for (first, *rest), value in changes:
        here = joined("", first)
        place = place_of(settings, ANYTHING, first, here)
        assert isinstance(first, str), "a record has no items"
        if rest:
            before = new[first] if first in new else place.current()
            new[first] = _with(before, place.shape, tuple(rest), here, value)
            _check_whole(place, new[first], here)
        else:
            new[first] = validated(_shape_for(value, place), place.validator, value, here)
    return description.replace(settings, new)


def _with(holder: Any, declared: Shape, steps: tuple[Step, ...], trail: str, value: Any) -> Any:
    """Return a copy of what is at ``trail``, of which a shape is declared, with the value where the steps lead."""
    here = joined(trail, steps[0])
    place = place_of(holder, declared, steps[0], here)
    if len(steps) == 1:
        return place.put(validated(_shape_for(value, place), place.validator, value, here))
    new = _with(place.current(), place.shape, steps[1:], here, value)
    _check_whole(place, new, here)
    return place.put(new)


def _shape_for(value: Any, place: Place) -> Shape:
    """An array is made only where the array type is known; what is there now may tell what no declaration does."""
    if isinstance(value, PlainArray) and place.shape == ANYTHING:
        try:
            now = type(place.current())
        except UnknownSettingsField:  # a key that is not there yet
            return ANYTHING
        return Array(now) if now.__name__ == "ndarray" else ANYTHING
    return place.shape


def _check_whole(place: Place, new: Any, path: str) -> None:
    """See that what was changed inside is still allowed as a whole; its other parts are none of this change."""
    if isinstance(place.shape, Choice):
        coerced(place.shape, new, path)
    if place.validator is not None:
        validate(place.validator, new, path)
