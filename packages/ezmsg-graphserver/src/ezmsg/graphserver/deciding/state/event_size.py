"""How large an event is at most as it is encoded, found without encoding it.

Every event is sized when it is logged, and most are never sent: to encode each would be a third of all that the
server does while many hosts come back.
"""

from typing import Any

from ezmsg.protocol.messages.events import TopologyEvent
from ezmsg.protocol.messages.settings import SettingsEvent
from ezmsg.protocol.wire.codec import encode

FRAME = 512
"""More than the names of an event's fields take, its ids and its numbers."""

_HEAD = 9
"""The largest number, and more than stands before any text, list or map."""


def event_size(event: TopologyEvent | SettingsEvent) -> int:
    """Return a number of bytes that an event does not exceed, and is not far below where it is large."""
    if isinstance(event, TopologyEvent):
        return FRAME + _size(event.event.changed_topics)
    changed = event.event
    value = changed.value
    values = value.serialized, value.repr_value, value.structured_value, value.settings_schema
    return FRAME + sum(map(_size, (changed.component_address, changed.changed_by, *values)))


def _size(value: Any) -> int:
    kind = type(value)
    if kind is str:
        return _HEAD + (len(value) if value.isascii() else 4 * len(value))
    if kind is float or kind is bool or value is None:
        return _HEAD
    if kind is bytes:
        return _HEAD + len(value)
    if kind is list:
        return _HEAD + sum(map(_size, value))
    if kind is dict and all(type(key) is str for key in value):
        return _HEAD + sum(map(_size, value)) + sum(map(_size, value.values()))
    # Whole numbers may have any length, and what else there is goes in a form of its own.
    return _HEAD if kind is int and -(2**63) <= value < 2**63 else len(encode(value))
