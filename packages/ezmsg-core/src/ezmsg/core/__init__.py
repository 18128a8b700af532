"""Real-time dataflow: units connected by topics, spread over processes. Used as ``import ezmsg.core as ez``.

Names are loaded when they are first used, so that a program pays only for what it needs. The modules in
``_SUBMODULES`` are paths of ezmsg 3, which programs use without importing them: ``ez.settings``, ``ez.dag``.
"""

import importlib
from typing import TYPE_CHECKING, Any

from ezmsg.core.support.logs import logger

if TYPE_CHECKING:
    from ezmsg.core import sync
    from ezmsg.core.blocking.context import SyncContext
    from ezmsg.core.blocking.publisher import SyncPublisher
    from ezmsg.core.blocking.starting import init, spin, spin_once
    from ezmsg.core.blocking.subscriber import SyncSubscriber
    from ezmsg.core.commands.command_line import run_command
    from ezmsg.core.context.graph_context import GraphContext
    from ezmsg.core.context.service import GraphService
    from ezmsg.core.errors import GraphRunnerStartError
    from ezmsg.core.graph.collection import Collection, NetworkDefinition
    from ezmsg.core.graph.component import Component
    from ezmsg.core.graph.crawl import crawl_components
    from ezmsg.core.graph.decorators import main, process, publisher, subscriber, task, thread, timeit
    from ezmsg.core.graph.deprecated import Flag, Message, System
    from ezmsg.core.graph.relays import InputRelay, OutputRelay, Relay
    from ezmsg.core.graph.settings import Settings
    from ezmsg.core.graph.state import State
    from ezmsg.core.graph.streams import InputStream, InputTopic, OutputStream, OutputTopic, Topic
    from ezmsg.core.graph.termination import Complete, NormalTermination
    from ezmsg.core.graph.unit import Unit
    from ezmsg.core.pubsub.publisher import Publisher
    from ezmsg.core.pubsub.subscriber import Subscriber
    from ezmsg.core.runtime.deprecated import run_system
    from ezmsg.core.runtime.run import run
    from ezmsg.core.runtime.runner import GraphRunner
    from ezmsg.graphserver.embedded import GraphServer
    from ezmsg.protocol.graph.dag import CyclicException

    __version__: str

_HOMES = {
    "Collection": "ezmsg.core.graph.collection",
    "Complete": "ezmsg.core.graph.termination",
    "Component": "ezmsg.core.graph.component",
    "crawl_components": "ezmsg.core.graph.crawl",
    "CyclicException": "ezmsg.protocol.graph.dag",
    "Flag": "ezmsg.core.graph.deprecated",
    "GraphContext": "ezmsg.core.context.graph_context",
    "GraphRunner": "ezmsg.core.runtime.runner",
    "GraphRunnerStartError": "ezmsg.core.errors",
    "GraphServer": "ezmsg.graphserver.embedded",
    "GraphService": "ezmsg.core.context.service",
    "init": "ezmsg.core.blocking.starting",
    "InputRelay": "ezmsg.core.graph.relays",
    "InputStream": "ezmsg.core.graph.streams",
    "InputTopic": "ezmsg.core.graph.streams",
    "main": "ezmsg.core.graph.decorators",
    "Message": "ezmsg.core.graph.deprecated",
    "NetworkDefinition": "ezmsg.core.graph.collection",
    "NormalTermination": "ezmsg.core.graph.termination",
    "OutputRelay": "ezmsg.core.graph.relays",
    "OutputStream": "ezmsg.core.graph.streams",
    "OutputTopic": "ezmsg.core.graph.streams",
    "process": "ezmsg.core.graph.decorators",
    "Publisher": "ezmsg.core.pubsub.publisher",
    "publisher": "ezmsg.core.graph.decorators",
    "Relay": "ezmsg.core.graph.relays",
    "run": "ezmsg.core.runtime.run",
    "run_command": "ezmsg.core.commands.command_line",
    "run_system": "ezmsg.core.runtime.deprecated",
    "Settings": "ezmsg.core.graph.settings",
    "spin": "ezmsg.core.blocking.starting",
    "spin_once": "ezmsg.core.blocking.starting",
    "State": "ezmsg.core.graph.state",
    "Subscriber": "ezmsg.core.pubsub.subscriber",
    "subscriber": "ezmsg.core.graph.decorators",
    "SyncContext": "ezmsg.core.blocking.context",
    "SyncPublisher": "ezmsg.core.blocking.publisher",
    "SyncSubscriber": "ezmsg.core.blocking.subscriber",
    "System": "ezmsg.core.graph.deprecated",
    "task": "ezmsg.core.graph.decorators",
    "thread": "ezmsg.core.graph.decorators",
    "timeit": "ezmsg.core.graph.decorators",
    "Topic": "ezmsg.core.graph.streams",
    "Unit": "ezmsg.core.graph.unit",
}

_SUBMODULES = frozenset(
    {
        "addressable",
        "backend",
        "backendprocess",
        "collection",
        "command",
        "component",
        "dag",
        "graph_util",
        "graphcontext",
        "graphmeta",
        "graphserver",
        "logconfig",
        "message",
        "messagemarshal",
        "netprotocol",
        "processclient",
        "pubclient",
        "relay",
        "settings",
        "settingsmeta",
        "state",
        "stream",
        "subclient",
        "sync",
        "type_resolution",
        "unit",
        "util",
    }
)

__all__ = [
    "Collection",
    "Complete",
    "Component",
    "CyclicException",
    "Flag",
    "GraphContext",
    "GraphRunner",
    "GraphRunnerStartError",
    "GraphServer",
    "GraphService",
    "InputRelay",
    "InputStream",
    "InputTopic",
    "Message",
    "NetworkDefinition",
    "NormalTermination",
    "OutputRelay",
    "OutputStream",
    "OutputTopic",
    "Publisher",
    "Relay",
    "Settings",
    "State",
    "Subscriber",
    "SyncContext",
    "SyncPublisher",
    "SyncSubscriber",
    "System",
    "Topic",
    "Unit",
    "crawl_components",
    "init",
    "logger",
    "main",
    "process",
    "publisher",
    "run",
    "run_command",
    "run_system",
    "spin",
    "spin_once",
    "subscriber",
    "sync",
    "task",
    "thread",
    "timeit",
]


def __getattr__(name: str) -> Any:
    if name in _SUBMODULES:
        return importlib.import_module(f"{__name__}.{name}")
    if name == "__version__":
        return importlib.import_module("importlib.metadata").version("ezmsg-core")
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
