"""The client side of the ezmsg control plane: connection, session, operations on a graph server."""

from ezmsg.control.client import ControlConnection
from ezmsg.control.discovery import find_address, find_token
from ezmsg.control.errors import ControlError, StreamOverrun
from ezmsg.control.service import GraphService
from ezmsg.control.session import Session
from ezmsg.control.sharing import acquire, release
from ezmsg.control.topics import require_topic

__all__ = [
    "ControlConnection",
    "ControlError",
    "GraphService",
    "Session",
    "StreamOverrun",
    "acquire",
    "find_address",
    "find_token",
    "release",
    "require_topic",
]
