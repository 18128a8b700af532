"""A door: state lives in `ezmsg.core.graph.state`; this path is kept for ezmsg 3's programs."""

from ezmsg.core.graph.state import State

__all__ = ["State"]
