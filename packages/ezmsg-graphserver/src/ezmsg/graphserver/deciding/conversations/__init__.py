"""What the server answers, a module per conversation, as in :mod:`ezmsg.protocol.messages`.

`graph` enters, and every conversation uses `state`. Importing this package fills :data:`HANDLERS`: from each
request's class to the one function that handles it.
"""

from ezmsg.graphserver.deciding.conversations import (
    endpoints,
    events,
    permissions,
    processes,
    requests,
    service,
    sessions,
    settings,
)
from ezmsg.graphserver.deciding.conversations.handlers import HANDLERS, Request

__all__ = [
    "HANDLERS",
    "Request",
    "endpoints",
    "events",
    "permissions",
    "processes",
    "requests",
    "service",
    "sessions",
    "settings",
]
