"""Components live in `ezmsg.core.graph.component`; this path is kept for programs written for ezmsg 3."""

from ezmsg.core.graph.component import Component

__all__ = ["Component"]
