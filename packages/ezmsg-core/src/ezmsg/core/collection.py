"""Collections live in `ezmsg.core.graph.collection`; this path is kept for programs written for ezmsg 3."""

from ezmsg.core.graph.collection import Collection, NetworkDefinition

__all__ = ["Collection", "NetworkDefinition"]
