"""Where the graph server is said to be, under the names that programs written for ezmsg 3 know."""

import os

from ezmsg.protocol.addresses import ADDRESS_VARIABLE, DEFAULT_HOST, DEFAULT_PORT

__all__ = ["GRAPHSERVER_ADDR", "GRAPHSERVER_ADDR_ENV", "GRAPHSERVER_PORT_DEFAULT"]

GRAPHSERVER_ADDR_ENV = ADDRESS_VARIABLE
"""The environment variable that names the graph server, as ``host:port``."""

GRAPHSERVER_PORT_DEFAULT = DEFAULT_PORT
"""Where the graph server is if nobody says."""

GRAPHSERVER_ADDR = os.environ.get(GRAPHSERVER_ADDR_ENV) or f"{DEFAULT_HOST}:{DEFAULT_PORT}"
"""Where the graph server was said to be when this module was imported; `find_address` says where it is now."""
