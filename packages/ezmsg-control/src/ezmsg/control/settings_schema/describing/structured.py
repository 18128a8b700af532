"""A settings value as plain data: faithful for programs (`structured`), readable for people (`readable`).

Nothing here fails, and nothing here keeps a reference to the value: what comes out stays as it is. Nor does it grow
with what somebody keeps in settings: what is too large is left out, as `omitting` has it.
"""

from collections.abc import Callable, Mapping
from enum import Enum
from typing import Any

from attrs import define

from ezmsg.control.settings_schema.describing.omitting import (
    PART_LIMIT,
    VALUE_LIMIT,
    omission,
    omission_in_words,
)
from ezmsg.control.settings_schema.fields.descriptions import Field
from ezmsg.control.settings_schema.fields.scalars import is_array, unboxed
from ezmsg.control.settings_schema.sources.plain_forms import plain_form
from ezmsg.control.settings_schema.sources.reading import describe_value
from ezmsg.protocol.snapshots.json_form import to_json_form
from ezmsg.protocol.wire.plain import MAX_DEPTH, PlainArray, pack, safe_repr, unpack

_ITEM_BYTES = 8
"""What an item of an array or a list is taken for at least, in bytes."""

_LONGEST_INT = 4096
"""The longest whole number that is told, in bits; Python refuses to write much longer ones as text, JSON's too."""

_NUMBERS = "biuf"
"""The kinds of arrays whose items are numbers in JSON, too."""


def structured(value: object, limit: int = VALUE_LIMIT) -> Any:
    """Return a value as it arrives on the other side of the wire, in terms of JSON.

    Records are dicts by field, members of enumerations their values, tuples and sets lists, arrays of numbers
    nested lists, bytes and other arrays what `ezmsg.protocol.snapshots.json_form` makes of them; NaN and the
    infinities stay. Paths, dates and their like are texts as `plain_forms` has them, and what has no plain form is
    its repr. Parts of more than 64 KiB are left out, and the largest fields of what has more than ``limit`` bytes.
    """
    return _fitting(value, _Walk(_faithful, omission, min(PART_LIMIT, limit)), limit)


def readable(value: object, limit: int = VALUE_LIMIT) -> Any:
    """Return a value for people: as `structured`, but bytes, arrays, paths, dates and their like are their repr."""
    return _fitting(value, _Walk(safe_repr, omission_in_words, min(PART_LIMIT, limit)), limit)


def default_value(field: Field) -> Any:
    """Return a field's default as `structured` has it, ``None`` if there is none or it cannot be made here."""
    if field.default is None:
        return None
    try:
        return structured(field.default(), PART_LIMIT)
    except Exception:  # noqa: BLE001  protects a registration from a user's default factory
        return None


class _NoRoom(Exception):
    """What is inside a part is too much in sum."""


@define
class _Walk:
    """Goes through one value.

    :param leaf: makes the form of what is no container and no atom.
    :param omit: makes the form of what is too large.
    :param room: how many bytes one part may have; what is inside a field may have that in sum, roughly.
    """

    leaf: Callable[[object], Any]
    omit: Callable[[object], Any]
    room: int
    left: int = 0

    def part(self, value: object) -> Any:
        """Return the form of a part that has room of its own."""
        self.left = 4 * self.room
        try:
            return self.plain(value, ())
        except _NoRoom:
            return self.omit(value)

    def plain(self, value: object, inside: tuple[int, ...]) -> Any:
        """Return a form; ``inside`` holds the identities of the containers around, from the outermost on."""
        try:
            form = self._omitted(value)
            return self._form(value, inside) if form is None else form
        except _NoRoom:
            raise
        except Exception:  # noqa: BLE001  protects a registration, and what is beside, from what a user's class may do
            return self._text(safe_repr(value))

    def _omitted(self, value: Any) -> Any:
        """Return the form of what is too large to be looked into, ``None`` of all else."""
        size = _size(value)
        if size > self.room:
            return self.omit(value)
        self.left -= size
        if self.left < 0:
            raise _NoRoom
        return None

    def _form(self, value: Any, inside: tuple[int, ...]) -> Any:
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, Enum):
            return self.plain(value.value, inside)
        if isinstance(value, int | float | str):
            return _atom(value)
        if id(value) in inside:
            return "..."
        if len(inside) >= MAX_DEPTH:
            return self._text(safe_repr(value))
        path = (*inside, id(value))
        if isinstance(value, Mapping):
            return {_key(key): self.plain(each, path) for key, each in value.items()}
        if isinstance(value, list | tuple):
            return [self.plain(each, path) for each in value]
        if isinstance(value, set | frozenset):
            return [self.plain(each, path) for each in _in_order(value)]
        return self._object(value, path)

    def _object(self, value: Any, inside: tuple[int, ...]) -> Any:
        description = describe_value(value)
        if description is not None:
            # A field may be missing: of the ones that are not for the constructor, nobody says that they are set.
            names = [each.name for each in description.fields]
            return {name: self.plain(getattr(value, name, None), inside) for name in names}
        # For people its repr, as the public package has it
        form = plain_form(value) if self.leaf is _faithful else None
        plain = unboxed(value) if form is None else form
        made = self.leaf(value) if plain is value else plain
        return self._text(made) if isinstance(made, str) else made

    def _text(self, text: str) -> Any:
        """Return the text in which a value is told, unless it is too long."""
        return self.omit(text) if len(text) > self.room else text


def _fitting(value: object, walk: _Walk, limit: int) -> Any:
    """Return a form of at most ``limit`` bytes; the fields that do not fit are left out, the largest first."""
    parts = _parts(value)
    if parts is None:
        form = walk.part(value)
        return form if len(pack(form)) <= limit else walk.omit(value)
    forms = {name: walk.part(each) for name, each in parts.items()}
    sizes = {name: len(pack(form)) + len(name) for name, form in forms.items()}
    total = sum(sizes.values())
    for name in sorted(sizes, key=sizes.__getitem__, reverse=True):
        if total <= limit:
            return forms
        forms[name] = walk.omit(parts[name])
        total += len(pack(forms[name])) + len(name) - sizes[name]
    return forms if total <= limit else walk.omit(value)


def _parts(value: Any) -> dict[str, Any] | None:
    """Return the fields of a record, or the values of a mapping, by name; ``None`` of what has neither."""
    try:
        if isinstance(value, Mapping):
            return {_key(key): each for key, each in value.items()}
        if isinstance(value, Enum) or (description := describe_value(value)) is None:
            return None
        return {each.name: getattr(value, each.name, None) for each in description.fields}
    except Exception:  # noqa: BLE001  as in `_Walk.plain`, which makes its repr of it
        return None


def _size(value: Any) -> int:
    """Return how many bytes a value has at least by itself: what is inside a container counts when it is met."""
    if value is None or isinstance(value, bool | float):
        return 1
    if isinstance(value, int):
        return 1 if value.bit_length() <= _LONGEST_INT else VALUE_LIMIT
    if isinstance(value, str | bytes | bytearray | list | tuple | set | frozenset | Mapping):
        return 1 + len(value)
    if is_array(value):
        return max(int(value.nbytes), int(value.size) * _ITEM_BYTES)
    if isinstance(value, PlainArray | memoryview):
        return len(value.data) if isinstance(value, PlainArray) else value.nbytes
    return 1


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


def _faithful(value: Any) -> Any:
    if is_array(value) and value.dtype.kind in _NUMBERS and value.dtype.itemsize <= _ITEM_BYTES:
        return value.tolist()  # larger floats have more digits than a float of Python
    plain = unpack(pack(value))
    return to_json_form(plain) if isinstance(plain, bytes | PlainArray) else plain
