"""A component's settings in the two forms in which they are reported: opaque bytes, and readable.

The bytes are for those who have the class; the control plane stores and never opens them. The readable form is
for everybody else. Neither ever fails: what cannot be pickled has no bytes, and what is not plain is its repr.
"""

import pickle
from typing import Any

from ezmsg.control.settingsmeta import settings_repr_value, settings_schema_from_value, settings_structured_value
from ezmsg.core.support.logs import logger
from ezmsg.protocol.model.settings import SettingsSnapshotValue


def initial_settings(settings: object, address: str) -> tuple[bytes | None, dict[str, Any] | str]:
    """Return the pickled bytes, ``None`` if there can be none, and a nested dict of the fields or the repr."""
    return _pickled(settings, address), settings_repr_value(settings)


def settings_value(settings: object, address: str) -> SettingsSnapshotValue:
    """Return settings as a process reports them: in the two forms, as plain data, and with their schema."""
    serialized, readable = initial_settings(settings, address)
    return SettingsSnapshotValue(
        serialized=serialized,
        repr_value=readable,
        structured_value=settings_structured_value(settings),
        settings_schema=settings_schema_from_value(settings),
    )


def _pickled(settings: object, address: str) -> bytes | None:
    try:
        return pickle.dumps(settings)
    except Exception as error:  # noqa: BLE001  protects the program's start from a user's __reduce__
        logger.warning("The settings of %s cannot be pickled, so others cannot edit them: %s", address, error)
        return None
