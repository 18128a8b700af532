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
    from ezmsg.control.profiling import (
        profiling_snapshot,
        profiling_snapshot_all,
        profiling_trace,
        set_profiling_trace,
    )
    from ezmsg.control.requests import ping, process_stacks, process_stats, route_request
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
    from ezmsg.control.trace_stream import follow_traces
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
    "follow_traces",
    "ping",
    "process_stacks",
    "process_stats",
    "profiling_snapshot",
    "profiling_snapshot_all",
    "profiling_trace",
    "release",
    "require_topic",
    "route_request",
    "set_profiling_trace",
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
    "follow_traces": "trace_stream",
    "ping": "requests",
    "process_stacks": "requests",
    "process_stats": "requests",
    "profiling_snapshot": "profiling",
    "profiling_snapshot_all": "profiling",
    "profiling_trace": "profiling",
    "release": "sharing",
    "require_topic": "topics",
    "route_request": "requests",
    "set_profiling_trace": "profiling",
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
