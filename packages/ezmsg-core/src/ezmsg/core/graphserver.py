"""A door: server and service live in `ezmsg.graphserver` and `ezmsg.core.context`; kept for ezmsg 3's programs."""

from ezmsg.core.context.service import GraphService
from ezmsg.graphserver.embedded import GraphServer

__all__ = ["GraphServer", "GraphService"]
