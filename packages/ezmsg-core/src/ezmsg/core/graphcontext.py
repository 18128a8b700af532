"""A door: the graph context lives in `ezmsg.core.context.graph_context`; kept for ezmsg 3's programs."""

from ezmsg.core.context.graph_context import GraphContext

__all__ = ["GraphContext"]
