"""Settings live in `ezmsg.core.graph.settings`; this path is kept for programs written for ezmsg 3."""

from ezmsg.core.graph.settings import Settings

__all__ = ["Settings"]
