"""Message classes live in `ezmsg.core.graph.deprecated`; this path is kept for programs written for ezmsg 3."""

from ezmsg.core.graph.deprecated import Flag, Message

__all__ = ["Flag", "Message"]
