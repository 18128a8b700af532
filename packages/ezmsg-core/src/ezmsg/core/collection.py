"""A door: collections live in `ezmsg.core.graph.collection`; this path is kept for ezmsg 3's programs."""

from ezmsg.core.graph.collection import Collection, NetworkDefinition

__all__ = ["Collection", "NetworkDefinition"]
