"""Values as they come from an operator, held to a shape: what fits is returned as the owning process wants it.

Conversions lose nothing: 3.0 is a whole number and 3 a floating-point one, a member of an enumeration may be given
by its value or name, a list for a tuple or an array. Text is never a number, except where it is all that is
`given`, and a number never a truth. A `json_schema` of the same shape accepts the same values, of those that JSON
has.
"""

import re
from collections.abc import Mapping
from enum import Enum
from typing import Any

from ezmsg.control.errors import InvalidSettingsValue, SettingsCoercionError, SettingsRefused, UnknownSettingsField
from ezmsg.control.settings_schema.fields.descriptions import Description, Field, Validator
from ezmsg.control.settings_schema.fields.json_values import (
    WHOLE_KEY,
    array_from,
    bytes_from,
    number_from,
    number_of_form,
)
from ezmsg.control.settings_schema.fields.limits import Limits
from ezmsg.control.settings_schema.fields.paths import joined
from ezmsg.control.settings_schema.fields.scalars import unboxed
from ezmsg.control.settings_schema.fields.shapes import (
    Anything,
    Array,
    Binary,
    Choice,
    Either,
    Flag,
    Instance,
    Items,
    Made,
    Member,
    Null,
    Real,
    Record,
    Row,
    Shape,
    Table,
    Text,
    Whole,
)
from ezmsg.control.settings_schema.fields.wording import allowed, reason_of, shown
from ezmsg.control.settings_schema.patching.number_arrays import array_of_numbers
from ezmsg.control.settings_schema.sources.reading import describe
from ezmsg.protocol.snapshots.json_form import to_json_form


def coerced(shape: Shape, value: Any, path: str) -> Any:
    """Return the value as the shape has it; ``path`` says in an error where it was to go.

    :raises InvalidSettingsValue: if the value is not allowed.
    :raises UnknownSettingsField: if a mapping names a field that is not there.
    :raises SettingsRefused: if a settings type inside refuses its fields.
    """
    match shape:
        case Anything():
            return value
        case Null() if value is None:
            return None
        case Flag():
            return _flag(shape, value, path)
        case Whole():
            return _whole(shape, value, path)
        case Real():
            return _real(shape, value, path)
        case Text(length) if isinstance(value, str) and length.hold(len(value)):
            return value
        case Binary() if (data := bytes_from(value)) is not None:
            return data
        case Member():
            return _member(shape, value, path)
        case Choice():
            return _choice(shape, value, path)
        case Items():
            return _items(shape, value, path)
        case Row(items) if isinstance(value, list | tuple) and len(value) == len(items):
            return tuple(coerced(item, value[n], joined(path, n)) for n, item in enumerate(items))
        case Table():
            return _table(shape, value, path)
        case Record():
            return _record(shape, value, path)
        case Array():
            return _array(shape, value, path)
        case Made():
            return _made(shape, value, path)
        case Instance(cls) if _is_instance(value, cls):
            return value
        case Either():
            return _either(shape, value, path)
    raise _invalid(shape, value, path)


def given(shape: Shape, validator: Validator | None, value: Any, path: str) -> Any:
    """Return the value that an operator gives for a whole field, as `validated`; a number may come as its text.

    That is for forms and command lines, which have nothing but texts: inside of what is given, text stays text.
    """
    try:
        return validated(shape, validator, value, path)
    except InvalidSettingsValue as error:
        number = number_from(value) if isinstance(value, str) else None
        if number is None:
            raise
        try:
            return validated(shape, validator, number, path)
        except InvalidSettingsValue:
            raise error from None


def validated(shape: Shape, validator: Validator | None, value: Any, path: str) -> Any:
    """Return the value as a field of this shape and validator has it.

    :raises SettingsCoercionError: as `coerced`, and if the validator raises.
    """
    new = coerced(shape, value, path)
    if validator is not None:
        validate(validator, new, path)
    return new


def validate(validator: Validator, value: Any, path: str) -> None:
    """Ask a field's validator.

    :raises SettingsRefused: if it raises; what it returns does not matter.
    """
    try:
        validator(value)
    except Exception as error:  # a user's function, which may refuse with whatever it likes
        raise SettingsRefused(path=path, value=shown(value), reason=reason_of(error)) from error


def unknown_field(description: Description, name: object, path: str) -> UnknownSettingsField:
    """Return the error for a field that is not there, or that cannot be set."""
    cls = description.cls.__qualname__
    if isinstance(name, str) and name in description.by_name:
        return UnknownSettingsField(path=path, reason=f"{cls} does not let {name} be set")
    names = ", ".join(each.name for each in description.fields if each.settable) or "none"
    return UnknownSettingsField(path=path, reason=f"{cls} has no field {shown(name)}; its fields are: {names}")


def is_settable(description: Description, name: object) -> bool:
    """Return whether there is a field of this name that can be set."""
    return isinstance(name, str) and name in description.by_name and description.by_name[name].settable


def _invalid(shape: Shape, value: Any, path: str) -> InvalidSettingsValue:
    return InvalidSettingsValue(path=path, value=shown(value), allowed=allowed(shape))


def _flag(shape: Flag, value: Any, path: str) -> bool:
    flag = unboxed(value)
    if isinstance(flag, bool):
        return flag
    raise _invalid(shape, value, path)


def _whole(shape: Whole, value: Any, path: str) -> int:
    number = unboxed(value)
    if isinstance(number, float) and number.is_integer():
        number = int(number)
    if isinstance(number, int) and not isinstance(number, bool) and shape.limits.hold(number):
        return int(number)
    raise _invalid(shape, value, path)


def _real(shape: Real, value: Any, path: str) -> float:
    number = unboxed(number_of_form(value))
    if isinstance(number, int) and not isinstance(number, bool):
        number = _exact_float(number)
    if isinstance(number, float) and shape.limits.hold(number):
        return float(number)
    raise _invalid(shape, value, path)


def _exact_float(number: int) -> float | None:
    try:
        return float(number) if float(number) == number else None
    except OverflowError:
        return None


def _member(shape: Member, value: Any, path: str) -> Enum:
    by_value = [each for each in shape.members if each is value or _same(each.value, value)]
    for each in by_value or [each for each in shape.members if isinstance(value, str) and each.name == value]:
        return each
    raise _invalid(shape, value, path)


def _choice(shape: Choice, value: Any, path: str) -> Any:
    try:
        new = coerced(shape.inner, value, path)
    except InvalidSettingsValue:
        raise _invalid(shape, value, path) from None
    for each in shape.choices:
        if _same(each, new):
            return each if shape.inner == Anything() else new
    raise _invalid(shape, value, path)


def _same(choice: Any, value: Any) -> bool:
    """Equal as JSON has it, where 1 and 1.0 are and 1 and true are not; a choice may be given by its JSON form."""
    try:
        if choice is value:
            return True
        if isinstance(choice, Enum) and not isinstance(value, Enum):
            return _same(choice.value, value) or choice.name == value
        if isinstance(choice, bool) or isinstance(value, bool):
            return isinstance(choice, bool) and isinstance(value, bool) and choice == value
        return bool(choice == value) or (isinstance(value, dict | list) and bool(to_json_form(choice) == value))
    except Exception:  # noqa: BLE001  an array is neither true nor false; other people's __eq__ may do anything
        return False


def _sized(length: Limits, value: Any) -> bool:
    return not length.given or length.hold(len(value))


def _items(shape: Items, value: Any, path: str) -> Any:
    if not isinstance(value, list | tuple | set | frozenset) or not _sized(shape.length, value):
        raise _invalid(shape, value, path)
    items = [coerced(shape.item, each, joined(path, n)) for n, each in enumerate(value)]
    try:
        return shape.make(items)
    except TypeError:  # an item that a set cannot hold
        raise _invalid(shape, value, path) from None


def _table(shape: Table, value: Any, path: str) -> dict[Any, Any]:
    if not isinstance(value, Mapping) or not _sized(shape.length, value):
        raise _invalid(shape, value, path)
    table = {}
    for key, each in value.items():
        table[key_of(shape, key, path)] = coerced(shape.value, each, joined(path, str(key)))
    return table


def key_of(shape: Table, key: Any, path: str) -> Any:
    """Return a mapping's key; a whole number may be given as text, since JSON and paths have no other keys.

    :raises InvalidSettingsValue: if the mapping can have no such key.
    """
    whole = shape.key if isinstance(shape.key, Whole) else None
    if whole is not None and isinstance(key, str) and re.fullmatch(WHOLE_KEY, key):
        key = int(key)
    try:
        return coerced(shape.key, key, path)
    except InvalidSettingsValue as error:
        keys, given = f"keys that are each {allowed(shape.key)}", f"a mapping with the key {shown(key)}"
        raise InvalidSettingsValue(path=path, value=given, allowed=keys) from error


def _record(shape: Record, value: Any, path: str) -> Any:
    if isinstance(value, shape.cls):
        return value
    description = describe(shape.cls)
    if description is None or not isinstance(value, Mapping):
        raise _invalid(shape, value, path)
    for name in value:
        if not is_settable(description, name):
            raise unknown_field(description, name, joined(path, str(name)))
    missing = [each.name for each in description.fields if each.required and each.name not in value]
    if missing:
        taken = f"{allowed(shape)}, of which {', '.join(missing)} must be there"
        raise InvalidSettingsValue(path=path, value=shown(value), allowed=taken)
    values = {name: _field(description.by_name[name], each, joined(path, name)) for name, each in value.items()}
    try:
        return description.make(shape.cls, values)
    except Exception as error:  # what the type's own validation raises, which may be anything
        raise SettingsRefused(path=path, value=shown(value), reason=reason_of(error)) from error


def _field(field: Field, value: Any, path: str) -> Any:
    return validated(field.shape, field.hints.validator, value, path)


def _array(shape: Array, value: Any, path: str) -> Any:
    if _is_instance(value, shape.cls):
        return value
    if isinstance(value, list | tuple):
        made = array_of_numbers(shape.cls, value)
        if made is None:
            raise _invalid(shape, value, path)
        return made
    plain = array_from(value)
    if plain is None:
        raise _invalid(shape, value, path)
    try:
        # Copied: an array over received bytes could not be written to.
        return shape.cls(shape=plain.shape, dtype=plain.dtype, buffer=plain.data).copy()
    except Exception as error:  # too few bytes, or a dtype that this NumPy does not know
        raise SettingsRefused(path=path, value=shown(value), reason=reason_of(error)) from error


def _made(shape: Made, value: Any, path: str) -> Any:
    if _is_instance(value, shape.cls):
        if not isinstance(shape.inner, Text):
            coerced(shape.inner, value, path)  # the limits hold for those too
        return value
    new = coerced(shape.inner, value, path)
    try:
        return (shape.read or shape.cls)(new)
    except Exception as error:  # a number too large for its type, and whatever a user's class raises
        raise SettingsRefused(path=path, value=shown(value), reason=reason_of(error)) from error


def _is_instance(value: Any, cls: type) -> bool:
    try:
        return isinstance(value, cls)
    except TypeError:  # a Protocol that cannot be asked
        return True


def _either(shape: Either, value: Any, path: str) -> Any:
    """Prefer an alternative that takes the value as it is: of ``int | float``, 3.0 stays a float."""
    taken: list[Any] = []
    deeper: list[SettingsCoercionError] = []
    for each in shape.shapes:
        try:
            taken.append(coerced(each, value, path))
        except SettingsCoercionError as error:
            if getattr(error, "path", path) != path or isinstance(error, SettingsRefused):
                deeper.append(error)
    if not taken:
        raise deeper[0] if len(deeper) == 1 else _invalid(shape, value, path)
    return next((each for each in taken if type(each) is type(value)), taken[0])
