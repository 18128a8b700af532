"""The graph server of ezmsg: it knows who publishes what to whom, and tells those concerned."""

from ezmsg.graphserver.deciding.graph import Graph
from ezmsg.graphserver.embedded import GraphServer
from ezmsg.graphserver.server import Server
from ezmsg.graphserver.serving import start_server

__all__ = ["Graph", "GraphServer", "Server", "start_server"]
