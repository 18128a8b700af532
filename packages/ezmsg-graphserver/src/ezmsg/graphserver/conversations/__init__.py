"""What the server answers, a module per conversation, as in :mod:`ezmsg.protocol.messages`.

Importing this package fills :data:`HANDLERS`: from each request's class to the one function that handles it.
"""

from ezmsg.graphserver.conversations import endpoints, events, processes, requests, service, sessions, settings
from ezmsg.graphserver.conversations.handlers import HANDLERS, Request

__all__ = ["HANDLERS", "Request", "endpoints", "events", "processes", "requests", "service", "sessions", "settings"]
