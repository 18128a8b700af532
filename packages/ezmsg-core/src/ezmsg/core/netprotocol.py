"""Addresses live in `ezmsg.protocol.addresses`; this path is kept for programs written for ezmsg 3.

What else the old module had belonged to the old wire, which is gone.
"""

import os

from ezmsg.protocol.addresses import ADDRESS_VARIABLE, DEFAULT_HOST, DEFAULT_PORT, Address, AddressType

GRAPHSERVER_ADDR_ENV = ADDRESS_VARIABLE
"""The environment variable that names the graph server, as ``host:port``."""

GRAPHSERVER_PORT_DEFAULT = DEFAULT_PORT
"""Where the graph server is if nobody says."""

GRAPHSERVER_ADDR = os.environ.get(GRAPHSERVER_ADDR_ENV) or f"{DEFAULT_HOST}:{DEFAULT_PORT}"
"""Where the graph server was said to be when this module was imported; `find_address` says where it is now."""

__all__ = [
    "DEFAULT_HOST",
    "GRAPHSERVER_ADDR",
    "GRAPHSERVER_ADDR_ENV",
    "GRAPHSERVER_PORT_DEFAULT",
    "Address",
    "AddressType",
]
