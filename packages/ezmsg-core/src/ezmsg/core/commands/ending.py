"""``shutdown``: the end of a graph server."""

import logging

from ezmsg.core.context.service import GraphService
from ezmsg.protocol.addresses import Address
from ezmsg.protocol.errors import ServerUnreachable

logger = logging.getLogger("ezmsg")


async def shutdown(address: Address) -> None:
    """End the server at an address; that there is none is no error, for then nothing is left to be done."""
    try:
        await GraphService(address).shutdown()
    except ServerUnreachable:
        logger.warning("There is no graph server at %s to shut down.", address)
    else:
        logger.info("The graph server at %s has ended.", address)
