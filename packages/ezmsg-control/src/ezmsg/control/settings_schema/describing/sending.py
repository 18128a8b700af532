"""A value as it is sent to who shall set it: in plain forms, of which its process makes again what it was."""

from collections.abc import Mapping
from enum import Enum
from typing import Any

from ezmsg.control.settings_schema.sources.plain_forms import plain_form
from ezmsg.control.settings_schema.sources.reading import describe_value
from ezmsg.protocol.wire.plain import MAX_DEPTH


def sendable(value: object) -> Any:
    """Return a value with every record in it as the dict of its fields, and whatever has a plain form in that.

    What has none stays what it is; a value that cannot be looked into stays as a whole.
    """
    try:
        return _sendable(value, ())
    except Exception:  # noqa: BLE001  protects the caller, who is told what could not travel, from a value's own class
        return value


def _sendable(value: Any, inside: tuple[int, ...]) -> Any:
    if isinstance(value, Enum):
        return _sendable(value.value, inside)
    if id(value) in inside or len(inside) > MAX_DEPTH:
        return value
    path = (*inside, id(value))
    if (description := describe_value(value)) is not None:
        names = [each.name for each in description.fields if each.settable]
        return {name: _sendable(getattr(value, name), path) for name in names}
    if isinstance(value, Mapping):
        return {key: _sendable(each, path) for key, each in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        kind = list if isinstance(value, list) else tuple if isinstance(value, tuple) else type(value)
        return kind([_sendable(each, path) for each in value])
    form = plain_form(value)
    return value if form is None else form
