"""A door: components live in `ezmsg.core.graph.component`; this path is kept for ezmsg 3's programs."""

from ezmsg.core.graph.component import Component

__all__ = ["Component"]
