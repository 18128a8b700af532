"""A door: message classes live in `ezmsg.core.graph.deprecated`; this path is kept for ezmsg 3's programs."""

from ezmsg.core.graph.deprecated import Flag, Message

__all__ = ["Flag", "Message"]
