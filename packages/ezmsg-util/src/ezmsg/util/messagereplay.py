"""A door: replay and collector live in `ezmsg.util.units`; this is where programs import them from."""

from ezmsg.util.units.collector import MessageCollector, MessageCollectorState
from ezmsg.util.units.replay import (
    FileReplayMessage,
    MessageReplay,
    MessageReplaySettings,
    MessageReplayState,
    ReplayStatusMessage,
)

__all__ = [
    "FileReplayMessage",
    "MessageCollector",
    "MessageCollectorState",
    "MessageReplay",
    "MessageReplaySettings",
    "MessageReplayState",
    "ReplayStatusMessage",
]
