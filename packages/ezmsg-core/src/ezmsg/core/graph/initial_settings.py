"""A component's settings in the two forms in which they are reported: opaque bytes, and readable.

The bytes are for those who have the class; the control plane stores and never opens them. The readable form is
for everybody else. Neither ever fails: what cannot be pickled has no bytes, and what is not plain is its repr.
"""

import pickle
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import Any

from ezmsg.core.logs import logger
from ezmsg.protocol.plain import safe_repr


def initial_settings(settings: object, address: str) -> tuple[bytes | None, dict[str, Any] | str]:
    """Return the pickled bytes, ``None`` if there can be none, and a nested dict of the fields or the repr."""
    return _pickled(settings, address), readable_settings(settings)


def readable_settings(settings: object) -> dict[str, Any] | str:
    """Return the fields as a nested dict of plain values; the repr of what has no fields."""
    try:
        plain = _plain(settings)
    except Exception:  # noqa: BLE001  protects the program's start from what a user's class may do
        return safe_repr(settings)
    return plain if isinstance(plain, dict) else safe_repr(settings)


def _pickled(settings: object, address: str) -> bytes | None:
    try:
        return pickle.dumps(settings)
    except Exception as error:  # noqa: BLE001  protects the program's start from a user's __reduce__
        logger.warning("The settings of %s cannot be pickled, so others cannot edit them: %s", address, error)
        return None


def _plain(value: object) -> Any:
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, Enum):
        return _plain(value.value)
    if isinstance(value, int | float):
        return int(value) if isinstance(value, int) else float(value)
    if is_dataclass(value) and not isinstance(value, type):
        # A field may be missing: of the ones that are not for the constructor, nobody says that they are set.
        return {each.name: _plain(getattr(value, each.name, None)) for each in fields(value)}
    if isinstance(value, Mapping):
        return {key if isinstance(key, str) else safe_repr(key): _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(each) for each in value]
    return safe_repr(value)
