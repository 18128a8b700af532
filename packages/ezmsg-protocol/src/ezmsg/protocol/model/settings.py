"""Settings as the graph server sees them: values, and the events that say they changed."""

from dataclasses import dataclass
from enum import Enum
from typing import Any
from uuid import UUID

from ezmsg.protocol.model.metadata import SettingsSchemaMetadata


@dataclass
class SettingsSnapshotValue:
    """The settings of one component.

    ``serialized`` is a pickle that the control plane never opens, or ``None``; ``structured_value`` holds by field
    name what JSON can hold, of what is too large a shape and a digest; ``revision`` counts the changes of this
    component, from 0.
    """

    serialized: bytes | None
    repr_value: dict[str, Any] | str
    structured_value: dict[str, Any] | None = None
    settings_schema: SettingsSchemaMetadata | None = None
    revision: int = 0


class SettingsEventType(Enum):
    """What happened to a component's settings."""

    INITIAL_SETTINGS = "INITIAL_SETTINGS"
    SETTINGS_UPDATED = "SETTINGS_UPDATED"
    SETTINGS_REMOVED = "SETTINGS_REMOVED"
    UNKNOWN = "UNKNOWN"


@dataclass
class SettingsChangedEvent:
    """One change of one component's settings; ``timestamp`` is wall time in seconds since the Unix epoch.

    ``changed_by`` names the client that asked for it, such as ``tui@lab3``; ``None`` if its own program did it.
    """

    seq: int
    event_type: SettingsEventType
    component_address: str
    timestamp: float
    source_session_id: str | None
    source_process_id: UUID | None
    value: SettingsSnapshotValue
    changed_by: str | None = None
