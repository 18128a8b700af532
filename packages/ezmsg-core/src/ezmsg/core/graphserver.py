"""The server and the client of it; this path is kept for programs written for ezmsg 3.

`GraphServer` lives in :mod:`ezmsg.graphserver.embedded`, `GraphService` in :mod:`ezmsg.core.service`.
"""

from ezmsg.core.service import GraphService
from ezmsg.graphserver.embedded import GraphServer

__all__ = ["GraphServer", "GraphService"]
