"""The client side of the ezmsg control plane: connection, session, operations on a graph server.

Names are imported when they are first used, so that the ``ezmsg`` command can say its help without all of them.
"""

from importlib import import_module

TYPE_CHECKING = False  # the module that has it is slow to import, and a command's help needs nothing of it
if TYPE_CHECKING:
    from typing import Any

    from ezmsg.control.connection.client import ControlConnection
    from ezmsg.control.connection.discovery import find_address, find_running, find_tls, find_token
    from ezmsg.control.connection.sharing import acquire, release
    from ezmsg.control.errors import ControlError, StreamOverrun
    from ezmsg.control.graph.operations import drop_session, shut_down, take_dag, take_snapshot
    from ezmsg.control.graph.session import Session
    from ezmsg.control.graph.settings import (
        settings_events,
        settings_snapshot,
        take_settings,
        update_fields,
        update_setting,
    )
    from ezmsg.control.graph.topics import require_topic
    from ezmsg.control.graph.watching import follow_settings, follow_topology
    from ezmsg.control.process.payloads import decode_payload, encode_payload
    from ezmsg.control.process.process_client import ProcessControlClient
    from ezmsg.control.process.requests import ping, process_stacks, process_stats, route_request
    from ezmsg.control.profiling.snapshots import (
        profiling_snapshot,
        profiling_snapshot_all,
        profiling_trace,
        set_profiling_trace,
    )
    from ezmsg.control.profiling.trace_stream import follow_traces
    from ezmsg.control.rendering.drawing_service import GraphService

__all__ = [
    "ControlConnection",
    "ControlError",
    "GraphService",
    "ProcessControlClient",
    "Session",
    "StreamOverrun",
    "acquire",
    "decode_payload",
    "drop_session",
    "encode_payload",
    "find_address",
    "find_running",
    "find_tls",
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
    "ControlConnection": "connection.client",
    "ControlError": "errors",
    "GraphService": "rendering.drawing_service",
    "ProcessControlClient": "process.process_client",
    "Session": "graph.session",
    "StreamOverrun": "errors",
    "acquire": "connection.sharing",
    "decode_payload": "process.payloads",
    "drop_session": "graph.operations",
    "encode_payload": "process.payloads",
    "find_address": "connection.discovery",
    "find_running": "connection.discovery",
    "find_tls": "connection.discovery",
    "find_token": "connection.discovery",
    "follow_settings": "graph.watching",
    "follow_topology": "graph.watching",
    "follow_traces": "profiling.trace_stream",
    "ping": "process.requests",
    "process_stacks": "process.requests",
    "process_stats": "process.requests",
    "profiling_snapshot": "profiling.snapshots",
    "profiling_snapshot_all": "profiling.snapshots",
    "profiling_trace": "profiling.snapshots",
    "release": "connection.sharing",
    "require_topic": "graph.topics",
    "route_request": "process.requests",
    "set_profiling_trace": "profiling.snapshots",
    "settings_events": "graph.settings",
    "settings_snapshot": "graph.settings",
    "shut_down": "graph.operations",
    "take_dag": "graph.operations",
    "take_settings": "graph.settings",
    "take_snapshot": "graph.operations",
    "update_fields": "graph.settings",
    "update_setting": "graph.settings",
}


def __getattr__(name: str) -> "Any":
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
