"""The client side of the ezmsg control plane: connection, session, operations on a graph server.

Names are imported when they are first used, so that the ``ezmsg`` command can say its help without all of them.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ezmsg.control.client import ControlConnection
    from ezmsg.control.discovery import find_address, find_token
    from ezmsg.control.errors import ControlError, StreamOverrun
    from ezmsg.control.operations import shut_down, take_dag, take_snapshot
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
    "shut_down",
    "take_dag",
    "take_snapshot",
]

_MODULES = {
    "ControlConnection": "client",
    "ControlError": "errors",
    "GraphService": "service",
    "Session": "session",
    "StreamOverrun": "errors",
    "acquire": "sharing",
    "find_address": "discovery",
    "find_token": "discovery",
    "release": "sharing",
    "require_topic": "topics",
    "shut_down": "operations",
    "take_dag": "operations",
    "take_snapshot": "operations",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
