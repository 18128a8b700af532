"""State lives in `ezmsg.core.graph.state`; this path is kept for programs written for ezmsg 3."""

from ezmsg.core.graph.state import State

__all__ = ["State"]
