"""The graph context lives in `ezmsg.core.context`; this path is kept for programs written for ezmsg 3."""

from ezmsg.core.context import GraphContext

__all__ = ["GraphContext"]
