"""A door: server and service live in `ezmsg.graphserver.embedded`, `ezmsg.core.context.service`."""

from ezmsg.core.context.service import GraphService
from ezmsg.graphserver.embedded import GraphServer

__all__ = ["GraphServer", "GraphService"]
