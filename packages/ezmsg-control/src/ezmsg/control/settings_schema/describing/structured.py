"""A settings value as plain data: faithful for programs (`structured`), readable for people (`readable`).

Nothing here fails, and nothing here keeps a reference to the value: what comes out stays as it is.
"""

from collections.abc import Callable, Mapping
from enum import Enum
from typing import Any

from ezmsg.control.settings_schema.fields.descriptions import Field
from ezmsg.control.settings_schema.fields.scalars import unboxed
from ezmsg.control.settings_schema.sources.plain_forms import plain_form
from ezmsg.control.settings_schema.sources.reading import describe_value
from ezmsg.protocol.wire.plain import MAX_DEPTH, pack, safe_repr, unpack

_Leaf = Callable[[object], Any]


def structured(value: object) -> Any:
    """Return a value as it arrives on the other side of the wire.

    Records are dicts by field, members of enumerations their values, tuples and sets lists; NaN and bytes stay,
    an array is a `PlainArray`, paths, dates and their like are texts as `plain_forms` has them, and what has no
    plain form is its repr.
    """
    return _plain(value, _faithful)


def readable(value: object) -> Any:
    """Return a value for people: as `structured`, but bytes, arrays, paths, dates and their like are their repr."""
    return _plain(value, safe_repr)


def default_value(field: Field) -> Any:
    """Return a field's default as `structured` has it, ``None`` if there is none or it cannot be made here."""
    if field.default is None:
        return None
    try:
        return structured(field.default())
    except Exception:  # noqa: BLE001  protects a registration from a user's default factory
        return None


def _plain(value: object, leaf: _Leaf, inside: tuple[int, ...] = ()) -> Any:
    """``inside`` holds the identities of the containers that ``value`` is in, from the outermost on."""
    try:
        return _form(value, leaf, inside)
    except Exception:  # noqa: BLE001  protects a registration, and what is beside, from what a user's class may do
        return safe_repr(value)


def _form(value: Any, leaf: _Leaf, inside: tuple[int, ...]) -> Any:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, Enum):
        return _plain(value.value, leaf, inside)
    if isinstance(value, int | float | str):
        return _atom(value)
    if id(value) in inside:
        return "..."
    if len(inside) >= MAX_DEPTH:
        return safe_repr(value)
    path = (*inside, id(value))
    if isinstance(value, Mapping):
        return {_key(key): _plain(each, leaf, path) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each, leaf, path) for each in value]
    if isinstance(value, set | frozenset):
        return [_plain(each, leaf, path) for each in _in_order(value)]
    return _object(value, leaf, path)


def _object(value: Any, leaf: _Leaf, inside: tuple[int, ...]) -> Any:
    description = describe_value(value)
    if description is None:
        form = plain_form(value) if leaf is _faithful else None  # for people its repr, as the public package has it
        plain = unboxed(value) if form is None else form
        return leaf(value) if plain is value else plain
    # A field may be missing: of the ones that are not for the constructor, nobody says that they are set.
    names = [each.name for each in description.fields]
    return {name: _plain(getattr(value, name, None), leaf, inside) for name in names}


def _atom(value: float | str) -> Any:
    if isinstance(value, str):
        return str.__str__(value)
    return int.__int__(value) if isinstance(value, int) else float.__float__(value)


def _key(key: object) -> str:
    key = key.value if isinstance(key, Enum) else key
    if isinstance(key, str):
        return str.__str__(key)
    form = plain_form(key)
    return form if isinstance(form, str) else safe_repr(key)


def _in_order(items: Any) -> list[Any]:
    """A set has no order of its own; one is chosen so that equal sets are shown alike."""
    try:
        return sorted(items)
    except TypeError:
        return sorted(items, key=safe_repr)


def _faithful(value: object) -> Any:
    return unpack(pack(value))
