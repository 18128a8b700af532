"""Real-time dataflow: units connected by topics, spread over processes. Used as ``import ezmsg.core as ez``.

Names are loaded when they are first used, so that a program pays only for what it needs.
"""

import importlib
from typing import TYPE_CHECKING, Any

from ezmsg.core.logs import logger

if TYPE_CHECKING:
    from ezmsg.core.context import GraphContext
    from ezmsg.core.pubsub.publisher import Publisher
    from ezmsg.core.pubsub.subscriber import Subscriber
    from ezmsg.core.service import GraphService
    from ezmsg.graphserver.embedded import GraphServer
    from ezmsg.protocol.dag import CyclicException

_HOMES = {
    "CyclicException": "ezmsg.protocol.dag",
    "GraphContext": "ezmsg.core.context",
    "GraphServer": "ezmsg.graphserver.embedded",
    "GraphService": "ezmsg.core.service",
    "Publisher": "ezmsg.core.pubsub.publisher",
    "Subscriber": "ezmsg.core.pubsub.subscriber",
}

__all__ = [
    "CyclicException",
    "GraphContext",
    "GraphServer",
    "GraphService",
    "Publisher",
    "Subscriber",
    "logger",
]


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
