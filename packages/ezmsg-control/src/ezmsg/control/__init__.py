"""The client side of the ezmsg control plane: connection, session, operations on a graph server.

Names are imported when they are first used, so that the ``ezmsg`` command can say its help without all of them.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ezmsg.control.client import ControlConnection
    from ezmsg.control.discovery import find_address, find_running, find_token
    from ezmsg.control.errors import ControlError, StreamOverrun
    from ezmsg.control.operations import shut_down, take_dag, take_snapshot
    from ezmsg.control.payloads import decode_payload, encode_payload
    from ezmsg.control.process import ProcessControlClient
    from ezmsg.control.requests import ping, process_stats, route_request
    from ezmsg.control.service import GraphService
    from ezmsg.control.session import Session
    from ezmsg.control.settings import (
        settings_events,
        settings_snapshot,
        take_settings,
        update_fields,
        update_setting,
    )
    from ezmsg.control.sharing import acquire, release
    from ezmsg.control.topics import require_topic
    from ezmsg.control.watching import follow_settings, follow_topology

__all__ = [
    "ControlConnection",
    "ControlError",
    "GraphService",
    "ProcessControlClient",
    "Session",
    "StreamOverrun",
    "acquire",
    "decode_payload",
    "encode_payload",
    "find_address",
    "find_running",
    "find_token",
    "follow_settings",
    "follow_topology",
    "ping",
    "process_stats",
    "release",
    "require_topic",
    "route_request",
    "settings_events",
    "settings_snapshot",
    "shut_down",
    "take_dag",
    "take_settings",
    "take_snapshot",
    "update_fields",
    "update_setting",
]

_MODULES = {
    "ControlConnection": "client",
    "ControlError": "errors",
    "GraphService": "service",
    "ProcessControlClient": "process",
    "Session": "session",
    "StreamOverrun": "errors",
    "acquire": "sharing",
    "decode_payload": "payloads",
    "encode_payload": "payloads",
    "find_address": "discovery",
    "find_running": "discovery",
    "find_token": "discovery",
    "follow_settings": "watching",
    "follow_topology": "watching",
    "ping": "requests",
    "process_stats": "requests",
    "release": "sharing",
    "require_topic": "topics",
    "route_request": "requests",
    "settings_events": "settings",
    "settings_snapshot": "settings",
    "shut_down": "operations",
    "take_dag": "operations",
    "take_settings": "settings",
    "take_snapshot": "operations",
    "update_fields": "settings",
    "update_setting": "settings",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
