"""A door: settings live in `ezmsg.core.graph.settings`; this path is kept for ezmsg 3's programs."""

from ezmsg.core.graph.settings import Settings

__all__ = ["Settings"]
