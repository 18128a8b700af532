"""A door: metadata and snapshots live in `ezmsg.protocol.model`; this path is kept for ezmsg 3's programs."""

from ezmsg.protocol import model
from ezmsg.protocol.model import *  # noqa: F403  all of it, whatever comes to it
from ezmsg.protocol.model.metadata import (
    ComponentMetadataType,
    InitialSettingsType,
    RelayMetadataType,
    SerializedSettingsType,
    SettingsReprType,
    StreamMetadataType,
    TopicMetadataType,
)

__all__ = [  # noqa: PLE0604  the model's names are strings
    *model.__all__,
    "ComponentMetadataType",
    "InitialSettingsType",
    "RelayMetadataType",
    "SerializedSettingsType",
    "SettingsReprType",
    "StreamMetadataType",
    "TopicMetadataType",
]
