"""Every message that may travel, one module per conversation, and the table that finds a class by its tag.

`wire` enters, and every room above it; it uses `model` and `revisions`. Tags are append-only: a tag that was once
released keeps its meaning for ever.
"""

from typing import Any

from ezmsg.protocol.messages import (
    channels,
    endpoints,
    envelopes,
    events,
    handshake,
    presence,
    processes,
    requests,
    service,
    sessions,
    settings,
)

HANDSHAKE: tuple[type[Any], ...] = handshake.MESSAGES
ENVELOPES: tuple[type[Any], ...] = envelopes.MESSAGES
CHANNELS: tuple[type[Any], ...] = channels.MESSAGES
BODIES: tuple[type[Any], ...] = (
    *sessions.MESSAGES,
    *service.MESSAGES,
    *endpoints.MESSAGES,
    *processes.MESSAGES,
    *events.MESSAGES,
    *settings.MESSAGES,
    *requests.MESSAGES,
    *presence.MESSAGES,
)
REQUESTS: tuple[type[Any], ...] = tuple(cls for cls in BODIES if hasattr(cls, "REPLY"))
STREAMS: frozenset[type[Any]] = frozenset(cls for cls in REQUESTS if hasattr(cls, "ITEMS"))
