"""A door: addresses live in `ezmsg.protocol.addresses`; this path is kept for ezmsg 3's programs.

What else the old module had belonged to the old wire, which is gone.
"""

from ezmsg.core.context.old_addresses import GRAPHSERVER_ADDR, GRAPHSERVER_ADDR_ENV, GRAPHSERVER_PORT_DEFAULT
from ezmsg.protocol.addresses import DEFAULT_HOST, Address, AddressType

__all__ = [
    "DEFAULT_HOST",
    "GRAPHSERVER_ADDR",
    "GRAPHSERVER_ADDR_ENV",
    "GRAPHSERVER_PORT_DEFAULT",
    "Address",
    "AddressType",
]
