"""A component's settings as they are reported: opaque bytes, a readable form, and plain data.

The bytes are for those who have the class; the control plane stores and never opens them. The other forms are for
everybody else. None ever fails: what cannot be pickled has no bytes, and what is not plain is its repr. None takes
the control plane down either: of what is too large others are told the shape and a digest, and the log says so.
"""

import io
import pickle
from collections.abc import Mapping
from typing import Any

from attrs import frozen

from ezmsg.control.settings_schema.describing.omitting import VALUE_LIMIT
from ezmsg.control.settings_schema.describing.structured import readable, structured
from ezmsg.control.settings_schema.fields.omissions import in_words, omissions
from ezmsg.control.settingsmeta import settings_schema_from_value
from ezmsg.core.support.logs import logger
from ezmsg.protocol.model.settings import SettingsSnapshotValue
from ezmsg.protocol.wire.plain import pack, safe_repr

_SOME = 5
"""So many are named in one line of the log."""

_told: set[tuple[str, str]] = set()
"""The fields that this process has said to be too large: it says so once of each, and not with every report."""


@frozen
class Reported:
    """One component's settings in every form in which they travel."""

    serialized: bytes | None
    readable: dict[str, Any] | str
    structured: dict[str, Any] | None
    omitted: list[tuple[str, str]]
    """The paths of what is too large to be told, and what it is."""

    @property
    def size(self) -> int:
        """How many bytes all of them take on the wire, nearly."""
        return len(self.serialized or b"") + len(pack(self.readable)) + len(pack(self.structured))


def reported(settings: object, address: str, limit: int = VALUE_LIMIT) -> Reported:
    """Return a component's settings as they are reported, each form of at most ``limit`` bytes."""
    plain, words = structured(settings, limit), readable(settings, limit)
    serialized = _pickled(settings, address, limit)
    return Reported(
        serialized,
        words if isinstance(words, dict) else safe_repr(settings)[:limit],
        plain if isinstance(plain, dict) else None,
        [(path, in_words(part)) for path, part in omissions(plain)],
    )


def initial_settings(settings: object, address: str) -> tuple[bytes | None, dict[str, Any] | str]:
    """Return the pickled bytes, ``None`` if there can be none, and a nested dict of the fields or the repr."""
    forms = reported(settings, address)
    return forms.serialized, forms.readable


def settings_value(settings: object, address: str) -> SettingsSnapshotValue:
    """Return settings as a process reports them: in all forms, and with their schema."""
    forms = reported(settings, address)
    tell_omissions({address: forms})
    return SettingsSnapshotValue(
        serialized=forms.serialized,
        repr_value=forms.readable,
        structured_value=forms.structured,
        settings_schema=settings_schema_from_value(settings),
    )


def tell_omissions(components: Mapping[str, Reported]) -> None:
    """Say in the log, once in this process, what of the settings of some components is too large to be told."""
    found: list[str] = []
    for address, forms in components.items():
        for path, words in forms.omitted:
            if (address, path) not in _told:
                _told.add((address, path))
                found.append(f"{address}.{path} ({words})".replace(". ", " "))
    if found:
        more = f" and {len(found) - _SOME} more" if len(found) > _SOME else ""
        logger.info(
            "Settings that are too large to be shown to others: %s%s. The units have them as they were given; the "
            "graph holds the shape of each and a digest.",
            *(", ".join(found[:_SOME]), more),
        )


class _TooLarge(Exception):
    """More bytes came than there may be."""


class _Limited(io.BytesIO):
    """Takes so many bytes and no more, so that no more are ever made."""

    def __init__(self, limit: int) -> None:
        super().__init__()
        self._left = limit

    def write(self, data: Any) -> int:
        self._left -= memoryview(data).nbytes
        if self._left < 0:
            raise _TooLarge
        return super().write(data)


def _pickled(settings: object, address: str, limit: int) -> bytes | None:
    taken = _Limited(limit)
    try:
        pickle.Pickler(taken).dump(settings)
    except _TooLarge:
        return None  # of which the other forms speak
    except Exception as error:  # noqa: BLE001  protects the program's start from a user's __reduce__
        logger.warning("The settings of %s cannot be pickled, so others cannot edit them: %s", address, error)
        return None
    return taken.getvalue()
